// One row for each endpoint of a capture on this node: those that match now, and those that matched
// before and left files. Pure. In: the capture's decision, its actual state, its taps. Out: rows by
// pod name, with counts clamped to exact integers.

import type { ActualCapture, ActualEndpoint, Gap } from '../../model/actualState.ts'
import type { CaptureDecision, Phase } from '../../model/decision.ts'
import { type Endpoint, endpointKey } from '../../model/endpoint.ts'
import type { CaptureStateName, EndpointStatus, GapStatus } from '../../model/status.ts'
import { type ActualTap, tapId } from '../../model/tap.ts'
import { isoTime } from '../../model/time.ts'
import { addCounts } from './counters.ts'

export type HeldEndpoint = {
  readonly decision: CaptureDecision
  readonly actual: ActualCapture | undefined
  readonly taps: ReadonlyMap<string, ActualTap>
  readonly isStopped?: boolean // the process is about to end, and its taps are closed
}

/** Decision, actual state and status of one endpoint of one capture. */
export type EndpointRow = {
  readonly name: string // endpointKey()
  readonly actual: ActualEndpoint | undefined
  readonly endpoint: Endpoint | undefined // undefined: matches no longer
  readonly tap: ActualTap | undefined
  readonly isLive: boolean
  readonly status: EndpointStatus
}

export function rowsOf(held: HeldEndpoint): EndpointRow[] {
  const { decision, actual, taps } = held
  const endpoints = new Map(
    decision.matches.matched.map(endpoint => [endpointKey(endpoint), endpoint]),
  )
  const names = [...new Set([...endpoints.keys(), ...(actual?.endpoints.keys() ?? [])])].toSorted()
  return names.map(name => {
    const row = {
      name,
      actual: actual?.endpoints.get(name),
      endpoint: endpoints.get(name),
      tap: tapOf(taps, decision, name),
    }
    return { ...row, isLive: row.tap?.state === 'open', status: statusOf(row, held) }
  })
}

function tapOf(
  taps: ReadonlyMap<string, ActualTap>,
  { key, capture }: CaptureDecision,
  name: string,
): ActualTap | undefined {
  const tap = taps.get(tapId(key, name))
  return tap?.spec.capture.uid === capture.uid ? tap : undefined
}

function statusOf(
  row: Pick<EndpointRow, 'name' | 'actual' | 'endpoint' | 'tap'>,
  held: HeldEndpoint,
): EndpointStatus {
  const { name, actual, endpoint, tap } = row
  const { decision } = held
  const interfaceName = actual?.interfaceName ?? endpoint?.podInterface ?? endpoint?.interfaceName
  const message = tap?.message ?? decision.refused.get(name)?.message ?? actual?.message
  return {
    pod: actual?.name ?? endpoint?.name ?? name,
    uid: tap?.spec.endpoint.uid ?? actual?.uid ?? endpoint?.uid ?? '',
    ...(interfaceName !== undefined && { interface: interfaceName }),
    ...(actual && { vantage: actual.vantage }),
    state: stateOf(row, held),
    ...addCounts(actual ? [actual] : []),
    ...(actual?.lost !== undefined && { lost: actual.lost }),
    ...(actual?.startedAtMs !== undefined && { startedAt: isoTime(actual.startedAtMs) }),
    ...(actual?.endedAtMs !== undefined && { endedAt: isoTime(actual.endedAtMs) }),
    gaps: actual?.gaps.map(gapOf) ?? [],
    ...(message !== undefined && { message }),
  }
}

function stateOf(
  { name, actual, endpoint, tap }: Pick<EndpointRow, 'name' | 'actual' | 'endpoint' | 'tap'>,
  { decision, isStopped = false }: HeldEndpoint,
): CaptureStateName {
  if (tap?.state === 'open') return (actual?.packets ?? 0) > 0 ? 'Capturing' : 'WaitingForTraffic'
  if (!endpoint) return 'Finished'
  if (tap?.state === 'failed' || decision.refused.has(name)) return 'Error'
  const state = stateWithoutTap(decision.phase)
  // The last status says what the run held.
  const isHeld = isStopped && state === 'WaitingForTraffic' && (actual?.packets ?? 0) > 0
  return isHeld ? 'Capturing' : state
}

function stateWithoutTap(phase: Phase): CaptureStateName {
  switch (phase.kind) {
    case 'Rejected':
    case 'Halted':
      return 'Error'
    case 'Open':
      return 'WaitingForTraffic'
    case 'Held':
      return 'Scheduled'
    case 'Scheduled':
    case 'Finished':
      return phase.kind
  }
}

function gapOf({ fromMs, toMs, reason }: Gap): GapStatus {
  return { from: isoTime(fromMs), ...(toMs !== undefined && { to: isoTime(toMs) }), reason }
}
