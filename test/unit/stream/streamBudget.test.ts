// The memory that streams may take beside files, and when a tap that failed is tried again.
import test from 'ava'
import { StreamError, TapError } from '../../../src/model/errors.ts'
import { defaultSettings } from '../../../src/model/settings.ts'
import type { TurnListener } from '../../../src/model/turnListener.ts'
import { Retries } from '../../../src/stream/retries.ts'
import { StreamBudget } from '../../../src/stream/streamBudget.ts'

const mebibyte = 1024 * 1024

/** A budget of 8 MiB, and turns that a test takes. */
function budgetBeside(fileBytes: number) {
  const listeners = new Set<TurnListener>()
  const turns = {
    ringBytes: fileBytes,
    specsOf: () => undefined,
    watchTurns(listener: TurnListener) {
      listeners.add(listener)
      return { [Symbol.dispose]: () => void listeners.delete(listener) }
    },
  }
  const budget = new StreamBudget({
    turns,
    settings: () => ({ ...defaultSettings, captureRingBytesMax: 8 * mebibyte }),
    streamsMax: 1,
  })
  const opening = (ringBytes: number) =>
    Promise.all([...listeners].map(each => each.opening?.(ringBytes)))
  return { budget, opening, listeners }
}

test('leaseRing() gives 2 MiB at most, less where less is left, and refuses below the least', t => {
  const { budget } = budgetBeside(4.5 * mebibyte)
  const sizes = [1, 2, 3].map(() => budget.leaseRing(async () => {}).bytes / mebibyte)
  t.deepEqual(sizes, [2, 1, 0.5])
  const error = t.throws(() => budget.leaseRing(async () => {}), {
    instanceOf: TapError,
    message: /4718592 .* 3670016 .* 8388608/,
  })
  t.is(error?.code, 'RING_BUDGET')
})

test('StreamBudget takes the newest loans back before files need them, no more than it must, and waits for it', async t => {
  const { budget, opening } = budgetBeside(0)
  const done: string[] = []
  for (const name of ['first', 'second', 'third'])
    budget.leaseRing(async () => {
      await null
      done.push(name)
    })
  await opening(2 * mebibyte)
  t.deepEqual(done, [])
  await opening(3 * mebibyte)
  t.deepEqual(done, ['third'])
  t.is(budget.leaseRing(async () => {}).bytes, mebibyte)
  t.throws(() => budget.leaseRing(async () => {}), { instanceOf: TapError })
  await opening(8 * mebibyte)
  t.deepEqual(done.toSorted(), ['first', 'second', 'third'])
  t.is(budget.ringBytes, 0)
})

test('reserveStream() lets streamsMax in, and again when one has left', t => {
  const { budget, listeners } = budgetBeside(0)
  const place = budget.reserveStream()
  t.throws(() => budget.reserveStream(), {
    instanceOf: StreamError,
    message: /1 are open on this node, expected at most 1/,
  })
  place[Symbol.dispose]()
  place[Symbol.dispose]()
  t.is(budget.streams, 0)
  t.notThrows(() => budget.reserveStream())
  budget[Symbol.dispose]()
  t.is(listeners.size, 0)
})

test('Retries waits longer each time, up to 30 s, and says whether a reason is new', t => {
  const retries = new Retries()
  t.true(retries.failed('a', 'gone', 1_000))
  t.false(retries.isDue('a', 1_999))
  t.true(retries.isDue('a', 2_000))
  t.false(retries.failed('a', 'gone', 2_000))
  t.false(retries.isDue('a', 3_999))
  t.true(retries.failed('a', 'no memory', 4_000))
  for (let each = 0; each < 10; each++) retries.failed('a', 'no memory', 100_000)
  t.false(retries.isDue('a', 129_999))
  t.true(retries.isDue('a', 130_000))
  t.true(retries.isDue('a', 0)) // the clock was set back
  t.true(retries.retryNow())
  t.true(retries.hasDue(100_000))
  retries.retain(new Map())
  t.false(retries.hasDue(1e9))
  t.false(retries.retryNow())
})
