// How many taps a limit of file descriptors has room for.
import test from 'ava'
import { readDescriptors, tapsWithin } from '../../../src/tap/descriptors.ts'

test('tapsWithin() keeps descriptors for what is no tap, and is never negative', t => {
  t.is(tapsWithin({ limit: 1_024, used: 200 }), 200)
  t.is(tapsWithin({ limit: 90, used: 60 }), 1)
  t.is(tapsWithin({ limit: 90, used: 90 }), 0)
  t.is(tapsWithin({ limit: Number.POSITIVE_INFINITY, used: 0 }), Number.POSITIVE_INFINITY)
})

test('readDescriptors() reads this process', async t => {
  const { limit, used } = await readDescriptors()
  t.true(used > 3 && used < limit)
})
