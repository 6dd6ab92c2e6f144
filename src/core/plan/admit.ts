// Admits the desired taps that fit all budgets, each with its ring. Pure. In: desired taps in
// order, the actual taps, the budgets. Out: specs of the admitted taps; for each refused tap the
// first budget that refused it. The endpoint and ring budgets depend on the desired taps alone. A
// full disk refuses only taps that are not open yet.
import type { Refusal } from '../../model/decision.ts'
import type { Settings } from '../../model/settings.ts'
import type { ActualTap, TapSpec } from '../../model/tap.ts'
import type { DesiredTap } from './desiredTap.ts'
import { type DiskInput, refuseNew } from './diskBudget.ts'
import { type EndpointShare, shareEndpoints, withName } from './endpointBudget.ts'
import { shareRings } from './ringBudget.ts'

export type AdmissionInput = {
  readonly desiredTaps: readonly DesiredTap[]
  readonly taps: ReadonlyMap<string, ActualTap>
  readonly settings: Settings
  readonly disk: Omit<DiskInput, 'nowMs'>
}

export type Admission = {
  readonly specs: ReadonlyMap<string, TapSpec>
  readonly refused: ReadonlyMap<string, Refusal>
} // by tap id

export function admitTaps({ desiredTaps, taps, settings, disk }: AdmissionInput): Admission {
  const endpoints = shareEndpoints(desiredTaps, settings.captureEndpointsMax)
  const diskShare = shareDisk(endpoints.admitted, taps, disk)
  const rings = shareRings(diskShare.admitted, taps, settings.captureRingBytesMax)
  return {
    specs: rings.specs,
    refused: new Map([...endpoints.refused, ...diskShare.refused, ...rings.refused]),
  }
}

/** Open taps stay; the others are admitted in order while the disk has room for them. */
function shareDisk(
  desiredTaps: readonly DesiredTap[],
  taps: ReadonlyMap<string, ActualTap>,
  disk: AdmissionInput['disk'],
): EndpointShare {
  const newTaps = new Map<string, number>() // admitted so far, by capture key
  const refused = new Map<string, Refusal>()
  for (const desiredTap of desiredTaps.filter(({ spec }) => taps.get(spec.id)?.state !== 'open')) {
    const { id, captureKey } = desiredTap.spec
    const count = newTaps.get(captureKey) ?? 0
    const refusal = refuseNew(disk, newTaps.set(captureKey, count + 1))
    if (!refusal) continue
    newTaps.set(captureKey, count)
    refused.set(id, withName(desiredTap, refusal))
  }
  return { admitted: desiredTaps.filter(({ spec }) => !refused.has(spec.id)), refused }
}
