// Window, limits and artifact together: in which phase a capture is, and when that changes by
// itself.
import test from 'ava'
import { leadMs, phaseAt } from '../../../../src/core/schedule/phase.ts'
import type { ActualCapture } from '../../../../src/model/actualState.ts'
import type { Intent, Limits } from '../../../../src/model/capture.ts'
import { capture } from '../../../support/worlds/documents.ts'
import { readIntent } from '../../../support/worlds/reader.ts'

/** First opened at 1 s. */
function actualCapture(
  rows: readonly (readonly [name: string, packets: number, endedAtMs: number])[],
): ActualCapture {
  const counts = { bytes: 0, received: 0, dropped: 0, refused: 0, truncated: 0, gaps: [] }
  const endpoints = rows.map(([name, packets, endedAtMs]) => {
    const identity = { name, uid: name, interfaceName: `cali${name}`, vantage: 'HostVeth' } as const
    return [name, { ...identity, ...counts, packets, endedAtMs }] as const
  })
  const ref = { key: 'default/web', uid: 'uid-web' }
  const files = { fileNames: [], fileBytes: 0 }
  return { ...ref, ...files, firstOpenedAtMs: 1_000, endpoints: new Map(endpoints) }
}

const never = Number.POSITIVE_INFINITY
const window = { startMs: 60_000, endMs: 90_000 }

function phase(
  nowMs: number,
  limits: Limits = {},
  actual?: Partial<ActualCapture>,
  endMs = window.endMs,
): object {
  const intent = { window: { ...window, endMs }, limits } as Intent
  return phaseAt(intent, actual && ({ endpoints: new Map(), ...actual } as ActualCapture), nowMs)
}

const began = { firstOpenedAtMs: 60_000 }
const limitAt = (atMs: number) => ({ limitHit: { kind: 'packets', limit: 5, atMs } }) as const

test('phaseAt() is Scheduled before the window, and prepares leadMs before it', t => {
  const scheduled = (isPreparing: boolean) => ({
    phase: { kind: 'Scheduled', opensAtMs: 60_000, isPreparing },
    wakeAtMs: 60_000,
  })
  t.deepEqual(phase(60_000 - leadMs - 1), scheduled(false))
  t.deepEqual(phase(60_000 - leadMs), scheduled(true))
})

test('phaseAt() is Open in the window, until its end or that of the duration limit', t => {
  t.deepEqual(phase(60_000), { phase: { kind: 'Open', closesAtMs: 90_000 }, wakeAtMs: 90_000 })
  t.deepEqual(phase(61_000, { durationMs: 10_000 }, began), {
    phase: { kind: 'Open', closesAtMs: 70_000 },
    wakeAtMs: 70_000,
  })
  t.deepEqual(phase(61_000, { durationMs: 99_000 }, began), {
    phase: { kind: 'Open', closesAtMs: 90_000 },
    wakeAtMs: 90_000,
  })
})

test('phaseAt() is Finished for the window at its end, and for a limit when that was reached first', t => {
  const windowOver = {
    kind: 'Finished',
    cause: 'window',
    atMs: 90_000,
    message: 'Finished: the window ended at 1970-01-01T00:01:30.000Z',
  }
  const limitOver = (atMs: number) => ({
    kind: 'Finished',
    cause: 'limit',
    atMs,
    message: 'Finished: packets limit 5 reached',
  })
  t.deepEqual(phase(90_000), { phase: windowOver, wakeAtMs: never })
  t.deepEqual(phase(70_000, { packets: 5 }, limitAt(65_000)), {
    phase: limitOver(65_000),
    wakeAtMs: never,
  })
  t.deepEqual(phase(95_000, { packets: 5 }, limitAt(89_999)), {
    phase: limitOver(89_999),
    wakeAtMs: never,
  })
  t.deepEqual(phase(95_000, { packets: 5 }, limitAt(90_000)), {
    phase: windowOver,
    wakeAtMs: never,
  })
})

test('phaseAt() is Open again when a limit was raised, but for a capture whose artifact is made', t => {
  t.like(phase(70_000, { packets: 6 }, limitAt(65_000)), { phase: { kind: 'Open' } })
  const made = { ...limitAt(65_000), artifact: { atMs: 66_000, files: [] } }
  t.like(phase(70_000, { packets: 6 }, made), {
    phase: { kind: 'Finished', cause: 'limit', atMs: 66_000 },
    wakeAtMs: never,
  })
})

const read = (spec: Parameters<typeof capture>[1]): Intent =>
  readIntent(capture('web', spec, { createdAtMs: 0 }))
const twoEnded = actualCapture([
  ['a', 600, 1_500],
  ['b', 400, 1_700],
])

test('phaseAt() is Finished by whichever came first, window or limit', t => {
  const both = read({ endTime: '1970-01-01T00:00:02Z', limits: { packets: 1_000 } })
  t.like(phaseAt(both, twoEnded, 5_000), {
    phase: { kind: 'Finished', cause: 'limit', atMs: 1_700 },
    wakeAtMs: never,
  })
  const early = read({ endTime: '1970-01-01T00:00:01.600Z', limits: { packets: 1_000 } })
  t.like(phaseAt(early, twoEnded, 5_000), {
    phase: {
      kind: 'Finished',
      cause: 'window',
      atMs: 1_600,
      message: 'Finished: the window ended at 1970-01-01T00:00:01.600Z',
    },
  })
})

test('phaseAt() wakes at whichever comes first, window or limit', t => {
  const both = read({ endTime: '1970-01-01T00:01:00Z', limits: { durationSeconds: 30 } })
  t.deepEqual(phaseAt(both, twoEnded, 2_000), {
    phase: { kind: 'Open', closesAtMs: 31_000 },
    wakeAtMs: 31_000,
  })
  const later = read({ startTime: '2999-01-01T00:00:00Z' })
  t.is(phaseAt(later, undefined, 2_000).wakeAtMs, Date.UTC(2999, 0))
})
