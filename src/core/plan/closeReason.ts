// Why a tap that nothing wishes for goes, and whether that may be believed yet; which directories are nobody's any more.
// Before the world is complete only what is there counts: an open tap is not closed, and nothing is forgotten, because something
// is missing. What stands written is done at once all the same: a window that ended, a limit, a changed capture.

import type { CaptureFacts } from '../../model/actualState.ts'
import type { CloseReason } from '../../model/codes.ts'
import type { CaptureOutlook } from '../../model/decision.ts'
import type { Endpoint } from '../../model/endpoint.ts'
import type { ActualTap } from '../../model/tap.ts'
import { compareText, type Wish } from './desiredTap.ts'
import type { Forget } from './plan.ts'

export type Surroundings = {
  readonly outlookOf: (captureKey: string) => CaptureOutlook | undefined
  readonly endpointOf: (namespace: string, name: string) => Endpoint | undefined
}

export function whyUndesired({ spec }: ActualTap, { outlookOf, endpointOf }: Surroundings): CloseReason {
  const outlook = outlookOf(spec.captureKey)
  const { namespace, name } = spec.endpoint
  if (!outlook || outlook.capture.uid !== spec.capture.uid) return 'deleted'
  switch (outlook.phase.kind) {
    case 'Rejected':
    case 'Held':
      return 'changed'
    case 'Scheduled':
      return outlook.phase.isPreparing ? whyUnmatched(outlook, endpointOf(namespace, name), name) : 'window'
    case 'Finished':
      return outlook.phase.cause
    case 'Halted':
      return 'disk'
    case 'Open':
      return whyUnmatched(outlook, endpointOf(namespace, name), name)
  }
}

function whyUnmatched({ refused }: CaptureOutlook, endpoint: Endpoint | undefined, name: string): CloseReason {
  if (refused.has(name)) return refused.get(name)?.reason.startsWith('Disk') ? 'disk' : 'budget'
  return endpoint?.live ? 'unmatched' : 'finished'
}

const fromAbsence: ReadonlySet<CloseReason> = new Set<CloseReason>(['deleted', 'unmatched', 'finished'])

/** Open taps that stay as they are because the world is not complete and only something missing speaks against them. */
export function withheld(taps: ReadonlyMap<string, ActualTap>, wishes: readonly Wish[], surroundings: Surroundings): Wish[] {
  const wished = new Map(wishes.map(({ spec }) => [spec.id, spec.capture.uid]))
  return [...taps.values()]
    .filter(({ spec, state }) => state === 'open' && wished.get(spec.id) !== spec.capture.uid)
    .filter(tap => fromAbsence.has(whyUndesired(tap, surroundings)))
    .map(({ spec }): Wish => ({ spec, isEarly: false }))
    .toSorted((a, b) => compareText(a.spec.id, b.spec.id))
}

/** Captures on this node whose resource is gone or has another uid. */
export function forgotten(captures: ReadonlyMap<string, CaptureFacts>, outlookOf: Surroundings['outlookOf']): Forget[] {
  return [...captures.values()]
    .filter(({ key, uid }) => outlookOf(key)?.capture.uid !== uid)
    .map(({ key, uid }): Forget => ({ kind: 'forget', captureKey: key, uid }))
}
