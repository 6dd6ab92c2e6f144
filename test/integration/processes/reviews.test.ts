// The API server's word, kept for a while: what is asked, how often, and what is made of the
// answers. The server's side is ours here, an answer a row; tokens that a real server judges are in
// test/integration/kube/agentapi/access.test.ts.
import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import test from 'ava'
import { BusyError, Reviews } from '../../../src/auth/reviews.ts'
import type { Kube } from '../../../src/kube/request.ts'

type Asked = { readonly path: string; readonly spec: Record<string, unknown> }

/** Answers each question with what `say` makes of it. */
function server(say: (asked: Asked) => object | number | Promise<object>) {
  const asked: Asked[] = []
  const clock = { nowMs: 1_000_000, now: () => clock.nowMs, sleepUntil: async () => {} }
  const kube: Kube = async ({ path, body = '{}' }) => {
    const question = { path, spec: JSON.parse(body).spec }
    asked.push(question)
    const answer = await say(question)
    const [statusCode, text] =
      typeof answer === 'number'
        ? [answer, '{"message":"no"}']
        : [201, JSON.stringify({ status: answer })]
    return Object.assign(Readable.from([Buffer.from(text)]), {
      statusCode,
    }) as unknown as IncomingMessage
  }
  return { reviews: new Reviews({ kube, clock, keptMs: 5_000 }), asked, clock }
}

const alice = { username: 'alice', groups: ['people'] }
const right = {
  verb: 'get',
  group: 'g',
  resource: 'r',
  subresource: 'files',
  namespace: 'n',
  name: 'c',
}

for (const [what, status, audiences, expected] of [
  ['is known', { authenticated: true, user: alice }, [], alice],
  ['is not known', { authenticated: false, error: 'expired' }, [], undefined],
  ['has no name', { authenticated: true, user: {} }, [], undefined],
  ['was made for us', { authenticated: true, user: alice, audiences: ['us'] }, ['us'], alice],
  [
    'was made for others',
    { authenticated: true, user: alice, audiences: ['them'] },
    ['us'],
    undefined,
  ],
  [
    'was judged without a look at audiences',
    { authenticated: true, user: alice },
    ['us'],
    undefined,
  ],
  ['got an empty answer', {}, [], undefined],
] as const) {
  test(`userOf() ${expected ? 'is the user' : 'is nobody'} when the token ${what}`, async t => {
    const { reviews, asked } = server(() => status)
    t.deepEqual(await reviews.userOf('token', audiences), expected)
    t.deepEqual(asked[0]?.spec, {
      token: 'token',
      ...(audiences.length > 0 && { audiences: [...audiences] }),
    })
  })
}

test('userOf() asks once for what is asked at once or soon after, and again when the answer is old', async t => {
  const { reviews, asked, clock } = server(() => ({
    authenticated: true,
    user: alice,
    audiences: ['us'],
  }))
  await Promise.all([reviews.userOf('token'), reviews.userOf('token')])
  clock.nowMs += 4_999
  await reviews.userOf('token')
  t.is(asked.length, 1)
  await reviews.userOf('token', ['us'])
  await reviews.userOf('another')
  t.is(asked.length, 3)
  clock.nowMs += 1
  await reviews.userOf('token')
  t.is(asked.length, 4)
  clock.nowMs -= 3_600_000 // set back: no answer lasts for an hour
  await reviews.userOf('token')
  t.is(asked.length, 5)
})

test('may() is what the server says of that user and that right, and of no other', async t => {
  const { reviews, asked } = server(({ spec }) => ({
    allowed: (spec.resourceAttributes as typeof right).verb === 'get',
  }))
  t.true(await reviews.may(alice, right))
  t.false(await reviews.may(alice, { ...right, verb: 'delete' }))
  t.true(await reviews.may({ username: 'bob' }, right))
  t.is(asked.length, 3)
  t.deepEqual(asked[0]?.spec, {
    user: 'alice',
    uid: '',
    groups: ['people'],
    extra: {},
    resourceAttributes: right,
  })
})

test('nobody is let in while the server refuses or is away, and it is asked anew', async t => {
  let answer: object | number = 500
  const { reviews } = server(() => answer)
  await t.throwsAsync(reviews.userOf('token'), {
    message: /TokenReview: the API server answered 500, no/,
  })
  await t.throwsAsync(reviews.may(alice, right), { message: /SubjectAccessReview/ })
  answer = { authenticated: true, user: alice, allowed: true }
  t.deepEqual(await reviews.userOf('token'), alice)
  t.true(await reviews.may(alice, right))
})

test('no more than 64 questions are open at once: the next one is refused, and asked when there is room', async t => {
  const { promise: held, resolve: letGo } = Promise.withResolvers<object>()
  const { reviews, asked } = server(() => held)
  const open = Array.from({ length: 64 }, (_, index) => reviews.userOf(`token-${index}`))
  await t.throwsAsync(reviews.userOf('one-more'), { instanceOf: BusyError })
  letGo({ authenticated: true, user: alice })
  t.true((await Promise.all(open)).every(user => user?.username === 'alice'))
  t.is(asked.length, 64)
  t.deepEqual(await reviews.userOf('one-more'), alice)
})
