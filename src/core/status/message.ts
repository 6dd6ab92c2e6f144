// Says in words why a capture is as it is on this node, above all why it holds no packets.
// In: the capture's outlook, its state, its rows, its problems. Out: one message, '' when there is nothing to say.
import type { CaptureDecision } from '../../model/decision.ts'
import type { CaptureStateName, Problem } from '../../model/status.ts'
import { pluralize } from '../../model/text.ts'
import type { EndpointRow, HeldEndpoint } from './endpointStatus.ts'
import { timeOf } from './endpointStatus.ts'

export function explain(
  { decision: outlook }: HeldEndpoint,
  node: string,
  state: CaptureStateName,
  rows: readonly EndpointRow[],
  problems: readonly Problem[],
): string {
  const { phase, notes } = outlook
  const told = [
    reasonOf(outlook, node, state, rows),
    ...problems.filter(({ message }) => phase.kind !== 'Halted' || message !== phase.halt.message).map(({ message }) => message),
  ]
  return [...told, ...notes].filter(text => text !== '').join('; ')
}

function reasonOf(outlook: CaptureDecision, node: string, state: CaptureStateName, rows: readonly EndpointRow[]): string {
  const { phase } = outlook
  switch (phase.kind) {
    case 'Rejected':
    case 'Held':
      return phase.message
    case 'Halted':
      return phase.halt.message
    case 'Finished':
      return phase.message
    case 'Scheduled':
      return [`The window opens at ${timeOf(phase.opensAtMs)}`, noMatch(outlook, node)].filter(text => text !== '').join('; ')
    case 'Open':
      return noMatch(outlook, node) || (state === 'WaitingForTraffic' ? noPacket(outlook, rows) : '')
  }
}

function noMatch({ matches, capture }: CaptureDecision, node: string): string {
  if (matches.matched.length > 0) return ''
  if (matches.hostNetwork > 0 && matches.elsewhere === 0)
    return `Only host-networked pods match (${matches.hostNetwork}): they share the node's interfaces and are not captured`
  const elsewhere = matches.elsewhere > 0 ? `; ${matches.elsewhere} on other nodes` : ''
  return `No endpoint matches the selector: ${pluralize(matches.inNamespace, 'endpoint')} in namespace "${capture.namespace}" on node "${node}"${elsewhere}`
}

function noPacket({ filter: { filter } }: CaptureDecision, rows: readonly EndpointRow[]): string {
  const live = rows.filter(({ isLive }) => isLive)
  if (live.length === 0) return ''
  const carried = live.reduce((sum, { facts }) => sum + (facts?.interfacePackets ?? 0), 0)
  if (carried > 0 && filter !== '') return `${pluralize(carried, 'packet')} on the interfaces, none passed the filter "${filter}"`
  return filter === '' ? 'No packet has passed the interfaces yet' : `No packet has passed the filter "${filter}" yet`
}
