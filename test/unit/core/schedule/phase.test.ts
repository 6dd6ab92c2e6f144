// Window, limits and artifact together: in which phase a capture is, and when that changes by
// itself.
import test from 'ava'
import { leadMs, phaseAt } from '../../../../src/core/schedule/phase.ts'
import type { ActualCapture } from '../../../../src/model/actualState.ts'
import type { Intent, Limits } from '../../../../src/model/capture.ts'

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
