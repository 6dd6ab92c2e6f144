// Shares the node's ring memory among the taps. In: wishes in order, the open taps, captureRingBytesMax. Out: a spec with a ring
// for each admitted wish, and why the others were refused.
// Which taps are admitted depends on the wishes alone; the size of a ring also on what is open, because re-opening a tap costs
// packets: an open tap keeps its ring until a new one would not fit, and none grows while it is open. So a number of taps that
// hovers at a border re-opens nothing.
import { sum } from '../../model/numbers.ts'
import type { ActualTap, TapSpec } from '../../model/tap.ts'
import type { DesiredTap } from './desiredTap.ts'
import { type EndpointShare, truncateTo } from './endpointBudget.ts'

export const ringBytesCeiling = 4 * 1024 * 1024
export const ringBytesFloor = 512 * 1024 // 4 blocks of 128 KiB: fewer or smaller ones lose or cut frames

export type RingShare = { readonly specs: ReadonlyMap<string, TapSpec>; readonly refused: EndpointShare['refused'] } // by tap id

export function shareRings(wishes: readonly DesiredTap[], taps: ReadonlyMap<string, ActualTap>, captureRingBytesMax: number): RingShare {
  const countMax = Math.max(0, Math.floor(captureRingBytesMax / ringBytesFloor))
  const { admitted, refused } = truncateTo(wishes, countMax, {
    reason: 'RingBudget',
    message: `${wishes.length} taps are wanted on this node and captureRingBytesMax ${captureRingBytesMax} holds ${countMax} rings of at least ${ringBytesFloor} bytes: the newest captures go without`,
  })
  const sizes = ringSizes(admitted, taps, captureRingBytesMax)
  return { specs: new Map(admitted.map(({ spec }, index) => [spec.id, { ...spec, ringBytes: sizes[index] ?? ringBytesFloor }])), refused }
}

/** The largest power of two within floor and ceiling of which `count` fit. */
export function fairRingBytes(count: number, captureRingBytesMax: number): number {
  const share = Math.min(ringBytesCeiling, captureRingBytesMax / Math.max(1, count))
  return Math.max(ringBytesFloor, 2 ** Math.floor(Math.log2(share)))
}

function ringSizes(admitted: readonly DesiredTap[], taps: ReadonlyMap<string, ActualTap>, captureRingBytesMax: number): number[] {
  const fair = fairRingBytes(admitted.length, captureRingBytesMax)
  const held = admitted.map(({ spec }) => openRingBytes(taps.get(spec.id)))
  const left = Math.max(0, captureRingBytesMax - sum(held.map(bytes => bytes ?? 0)))
  const spare = fairRingBytes(held.filter(bytes => bytes === undefined).length, left)
  // A tap that waits for its window takes what is left, rather than have another one re-opened, which may end before it begins.
  const sizes = admitted.map(({ isEarly }, index) => held[index] ?? (isEarly ? Math.min(fair, spare) : fair))
  // The largest first, of equals the newest; each to the fair size at once, so that none is re-opened twice.
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
