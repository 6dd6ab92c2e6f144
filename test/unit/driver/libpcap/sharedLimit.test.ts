// Limits that several taps share are exact, and each tap is called once when one is reached.
import test from 'ava'
import { SharedLimit } from '../../../../src/driver/libpcap/sharedLimit.ts'

function limitOf(left: { packets?: number; bytes?: number }): {
  limit: SharedLimit
  reached: string[]
} {
  const limit = new SharedLimit()
  const reached: string[] = []
  for (const tap of ['a', 'b']) limit.join(kind => reached.push(`${tap} ${kind}`))
  limit.setLeft(left)
  return { limit, reached }
}

test('the packet that reaches the limit is the last one, and both taps are called at once', t => {
  const { limit, reached } = limitOf({ packets: 2 })
  for (let packet = 0; packet < 2; packet++) {
    t.true(limit.allows(60))
    limit.take(1, 60)
    limit.commit()
  }
  t.deepEqual(reached, ['a packets', 'b packets'])
  t.false(limit.allows(1))
  limit.commit()
  t.is(reached.length, 2)
})

test('a record that does not fit into the bytes ends them for smaller ones too', t => {
  const { limit, reached } = limitOf({ bytes: 100 })
  t.false(limit.allows(101))
  limit.reach(101)
  t.deepEqual(reached, ['a bytes', 'b bytes'])
  t.false(limit.allows(10))
})

test('giveBack() returns what could not be written, and setLeft() begins anew', t => {
  const { limit, reached } = limitOf({ packets: 1, bytes: 100 })
  limit.take(1, 100)
  t.false(limit.allows(1))
  limit.giveBack(1, 100)
  t.true(limit.allows(100))
  limit.reach(200)
  limit.setLeft({})
  t.true(limit.allows(1_000_000))
  t.is(reached.length, 2)
})

test('a tap that has left is not called', t => {
  const limit = new SharedLimit()
  const reached: string[] = []
  limit.join(kind => reached.push(kind))[Symbol.dispose]()
  limit.setLeft({ packets: 0 })
  limit.reach(1)
  t.deepEqual(reached, [])
})
