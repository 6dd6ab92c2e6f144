// When a capture needs taps: in its window, and leadMs before it.
import test from 'ava'
import { leadMs } from '../../../../src/core/schedule/phase.ts'
import { tapDemandAt } from '../../../../src/core/schedule/tapDemand.ts'
import type { Phase } from '../../../../src/model/decision.ts'

const never = Number.POSITIVE_INFINITY
const window = { startMs: 60_000, endMs: 90_000 }
const taps = { fromMs: 60_000, untilMs: 90_000 }
const halt = { generation: 1, reason: 'DiskFloor', message: '', atMs: 1 } as const

const rows: readonly (readonly [
  what: string,
  phase: Phase,
  nowMs: number,
  window: typeof taps | undefined,
  wakeAtMs: number,
])[] = [
  ['its window is open', { kind: 'Open', closesAtMs: 90_000 }, 70_000, taps, never],
  [
    'its window is about to open',
    { kind: 'Scheduled', opensAtMs: 60_000, isPreparing: true },
    58_000,
    taps,
    never,
  ],
  [
    'its window is far',
    { kind: 'Scheduled', opensAtMs: 60_000, isPreparing: false },
    10_000,
    undefined,
    60_000 - leadMs,
  ],
  [
    'it is finished',
    { kind: 'Finished', cause: 'window', atMs: 90_000, message: '' },
    95_000,
    undefined,
    never,
  ],
  ['it has no pass', { kind: 'Held', message: '' }, 70_000, undefined, never],
  ['it is halted', { kind: 'Halted', halt }, 70_000, undefined, never],
  ['it is rejected', { kind: 'Rejected', message: '' }, 70_000, undefined, never],
]
for (const [what, phase, nowMs, expected, wakeAtMs] of rows) {
  test(`tapDemandAt() ${expected ? 'needs taps' : 'needs none'}, and ${wakeAtMs === never ? 'no turn' : 'a turn before'}, when ${what}`, t => {
    t.deepEqual(tapDemandAt(window, phase, nowMs), { window: expected, wakeAtMs })
  })
}
