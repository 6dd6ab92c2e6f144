// Why a tap that nothing wishes for goes, and whether that may be believed yet; which directories are nobody's any more.
// Before the world is complete only what is there counts: an open tap is not closed, and nothing is forgotten, because something
// is missing. What stands written is done at once all the same: a window that ended, a limit, a changed capture.

import type { ActualCapture } from '../../model/actualState.ts'
import type { CloseReason } from '../../model/codes.ts'
import type { CaptureDecision } from '../../model/decision.ts'
import type { Endpoint } from '../../model/endpoint.ts'
import type { ActualTap } from '../../model/tap.ts'
import { compareText } from '../../model/text.ts'
import type { DesiredTap } from './desiredTap.ts'
import type { RemoveCapture } from './plan.ts'

export type Lookups = {
  readonly decisionOf: (captureKey: string) => CaptureDecision | undefined
  readonly endpointOf: (namespace: string, name: string) => Endpoint | undefined
}

export function closeReasonOf({ spec }: ActualTap, { decisionOf: outlookOf, endpointOf }: Lookups): CloseReason {
  const outlook = outlookOf(spec.captureKey)
  const { namespace, name } = spec.endpoint
  if (!outlook || outlook.capture.uid !== spec.capture.uid) return 'deleted'
  switch (outlook.phase.kind) {
    case 'Rejected':
    case 'Held':
      return 'changed'
    case 'Scheduled':
      return outlook.phase.isPreparing ? unmatchedReasonOf(outlook, endpointOf(namespace, name), name) : 'window'
    case 'Finished':
      return outlook.phase.cause
    case 'Halted':
      return 'disk'
    case 'Open':
      return unmatchedReasonOf(outlook, endpointOf(namespace, name), name)
  }
}

function unmatchedReasonOf({ refused }: CaptureDecision, endpoint: Endpoint | undefined, name: string): CloseReason {
  if (refused.has(name)) return refused.get(name)?.reason.startsWith('Disk') ? 'disk' : 'budget'
  return endpoint?.live ? 'unmatched' : 'finished'
}

const fromAbsence: ReadonlySet<CloseReason> = new Set<CloseReason>(['deleted', 'unmatched', 'finished'])

/** Open taps that stay as they are because the world is not complete and only something missing speaks against them. */
export function keptWhileUnsynced(
  taps: ReadonlyMap<string, ActualTap>,
  wishes: readonly DesiredTap[],
  surroundings: Lookups,
): DesiredTap[] {
  const wished = new Map(wishes.map(({ spec }) => [spec.id, spec.capture.uid]))
  return [...taps.values()]
    .filter(({ spec, state }) => state === 'open' && wished.get(spec.id) !== spec.capture.uid)
    .filter(tap => fromAbsence.has(closeReasonOf(tap, surroundings)))
    .map(({ spec }): DesiredTap => ({ spec, isEarly: false }))
    .toSorted((a, b) => compareText(a.spec.id, b.spec.id))
}

/** Captures on this node whose resource is gone or has another uid. */
export function orphanedCaptures(captures: ReadonlyMap<string, ActualCapture>, outlookOf: Lookups['decisionOf']): RemoveCapture[] {
  return [...captures.values()]
    .filter(({ key, uid }) => outlookOf(key)?.capture.uid !== uid)
    .map(({ key, uid }): RemoveCapture => ({ kind: 'forget', captureKey: key, uid }))
}
