// Sleeping while the wall clock is set. The clock's sources are the test's; time passes as waits
// are asked for.
import test from 'ava'
import { clockOf, systemClock } from '../../../src/runtime/clock.ts'

/**
 * A world whose steady time moves with each wait, and whose wall clock the test may set at a wait.
 */
function world(setWall: (waits: number, wallMs: number) => number) {
  let [steadyMs, wallMs, waits] = [0, 1_000_000, 0]
  const clock = clockOf({
    wallMs: () => wallMs,
    steadyMs: () => steadyMs,
    wait: async ms => {
      steadyMs += ms
      wallMs = setWall(++waits, wallMs + ms)
    },
  })
  return { clock, waits: () => waits }
}

const never = new AbortController().signal

test('sleepUntil() ends at its time when nobody sets the clock, in waits that a timer can hold', async t => {
  const { clock, waits } = world((_, wallMs) => wallMs)
  await clock.sleepUntil(1_090_500, never)
  t.is(clock.now(), 1_090_500)
  t.is(waits(), 91)
})

test('sleepUntil() ends within a second of the clock being set past its time', async t => {
  const { clock, waits } = world((count, wallMs) => (count === 3 ? wallMs + 1e9 : wallMs))
  await clock.sleepUntil(1_000_000 + 1e8, never)
  t.is(waits(), 3)
})

test('sleepUntil() ends within a second of the clock being set back, so that its caller looks again', async t => {
  const { clock, waits } = world((count, wallMs) => (count === 3 ? wallMs - 5_000 : wallMs))
  await clock.sleepUntil(1_000_000 + 1e8, never)
  t.is(waits(), 3)
})

test('sleepUntil() is not ended by a clock that is only kept right', async t => {
  const { clock, waits } = world((count, wallMs) => (count <= 59 ? wallMs - 20 : wallMs))
  await clock.sleepUntil(1_060_000, never)
  t.true(clock.now() >= 1_060_000)
  t.true(waits() > 60)
})

test('sleepUntil() for ever ends with its signal', async t => {
  const stop = new AbortController()
  const sleep = systemClock.sleepUntil(Number.POSITIVE_INFINITY, stop.signal)
  stop.abort()
  await t.notThrowsAsync(sleep)
})
