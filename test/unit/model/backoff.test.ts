import test from 'ava'
import { doubledMs } from '../../../src/model/backoff.ts'

test('doubledMs() doubles with each failure and stays at the most', t => {
  const waits = [1, 2, 3, 4, 5, 1_000, 5_000].map(failures =>
    doubledMs(failures, { first: 1_000, most: 10_000 }),
  )
  t.deepEqual(waits, [1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 10_000])
})
