// One row for each endpoint of a capture on this node: those that match now, and those that once did and left files.
// In: the capture's outlook, its facts, its taps. Out: rows by pod name. Counts are clamped to what a number holds exactly.

import type { ActualCapture, ActualEndpoint, Gap } from '../../model/actualState.ts'
import type { CaptureDecision, Phase } from '../../model/decision.ts'
import type { Endpoint } from '../../model/endpoint.ts'
import type { CaptureStateName, EndpointStatus, GapStatus } from '../../model/status.ts'
import { type ActualTap, tapId } from '../../model/tap.ts'
import { addCounts } from './counters.ts'

export type HeldEndpoint = {
  readonly decision: CaptureDecision
  readonly facts: ActualCapture | undefined
  readonly taps: ReadonlyMap<string, ActualTap>
}

/** Everything known of one endpoint of one capture. */
export type EndpointRow = {
  readonly name: string
  readonly facts: ActualEndpoint | undefined
  readonly endpoint: Endpoint | undefined // undefined: matches no longer
  readonly tap: ActualTap | undefined
  readonly isLive: boolean
  readonly status: EndpointStatus
}

export function rowsOf({ decision: outlook, facts, taps }: HeldEndpoint): EndpointRow[] {
  const endpoints = new Map(outlook.matches.matched.map(endpoint => [endpoint.name, endpoint]))
  const names = [...new Set([...endpoints.keys(), ...(facts?.endpoints.keys() ?? [])])].toSorted()
  return names.map(name => {
    const row = { name, facts: facts?.endpoints.get(name), endpoint: endpoints.get(name), tap: tapOf(taps, outlook, name) }
    return { ...row, isLive: row.tap?.state === 'open', status: statusOf(row, outlook) }
  })
}

function tapOf(taps: ReadonlyMap<string, ActualTap>, { key, capture }: CaptureDecision, name: string): ActualTap | undefined {
  const tap = taps.get(tapId(key, name))
  return tap?.spec.capture.uid === capture.uid ? tap : undefined
}

function statusOf(row: Pick<EndpointRow, 'name' | 'facts' | 'endpoint' | 'tap'>, outlook: CaptureDecision): EndpointStatus {
  const { name, facts, endpoint, tap } = row
  const interfaceName = facts?.interfaceName ?? endpoint?.interfaceName
  const message = tap?.message ?? outlook.refused.get(name)?.message ?? facts?.message
  return {
    pod: name,
    uid: tap?.spec.endpoint.uid ?? facts?.uid ?? endpoint?.uid ?? '',
    ...(interfaceName !== undefined && { interface: interfaceName }),
    ...(facts && { vantage: facts.vantage }),
    state: stateOf(row, outlook),
    ...addCounts(facts ? [facts] : []),
    ...(facts?.startedAtMs !== undefined && { startedAt: timeOf(facts.startedAtMs) }),
    ...(facts?.endedAtMs !== undefined && { endedAt: timeOf(facts.endedAtMs) }),
    gaps: facts?.gaps.map(gapOf) ?? [],
    ...(message !== undefined && { message }),
  }
}

function stateOf(
  { name, facts, endpoint, tap }: Pick<EndpointRow, 'name' | 'facts' | 'endpoint' | 'tap'>,
  outlook: CaptureDecision,
): CaptureStateName {
  if (tap?.state === 'open') return (facts?.packets ?? 0) > 0 ? 'Capturing' : 'WaitingForTraffic'
  if (!endpoint) return 'Finished'
  if (tap?.state === 'failed' || outlook.refused.has(name)) return 'Error'
  return stateWithoutTap(outlook.phase)
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
  return { from: timeOf(fromMs), ...(toMs !== undefined && { to: timeOf(toMs) }), reason }
}

export function timeOf(atMs: number): string {
  return new Date(atMs).toISOString()
}
