// Divides the node's ring memory among the taps. Pure. In: desired taps in order, the actual taps,
// captureRingBytesMax. Out: a spec with a ring for each admitted tap, and a refusal for each of the
// others. Admission depends on the desired taps alone. The size of a ring also depends on the open
// taps, because reopening a tap loses packets: an open tap keeps its ring until a new one would not
// fit, and no ring grows while its tap is open. A number of taps that changes around a limit
// therefore reopens nothing.
import { sum } from '../../model/numbers.ts'
import type { ActualTap, TapSpec } from '../../model/tap.ts'
import type { DesiredTap } from './desiredTap.ts'
import { type EndpointShare, truncateTo } from './endpointBudget.ts'

export const ringBytesCeiling = 4 * 1024 * 1024
export const ringBytesFloor = 512 * 1024 // 4 blocks of 128 KiB: fewer blocks lose frames, smaller blocks cut them

export type RingShare = {
  readonly specs: ReadonlyMap<string, TapSpec>
  readonly refused: EndpointShare['refused']
} // by tap id

export function shareRings(
  desiredTaps: readonly DesiredTap[],
  taps: ReadonlyMap<string, ActualTap>,
  captureRingBytesMax: number,
): RingShare {
  const countMax = Math.max(0, Math.floor(captureRingBytesMax / ringBytesFloor))
  const { admitted, refused } = truncateTo(desiredTaps, countMax, {
    reason: 'RingBudget',
    message: `${desiredTaps.length} taps are wanted on this node and captureRingBytesMax ${captureRingBytesMax} holds ${countMax} rings of at least ${ringBytesFloor} bytes: the newest captures go without`,
  })
  const sizes = ringSizes(admitted, taps, captureRingBytesMax)
  return {
    specs: new Map(
      admitted.map(({ spec }, index) => [
        spec.id,
        { ...spec, ringBytes: sizes[index] ?? ringBytesFloor },
      ]),
    ),
    refused,
  }
}

/** The largest power of two within floor and ceiling of which `count` fit. */
export function fairRingBytes(count: number, captureRingBytesMax: number): number {
  const share = Math.min(ringBytesCeiling, captureRingBytesMax / Math.max(1, count))
  return Math.max(ringBytesFloor, 2 ** Math.floor(Math.log2(share)))
}

function ringSizes(
  admitted: readonly DesiredTap[],
  taps: ReadonlyMap<string, ActualTap>,
  captureRingBytesMax: number,
): number[] {
  const fair = fairRingBytes(admitted.length, captureRingBytesMax)
  const held = admitted.map(({ spec }) => openRingBytes(taps.get(spec.id)))
  const left = Math.max(0, captureRingBytesMax - sum(held.map(bytes => bytes ?? 0)))
  const spare = fairRingBytes(held.filter(bytes => bytes === undefined).length, left)
  // A tap that waits for its window takes what is left: reopening another tap for it would lose
  // packets.
  const sizes = admitted.map(
    ({ isEarly }, index) => held[index] ?? (isEarly ? Math.min(fair, spare) : fair),
  )
  // The largest ring first, of equals the newest; each is cut to the fair size at once, so that no
  // tap is reopened twice.
  const largestFirst = sizes
    .keys()
    .toArray()
    .filter(index => (sizes[index] ?? 0) > fair)
    .toSorted((a, b) => (sizes[b] ?? 0) - (sizes[a] ?? 0) || b - a)
  for (const index of largestFirst) {
    if (sum(sizes) <= captureRingBytesMax) break
    sizes[index] = fair
  }
  return sizes
}

function openRingBytes(tap: ActualTap | undefined): number | undefined {
  return tap?.state === 'open' ? tap.spec.ringBytes : undefined
}
