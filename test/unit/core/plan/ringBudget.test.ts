// Ring sizes: a fair power of two, stable while taps come and go, always within the budget.
import test from 'ava'
import fc from 'fast-check'
import { type DesiredTap, desiredTapFor } from '../../../../src/core/plan/desiredTap.ts'
import { fairRingBytes, ringBytesFloor, shareRings } from '../../../../src/core/plan/ringBudget.ts'
import type { ActualTap } from '../../../../src/model/tap.ts'
import { runs } from '../../../support/runs.ts'
import { capture, endpoint } from '../../../support/worlds/documents.ts'
import { readEndpoint, readIntent } from '../../../support/worlds/reader.ts'

const mib = 1_048_576
const budget = 128 * mib

const wishes: readonly DesiredTap[] = Array.from({ length: 400 }, (_, index) => {
  return desiredTapFor(
    readIntent(capture('web')),
    readEndpoint(endpoint(`p${String(index).padStart(3, '0')}`)),
    {
      window: {},
      isEarly: false,
    },
  )
})

const fair = test.macro({
  exec: (t, count: number, bytesMax: number, expected: number) =>
    t.is(fairRingBytes(count, bytesMax), expected),
  title: (_, count, bytesMax, expected) =>
    `fairRingBytes() is ${expected} when ${count} taps share ${bytesMax}`,
})
for (const [count, expected] of [
  [0, 4 * mib],
  [1, 4 * mib],
  [32, 4 * mib],
  [33, 2 * mib],
  [64, 2 * mib],
  [65, mib],
  [128, mib],
  [129, mib / 2],
  [256, mib / 2],
  [900, mib / 2],
] as const)
  test(fair, count, budget, expected)
for (const [bytesMax, expected] of [
  [1, mib / 2],
  [mib, mib],
  [3 * mib, 2 * mib],
] as const)
  test(fair, 1, bytesMax, expected)

/**
 * The taps after each number of wishes, one after another; how many open taps were re-opened at
 * each step.
 */
function through(
  counts: readonly number[],
  bytesMax = budget,
): { taps: Map<string, ActualTap>; reopened: number[] } {
  return counts.reduce<{ taps: Map<string, ActualTap>; reopened: number[] }>(
    ({ taps, reopened }, count) => {
      const { specs } = shareRings(wishes.slice(0, count), taps, bytesMax)
      const again = [...specs.values()].filter(
        ({ id, ringBytes }) => taps.has(id) && taps.get(id)?.spec.ringBytes !== ringBytes,
      )
      return {
        taps: new Map([...specs].map(([id, spec]) => [id, { spec, state: 'open' }])),
        reopened: [...reopened, again.length],
      }
    },
    { taps: new Map(), reopened: [] },
  )
}

const sizesOf = (taps: ReadonlyMap<string, ActualTap>) =>
  [...taps.values()].map(({ spec }) => spec.ringBytes)
const sum = (sizes: readonly number[]) => sizes.reduce((total, bytes) => total + bytes, 0)

test('shareRings() re-opens one tap when one more does not fit, and none when the number hovers at the border', t => {
  t.deepEqual(through([32, 33, 32, 33, 32, 33]).reopened, [0, 1, 0, 0, 0, 0])
})

test('shareRings() leaves open taps alone while a new one fits', t => {
  t.deepEqual(through([1, 2, 10, 32, 5, 20]).reopened, [0, 0, 0, 0, 0, 0])
})

test('shareRings() refuses what does not fit at the floor, the newest first, with the numbers', t => {
  const { specs, refused } = shareRings(wishes.slice(0, 5), new Map(), 3 * ringBytesFloor)
  t.deepEqual([...specs.keys()], ['default/web/p000', 'default/web/p001', 'default/web/p002'])
  t.deepEqual(
    [...refused],
    [
      [
        'default/web/p003',
        {
          reason: 'RingBudget',
          message:
            'Cannot open a tap on "p003": 5 taps are wanted on this node and captureRingBytesMax 1572864 holds 3 rings of at least 524288 bytes: the newest captures go without',
        },
      ],
      [
        'default/web/p004',
        {
          reason: 'RingBudget',
          message:
            'Cannot open a tap on "p004": 5 taps are wanted on this node and captureRingBytesMax 1572864 holds 3 rings of at least 524288 bytes: the newest captures go without',
        },
      ],
    ],
  )
})

test('shareRings() gives nothing when the budget is below one ring', t =>
  t.is(shareRings(wishes.slice(0, 1), new Map(), ringBytesFloor - 1).specs.size, 0))

test('shareRings() keeps to the budget, opens all that fit, and is stable, whatever came before', t => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(400), { minLength: 1, maxLength: 8 }),
      fc.integer({ min: 0, max: 200 }),
      (counts, megabytes) => {
        const bytesMax = megabytes * mib
        const { taps } = through(counts, bytesMax)
        const last = counts.at(-1) ?? 0
        t.is(taps.size, Math.min(last, Math.floor(bytesMax / ringBytesFloor)))
        t.true(sum(sizesOf(taps)) <= bytesMax)
        t.true(
          sizesOf(taps).every(
            bytes => bytes >= ringBytesFloor && Number.isInteger(Math.log2(bytes)),
          ),
        )
        t.deepEqual(
          sizesOf(
            new Map(
              [...shareRings(wishes.slice(0, last), taps, bytesMax).specs].map(([id, spec]) => [
                id,
                { spec, state: 'open' },
              ]),
            ),
          ),
          sizesOf(taps),
        )
      },
    ),
    { numRuns: runs(200) },
  )
})

test('shareRings() makes room when the budget shrinks', t => {
  const { taps } = through([32])
  const { specs } = shareRings(wishes.slice(0, 32), taps, 16 * mib)
  t.deepEqual(new Set([...specs.values()].map(({ ringBytes }) => ringBytes)), new Set([mib / 2]))
})
