// Why an open tap that is not desired closes, and which captures' files are removed. Pure. In:
// actual taps, decisions, endpoints. Out: close reasons; taps that stay open while the world has
// not synced; captures without a resource. Until the world has synced, a missing object closes no
// tap and removes no files. A written change does: a window that ended, a limit, an edited capture.

import type { ActualCapture } from '../../model/actualState.ts'
import type { CloseReason } from '../../model/codes.ts'
import type { CaptureDecision } from '../../model/decision.ts'
import { type Endpoint, endpointKey } from '../../model/endpoint.ts'
import type { ActualTap, TapSpec } from '../../model/tap.ts'
import { compareText } from '../../model/text.ts'
import { isWildcardOnly } from '../podInterfaces.ts'
import type { DesiredTap } from './desiredTap.ts'
import type { RemoveCapture } from './plan.ts'

export type Lookups = {
  readonly decisionOf: (captureKey: string) => CaptureDecision | undefined
  readonly endpointOf: (namespace: string, name: string) => Endpoint | undefined
}

export function closeReasonOf(
  { spec }: ActualTap,
  { decisionOf, endpointOf }: Lookups,
): CloseReason {
  const decision = decisionOf(spec.captureKey)
  const { namespace, name } = spec.endpoint
  if (!decision || decision.capture.uid !== spec.capture.uid) return 'deleted'
  switch (decision.phase.kind) {
    case 'Rejected':
    case 'Held':
      return 'changed'
    case 'Scheduled':
      return decision.phase.isPreparing
        ? unmatchedReasonOf(decision, endpointOf(namespace, name), spec)
        : 'window'
    case 'Finished':
      return decision.phase.cause
    case 'Halted':
      return 'disk'
    case 'Open':
      return unmatchedReasonOf(decision, endpointOf(namespace, name), spec)
  }
}

function unmatchedReasonOf(
  { refused, matches, interfaces = [] }: CaptureDecision,
  endpoint: Endpoint | undefined,
  { endpoint: tapped }: TapSpec,
): CloseReason {
  const refusal = refused.get(endpointKey(tapped))
  if (refusal) return refusal.reason.startsWith('Disk') ? 'disk' : 'budget'
  if (!endpoint?.live) return 'finished'
  const isMatching = matches.pods.some(({ uid }) => uid === tapped.uid)
  const isAbsent =
    isMatching &&
    tapped.podInterface !== undefined &&
    isWildcardOnly(tapped.podInterface, interfaces)
  return isAbsent ? 'absent' : 'unmatched'
}

const absenceReasons: ReadonlySet<CloseReason> = new Set<CloseReason>([
  'deleted',
  'unmatched',
  'finished',
])

/**
 * Open taps that stay while the world has not synced, because only a missing object is a reason to
 * close them.
 */
export function keptWhileUnsynced(
  taps: ReadonlyMap<string, ActualTap>,
  desiredTaps: readonly DesiredTap[],
  lookups: Lookups,
): DesiredTap[] {
  const desiredUids = new Map(desiredTaps.map(({ spec }) => [spec.id, spec.capture.uid]))
  return [...taps.values()]
    .filter(({ spec, state }) => state === 'open' && desiredUids.get(spec.id) !== spec.capture.uid)
    .filter(tap => absenceReasons.has(closeReasonOf(tap, lookups)))
    .map(({ spec }): DesiredTap => ({ spec, isEarly: false }))
    .toSorted((a, b) => compareText(a.spec.id, b.spec.id))
}

/** Captures on this node whose resource is gone or has another uid. */
export function orphanedCaptures(
  captures: ReadonlyMap<string, ActualCapture>,
  decisionOf: Lookups['decisionOf'],
): RemoveCapture[] {
  return [...captures.values()]
    .filter(({ key, uid }) => decisionOf(key)?.capture.uid !== uid)
    .map(({ key, uid }): RemoveCapture => ({ kind: 'forget', captureKey: key, uid }))
}
