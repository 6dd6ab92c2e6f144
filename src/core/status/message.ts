// Explains in words why a capture is in its state on this node, above all why it has no packets.
// Pure. In: the capture's decision, its state, its rows, its problems. Out: one message; '' if
// there is nothing to explain.

import type { CaptureDecision } from '../../model/decision.ts'
import type { CaptureStateName, Problem } from '../../model/status.ts'
import { pluralize } from '../../model/text.ts'
import { isoTime } from '../../model/time.ts'
import { type CountedText, joinTexts, packetsText, plainText } from './counters.ts'
import type { EndpointRow, HeldEndpoint } from './endpointStatus.ts'

export function explain(
  { decision }: HeldEndpoint,
  node: string,
  state: CaptureStateName,
  rows: readonly EndpointRow[],
  problems: readonly Problem[],
): CountedText {
  const { phase, notes } = decision
  const reasons = [
    reasonOf(decision, node, state, rows),
    ...problems
      .filter(({ message }) => phase.kind !== 'Halted' || message !== phase.halt.message)
      .map(({ message, wording = message }) => ({ text: message, wording })),
  ]
  return joinTexts([...reasons, ...notes.map(plainText)])
}

function reasonOf(
  decision: CaptureDecision,
  node: string,
  state: CaptureStateName,
  rows: readonly EndpointRow[],
): CountedText {
  const { phase } = decision
  switch (phase.kind) {
    case 'Rejected':
    case 'Held':
      return plainText(phase.message)
    case 'Halted':
      return plainText(phase.halt.message)
    case 'Finished':
      return plainText(phase.message)
    case 'Scheduled':
      return joinTexts(
        [`The window opens at ${isoTime(phase.opensAtMs)}`, noMatch(decision, node)].map(plainText),
      )
    case 'Open':
      if (decision.matches.matched.length === 0) return plainText(noMatch(decision, node))
      return state === 'WaitingForTraffic' ? noPacket(decision, rows) : plainText('')
  }
}

function noMatch({ matches, capture, interfaces = [] }: CaptureDecision, node: string): string {
  if (matches.matched.length > 0) return ''
  if (matches.pods.length > 0)
    return `${pluralize(matches.pods.length, 'pod')} on node "${node}" match, and none has an interface of ${interfaces.join(', ')}`
  if (matches.hostNetwork > 0 && matches.elsewhere === 0)
    return `Only host-networked pods match (${matches.hostNetwork}): they share the node's interfaces and are not captured`
  const elsewhere = matches.elsewhere > 0 ? `; ${matches.elsewhere} on other nodes` : ''
  return `No endpoint matches the selector: ${pluralize(matches.inNamespace, 'endpoint')} in namespace "${capture.namespace}" on node "${node}"${elsewhere}`
}

function noPacket(
  { filter: { filter } }: CaptureDecision,
  rows: readonly EndpointRow[],
): CountedText {
  const live = rows.filter(({ isLive }) => isLive)
  if (live.length === 0) return plainText('')
  const carried = live.reduce((sum, { actual }) => sum + (actual?.interfacePackets ?? 0), 0)
  if (carried > 0 && filter !== '')
    return packetsText(carried, `on the interfaces, none passed the filter "${filter}"`)
  return plainText(
    filter === ''
      ? 'No packet has passed the interfaces yet'
      : `No packet has passed the filter "${filter}" yet`,
  )
}
