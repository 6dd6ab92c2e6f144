// What was written ahead of the watch, what others wrote, and what was refused.
import test from 'ava'
import { type KnownCapture, WriteCache } from '../../../src/controller/writeCache.ts'
import { noonMs, statusOf } from '../../support/model/observations.ts'

const [first, second, foreign] = [statusOf(1), statusOf(2), statusOf(3)]
const shown = (resourceVersion: string, status?: KnownCapture['status']): KnownCapture => ({
  metadata: { uid: 'u', resourceVersion },
  ...(status && { status }),
})

test('standing() is what the watch shows until something is written', t => {
  t.deepEqual(new WriteCache().observed(shown('1', first)), {
    status: first,
    version: '1',
    writtenAtMs: 0,
  })
})

test('standing() is what was written until the watch moves on, then what it shows', t => {
  const ledger = new WriteCache()
  ledger.recordWrite(shown('1'), { status: first, version: '5', writtenAtMs: noonMs })
  t.like(ledger.observed(shown('1')), { status: first, version: '5', writtenAtMs: noonMs })
  ledger.recordWrite(shown('1'), { status: second, version: '6', writtenAtMs: noonMs + 1 })
  t.like(ledger.observed(shown('1')), { status: second, version: '6', writtenAtMs: noonMs + 1 })
  t.deepEqual(ledger.observed(shown('6', second)), {
    status: second,
    version: '6',
    writtenAtMs: noonMs + 1,
  })
})

test('standing() takes over what somebody else wrote, and keeps the time of the last write for the pace', t => {
  const ledger = new WriteCache()
  ledger.recordWrite(shown('1'), { status: first, version: '5', writtenAtMs: noonMs })
  t.deepEqual(ledger.observed(shown('9', foreign)), {
    status: foreign,
    version: '9',
    writtenAtMs: noonMs,
  })
})

test('retryAtMs() doubles with each refusal up to a minute, and starts anew after a write', t => {
  const ledger = new WriteCache()
  const waits = Array.from({ length: 8 }, () => {
    ledger.recordConflict('u', noonMs)
    return ledger.retryAtMs('u', noonMs) - noonMs
  })
  t.deepEqual(waits, [2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000])
  t.true(ledger.retryAtMs('other', noonMs) < noonMs)
  ledger.recordWrite(shown('1'), { status: first, version: '5', writtenAtMs: noonMs })
  t.true(ledger.retryAtMs('u', noonMs) < noonMs)
})

test('retryAtMs() holds nothing up when the clock was set back', t => {
  const ledger = new WriteCache()
  ledger.recordConflict('u', noonMs)
  t.true(ledger.retryAtMs('u', noonMs - 3_600_000) < noonMs - 3_600_000)
})

test('retain() forgets captures that are gone, clear() all', t => {
  const ledger = new WriteCache()
  ledger.recordWrite(shown('1'), { status: first, version: '5', writtenAtMs: noonMs })
  ledger.recordConflict('u', noonMs)
  ledger.retain(new Set(['u']))
  t.is(ledger.observed(shown('1')).version, '5')
  ledger.retain(new Set(['other']))
  t.is(ledger.observed(shown('1')).version, '1')
  t.true(ledger.retryAtMs('u', noonMs) < noonMs)
})
