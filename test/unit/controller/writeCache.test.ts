// What was written ahead of the watch, what others wrote, and what was refused.
import test from 'ava'
import { type KnownCapture, WriteCache } from '../../../src/controller/writeCache.ts'
import { noonMs, statusOf } from '../../support/model/observations.ts'

const [first, second, foreign] = [statusOf(1), statusOf(2), statusOf(3)]
const shown = (resourceVersion: string, status?: KnownCapture['status']): KnownCapture => ({
  metadata: { uid: 'u', resourceVersion },
  ...(status && { status }),
})

test('observed() is what the watch shows until something is written', t => {
  t.deepEqual(new WriteCache().observed(shown('1', first)), {
    status: first,
    version: '1',
    writtenAtMs: 0,
  })
})

test('observed() is what was written until the watch moves on, then what it shows', t => {
  const cache = new WriteCache()
  cache.recordWrite(shown('1'), { status: first, version: '5', writtenAtMs: noonMs })
  t.like(cache.observed(shown('1')), { status: first, version: '5', writtenAtMs: noonMs })
  cache.recordWrite(shown('1'), { status: second, version: '6', writtenAtMs: noonMs + 1 })
  t.like(cache.observed(shown('1')), { status: second, version: '6', writtenAtMs: noonMs + 1 })
  t.deepEqual(cache.observed(shown('6', second)), {
    status: second,
    version: '6',
    writtenAtMs: noonMs + 1,
  })
})

test('observed() takes over what somebody else wrote, and keeps the time of the last write for the pace', t => {
  const cache = new WriteCache()
  cache.recordWrite(shown('1'), { status: first, version: '5', writtenAtMs: noonMs })
  t.deepEqual(cache.observed(shown('9', foreign)), {
    status: foreign,
    version: '9',
    writtenAtMs: noonMs,
  })
})

test('retryAtMs() doubles with each refusal up to a minute, and starts anew after a write', t => {
  const cache = new WriteCache()
  const waits = Array.from({ length: 8 }, () => {
    cache.recordConflict('u', noonMs)
    return cache.retryAtMs('u', noonMs) - noonMs
  })
  t.deepEqual(waits, [2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000])
  t.true(cache.retryAtMs('other', noonMs) < noonMs)
  cache.recordWrite(shown('1'), { status: first, version: '5', writtenAtMs: noonMs })
  t.true(cache.retryAtMs('u', noonMs) < noonMs)
})

test('retryAtMs() holds nothing up when the clock was set back', t => {
  const cache = new WriteCache()
  cache.recordConflict('u', noonMs)
  t.true(cache.retryAtMs('u', noonMs - 3_600_000) < noonMs - 3_600_000)
})

test('retain() forgets captures that are gone, clear() all', t => {
  const cache = new WriteCache()
  cache.recordWrite(shown('1'), { status: first, version: '5', writtenAtMs: noonMs })
  cache.recordConflict('u', noonMs)
  cache.retain(new Set(['u']))
  t.is(cache.observed(shown('1')).version, '5')
  cache.retain(new Set(['other']))
  t.is(cache.observed(shown('1')).version, '1')
  t.true(cache.retryAtMs('u', noonMs) < noonMs)
})
