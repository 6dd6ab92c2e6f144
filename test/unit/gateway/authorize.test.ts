// What a user gets who is not known, has no right, asks for too much, or names a capture that does
// not exist.
import test from 'ava'
import fastify, { type LightMyRequestResponse } from 'fastify'
import type { Reviews, Right } from '../../../src/auth/reviews.ts'
import { type AuthorizeDeps, withAuthorization } from '../../../src/gateway/authorize.ts'
import { RateLimiter } from '../../../src/gateway/rateLimiter.ts'
import type { CaptureParams } from '../../../src/gateway/types.ts'
import { systemClock } from '../../../src/runtime/clock.ts'

type Given = {
  readonly may?: boolean
  readonly captures?: readonly string[]
  readonly perMinute?: number
  readonly right?: Parameters<typeof withAuthorization>[3]
}
type Sent = {
  readonly path?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly times?: number
}

const paul = { authorization: 'Bearer paul-token' }
const filesOfWeb = '/v1/namespaces/shop/packetcaptures/web/files'

/**
 * The last answer, and what was asked, counted and logged. "served" is the body of a request that
 * passed.
 */
async function answer(
  given: Given = {},
  { path = filesOfWeb, headers = paul, times = 1 }: Sent = {},
) {
  const {
    may = true,
    captures = ['shop/web'],
    perMinute = 10,
    right = { verb: 'get', subresource: 'files' } as const,
  } = given
  const [refused, rights, lines]: [string[], Right[], object[]] = [[], [], []]
  const reviews = {
    userOf: async (token: string) => (token === 'paul-token' ? { username: 'paul' } : undefined),
    may: async (_: unknown, asked: Right) => {
      rights.push(asked)
      return may
    },
  } as unknown as Reviews
  const deps = {
    reviews,
    group: 'projectcalico.org',
    cluster: {
      capture: (namespace: string, name: string) =>
        captures.includes(`${namespace}/${name}`) ? { metadata: { name } } : undefined,
    },
    rateLimiter: new RateLimiter({ atOncePerUser: 2, atOnce: 4, perMinute }),
    metrics: { refused: (reason: string) => void refused.push(reason) },
    clock: systemClock,
    log: { info: (fields: object) => void lines.push(fields) },
  } as unknown as AuthorizeDeps
  const app = fastify()
  // A real request has this, an injected one has not.
  app.addHook('onRequest', async request => {
    const distinct = Object.entries(request.headers).map(([name, value]) => [name, [value].flat()])
    Object.assign(request.raw, { headersDistinct: Object.fromEntries(distinct) })
  })
  app.get<CaptureParams>('/v1/namespaces/:ns/:kind/:name/files', (request, reply) =>
    withAuthorization(deps, request, reply, right, async ({ user }) =>
      reply.send(`served ${user.username}`),
    ),
  )
  let last: LightMyRequestResponse | undefined
  for (let sent = 0; sent < times; sent++) last = await app.inject({ path, headers })
  await app.close()
  return {
    status: last?.statusCode,
    body: last?.body,
    headers: last?.headers,
    refused,
    rights,
    lines,
  }
}

test('withAuthorization() serves a user who has the right, and asks for exactly that right', async t => {
  const { status, body, rights } = await answer()
  t.deepEqual([status, body], [200, 'served paul'])
  const named = {
    group: 'projectcalico.org',
    resource: 'packetcaptures',
    namespace: 'shop',
    name: 'web',
  }
  t.deepEqual(rights, [{ verb: 'get', subresource: 'files', ...named }])
})

test('withAuthorization() takes the token of X-Selcap-Authorization when there is no other', async t => {
  t.is(
    (await answer({}, { headers: { 'x-selcap-authorization': 'Bearer paul-token' } })).status,
    200,
  )
})

for (const [what, headers] of [
  ['there is no token', {}],
  ['the token is of nobody', { authorization: 'Bearer other' }],
  ['the header is no bearer token', { authorization: 'Basic paul-token' }],
] as const) {
  test(`withAuthorization() answers 401 and says which headers it reads when ${what}`, async t => {
    const { status, body, headers: sent, refused, rights } = await answer({}, { headers })
    t.is(status, 401)
    t.regex(
      body ?? '',
      /expected a valid bearer token, as kubectl has it, in the header Authorization or X-Selcap-Authorization\n$/,
    )
    t.is(sent?.['www-authenticate'], 'Bearer realm="selcap"')
    t.deepEqual([refused, rights], [['Unauthorized'], []])
  })
}

for (const [what, right, path, text] of [
  [
    'may not read files',
    { verb: 'get', subresource: 'files' },
    filesOfWeb,
    'get packetcaptures/files in group "projectcalico.org" in the namespace "shop"',
  ],
  [
    'may not remove files',
    { verb: 'delete', subresource: 'files' },
    filesOfWeb,
    'delete packetcaptures/files in group "projectcalico.org" in the namespace "shop"',
  ],
  [
    'may not stream',
    { verb: 'get', subresource: 'stream' },
    filesOfWeb,
    'get packetcaptures/stream in group "projectcalico.org" in the namespace "shop"',
  ],
  [
    'may not read files of a cluster-wide capture',
    { verb: 'get', subresource: 'files' },
    '/v1/namespaces/-/packetcaptureconfigs.networking.packet.io/web/files',
    'get packetcaptureconfigs/files in group "networking.packet.io" in the cluster',
  ],
] as const) {
  test(`forbiddenMessage() names the user, the right and where when a user ${what}`, async t => {
    const { status, body, refused, lines } = await answer({ may: false, right }, { path })
    t.deepEqual([status, body], [403, `User "paul" may not ${text}\n`])
    t.deepEqual(refused, ['Forbidden'])
    t.like(lines, [{ user: 'paul', result: 403 }])
  })
}

test('withAuthorization() answers a user without the right alike, whether the capture exists or not', async t => {
  const [there, missing] = [
    await answer({ may: false }),
    await answer({ may: false, captures: [] }),
  ]
  t.deepEqual([there.status, there.body], [missing.status, missing.body])
})

test('withAuthorization() answers 404 when the user has the right and there is no such capture', async t => {
  const { status, body } = await answer({ captures: [] })
  t.deepEqual([status, body], [404, 'Cannot find a capture "web" in the namespace "shop"\n'])
})

test('withAuthorization() answers 404 before it asks for a right when the kind is unknown', async t => {
  const { status, rights } = await answer({}, { path: '/v1/namespaces/shop/pods/web/files' })
  t.deepEqual([status, rights], [404, []])
})

test('withAuthorization() answers 429 and when to come again when a user sent too many requests', async t => {
  const { status, body, headers, refused } = await answer({ perMinute: 1 }, { times: 2 })
  t.is(status, 429)
  t.is(body, `Too many requests of user "paul": try again in ${headers?.['retry-after']} s\n`)
  t.deepEqual(refused, ['TooOften'])
})

test('withAuthorization() gives a place back when the answer has ended', async t => {
  t.is((await answer({}, { times: 5 })).status, 200)
})
