// When an endpoint that could not be tapped for a stream is tried again.
import test from 'ava'
import { Retries } from '../../../src/stream/retries.ts'

test('failed() is true for a new failure and a new reason, not for the same one again', t => {
  const retries = new Retries()
  t.deepEqual([retries.failed('a', 'no memory', 0), retries.failed('a', 'no memory', 0), retries.failed('a', 'down', 0)], [true, false, true]) // biome-ignore format: one line
})

test('a failure is due after a second, then twice as late each time, and at once when the clock was set back far', t => {
  const retries = new Retries()
  t.true(retries.isDue('a', 0))
  retries.failed('a', 'down', 100_000)
  t.deepEqual([100_999, 101_000, 1].map(atMs => retries.isDue('a', atMs)), [false, true, true]) // biome-ignore format: one line
  retries.failed('a', 'down', 100_000)
  t.deepEqual([101_999, 102_000].map(atMs => retries.isDue('a', atMs)), [false, true]) // biome-ignore format: one line
})

test('retryNow() makes all failures due; succeeded() and retain() forget them', t => {
  const retries = new Retries()
  t.false(retries.retryNow())
  for (const id of ['a', 'b', 'c']) retries.failed(id, 'down', 100_000)
  t.false(retries.hasDue(100_000))
  t.true(retries.retryNow())
  t.true(retries.hasDue(100_000))
  retries.succeeded('a')
  retries.retain(new Map([['b', 0]]))
  retries.succeeded('b')
  t.false(retries.hasDue(200_000))
})
