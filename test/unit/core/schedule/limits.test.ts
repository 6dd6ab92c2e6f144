// When a limit is reached, and by which of them.
import test from 'ava'
import { limitAt } from '../../../../src/core/schedule/limits.ts'
import type { ActualCapture, ActualEndpoint } from '../../../../src/model/actualState.ts'
import type { Intent } from '../../../../src/model/capture.ts'

const none = { packets: 0, bytes: 0, received: 0, dropped: 0, refused: 0, truncated: 0, gaps: [] }

function row(name: string, change: Partial<ActualEndpoint>): [string, ActualEndpoint] {
  return [
    name,
    { name, uid: name, interfaceName: `cali${name}`, vantage: 'HostVeth', ...none, ...change },
  ]
}

function facts(change: Partial<ActualCapture>, ...rows: [string, ActualEndpoint][]): ActualCapture {
  return {
    key: 'default/web',
    uid: 'uid-web',
    firstOpenedAtMs: 1_000,
    fileNames: [],
    fileBytes: 0,
    endpoints: new Map(rows),
    ...change,
  }
}

const never = Number.POSITIVE_INFINITY
const twoRows = facts(
  {},
  row('a', { packets: 600, bytes: 6_000, endedAtMs: 1_500 }),
  row('b', { packets: 400, bytes: 4_000, endedAtMs: 1_700 }),
)

const cases: readonly (readonly [
  name: string,
  limits: Intent['limits'],
  facts: ActualCapture | undefined,
  nowMs: number,
  expected: object,
])[] = [
  ['there are none', {}, twoRows, 9_999, { kind: 'within', untilMs: never }],
  [
    'nothing was opened yet',
    { durationMs: 50 },
    undefined,
    9_000,
    { kind: 'within', untilMs: 9_050 },
  ],
  ['time is not up', { durationMs: 50 }, twoRows, 1_049, { kind: 'within', untilMs: 1_050 }],
  [
    'time is up',
    { durationMs: 50 },
    twoRows,
    1_050,
    { kind: 'reached', atMs: 1_050, message: 'Finished: duration limit 0.05 s reached' },
  ],
  [
    'the clock was set back before the first open',
    { durationMs: 50 },
    twoRows,
    10,
    { kind: 'within', untilMs: 1_050 },
  ],
  [
    'packets are fewer, over all endpoints',
    { packets: 1_001 },
    twoRows,
    1_800,
    { kind: 'within', untilMs: never },
  ],
  [
    'packets are as many, over all endpoints',
    { packets: 1_000 },
    twoRows,
    1_800,
    { kind: 'reached', atMs: 1_700, message: 'Finished: packets limit 1000 reached' },
  ],
  [
    'bytes are as many',
    { bytes: 10_000 },
    twoRows,
    1_800,
    { kind: 'reached', atMs: 1_700, message: 'Finished: bytes limit 10000 reached' },
  ],
  [
    'the limit was hit below its number',
    { bytes: 12_000 },
    { ...twoRows, limitHit: { kind: 'bytes', limit: 12_000, atMs: 1_600 } },
    1_800,
    { kind: 'reached', atMs: 1_600, message: 'Finished: bytes limit 12000 reached' },
  ],
  [
    'a lower limit was hit',
    { bytes: 12_001 },
    { ...twoRows, limitHit: { kind: 'bytes', limit: 12_000, atMs: 1_600 } },
    1_800,
    { kind: 'within', untilMs: never },
  ],
  [
    'the limit that was hit is gone',
    {},
    { ...twoRows, limitHit: { kind: 'packets', limit: 10, atMs: 1_600 } },
    1_800,
    { kind: 'within', untilMs: never },
  ],
  [
    'another limit was hit',
    { packets: 2_000 },
    { ...twoRows, limitHit: { kind: 'bytes', limit: 9_999, atMs: 1_600 } },
    1_800,
    { kind: 'within', untilMs: never },
  ],
  [
    'two were reached: the first counts',
    { packets: 1_000, durationMs: 50 },
    twoRows,
    1_800,
    { kind: 'reached', atMs: 1_050, message: 'Finished: duration limit 0.05 s reached' },
  ],
]

for (const [name, limits, known, nowMs, expected] of cases) {
  test(`limitAt() answers when ${name}`, t =>
    t.deepEqual(limitAt(limits, known, nowMs), expected as never))
}
