// When an artifact that failed is made again: after 1 s, doubling, five times more.
import test from 'ava'
import { retryAtMs } from '../../../../src/core/schedule/artifactRetry.ts'

test('retryAtMs() doubles from a second, five times, and is not for what is made or counts nothing', t => {
  const waits = [1, 2, 3, 4, 5, 6, 7].map(attempts =>
    retryAtMs({ atMs: 0, files: [], error: 'no', attempts }),
  )
  t.deepEqual(waits, [1_000, 2_000, 4_000, 8_000, 16_000, undefined, undefined])
  t.is(retryAtMs({ atMs: 0, files: [], attempts: 1 }), undefined)
  t.is(retryAtMs({ atMs: 0, files: [], error: 'no' }), undefined)
})
