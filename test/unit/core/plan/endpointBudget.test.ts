// Who goes without a tap beyond captureEndpointsMax. test/worlds/budgets.test.ts has whole turns.
import test from 'ava'
import { shareEndpoints, truncateTo, withName } from '../../../../src/core/plan/endpointBudget.ts'
import { desiredTap } from '../../../support/model/taps.ts'

const taps = ['p', 'q', 'r'].map(pod => desiredTap('web', pod))

for (const [endpointsMax, admitted] of [
  [0, 0],
  [2, 2],
  [3, 3],
  [9, 3],
] as const)
  test(`shareEndpoints() admits the first ${admitted} of three when the most is ${endpointsMax}`, t => {
    const share = shareEndpoints(taps, endpointsMax)
    t.deepEqual(share.admitted, taps.slice(0, admitted))
    t.deepEqual(
      [...share.refused.keys()],
      taps.slice(admitted).map(({ spec }) => spec.id),
    )
  })

test('shareEndpoints() says how many were wanted, and how many may be', t => {
  t.deepEqual(
    [...shareEndpoints(taps, 2).refused.values()],
    [
      {
        reason: 'EndpointsMax',
        message:
          'Cannot open a tap on "r": 3 taps are wanted on this node and captureEndpointsMax is 2: the newest captures go without',
      },
    ],
  )
})

test('truncateTo() names the endpoint in each refusal, as withName() does', t => {
  const refusal = { reason: 'RingBudget', message: 'no room' } as const
  const { refused } = truncateTo(taps, 1, refusal)
  for (const tap of taps.slice(1)) t.deepEqual(refused.get(tap.spec.id), withName(tap, refusal))
  t.is(refused.size, 2)
})
