// When a tap that did not open is tried again, and when not.
import test from 'ava'
import { ExpectedError, TapError } from '../../../src/model/errors.ts'
import type { TapSpec } from '../../../src/model/tap.ts'
import { failureOf } from '../../../src/tap/failure.ts'

const error = new TapError('NO_MEMORY', 'no memory')
const waitOf = (tries: number, spec: Partial<TapSpec> = {}, thrown: Error = error) => failureOf({ spec: spec as TapSpec, error: thrown, tries, nowMs: 0 }).retryAtMs // biome-ignore format: one line

test('failureOf() waits a second, then twice as long each time, for ever and at most 30 seconds', t => {
  t.deepEqual([1, 2, 3, 5, 6, 7, 100].map(tries => waitOf(tries)), [1_000, 2_000, 4_000, 16_000, 30_000, 30_000, 30_000]) // biome-ignore format: one line
})

test('failureOf() gives up after so many tries where they are counted, and waits at most a minute', t => {
  const few = [1, 2, 3, 4, 5, 6, 7].map(tries => waitOf(tries, { triesMax: 6 }))
  t.deepEqual(few, [1_000, 2_000, 4_000, 8_000, 16_000, undefined, undefined])
  t.is(waitOf(9, { triesMax: 20 }), 60_000)
})

test('failureOf() does not try again what can only fail, and throws on what is a bug', t => {
  for (const code of ['BAD_FILTER', 'FILTER_TOO_LONG', 'NOT_SUPPORTED'] as const)
    t.is(waitOf(1, {}, new TapError(code, code)), undefined)
  t.throws(() => waitOf(1, {}, new TypeError('Cannot read properties of undefined')), {
    instanceOf: TypeError,
  })
  t.throws(() => waitOf(1, {}, new Error('Cannot go on: a library says so')))
  t.is(waitOf(1, {}, new ExpectedError('the file system is read-only')), 1_000)
})
