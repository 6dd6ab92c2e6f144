// Who may ask a node's agent, and what others are told.
import test from 'ava'
import fastify from 'fastify'
import { agentRoutes } from '../../../../src/agentapi/paths.ts'
import { admitRequests } from '../../../../src/agentapi/server/admitRequests.ts'
import type { Reviews } from '../../../../src/auth/reviews.ts'
import type { Logger } from '../../../../src/runtime/log.ts'

const gateway = 'system:serviceaccount:selcap:selcap-gateway'
const users: Readonly<Record<string, string>> = { 'gateway-token': gateway, 'paul-token': 'paul' }

function agent(atOnce = 2) {
  const [audiences, lines]: [unknown[], object[]] = [[], []]
  const reviews = {
    userOf: async (token: string, asked: readonly string[]) => {
      audiences.push(asked)
      return users[token] && { username: users[token] }
    },
  } as unknown as Reviews
  const log = { warn: (fields: object) => void lines.push(fields) } as unknown as Logger
  const app = fastify()
  admitRequests(app, { node: 'node-1', reviews, users: [gateway], limits: { atOnce }, log })
  app.get(agentRoutes.health, async () => 'ok')
  app.get('/files', async () => 'files')
  const [slow, begun] = [Promise.withResolvers<string>(), Promise.withResolvers<void>()]
  app.get('/slow', () => {
    begun.resolve()
    return slow.promise
  })
  const ask = async (authorization?: string, url = '/files') => {
    const { statusCode, body, headers } = await app.inject({
      url,
      headers: authorization === undefined ? {} : { authorization },
    })
    return { status: statusCode, body, retryAfter: headers['retry-after'] }
  }
  return { ask, audiences, lines, slow, begun: begun.promise, close: () => app.close() }
}

const wrongToken = `Cannot answer: the token is not that of ${gateway} for the audience selcap-agent:node-1\n`

for (const [what, authorization, status, body] of [
  ["the token is the gateway's", 'Bearer gateway-token', 200, 'files'],
  ['there is no token', undefined, 401, 'Cannot answer: expected a bearer token\n'],
  [
    'the header is no bearer token',
    'Basic gateway-token',
    401,
    'Cannot answer: expected a bearer token\n',
  ],
  ['the token is invalid', 'Bearer other', 401, wrongToken],
  ['the user is another one', 'Bearer paul-token', 403, wrongToken],
] as const) {
  test(`admitRequests() answers ${status} when ${what}`, async t => {
    const { ask, close } = agent()
    t.like(await ask(authorization), { status, body })
    await close()
  })
}

test('admitRequests() takes tokens for the audience of this node alone, and logs whom it refuses', async t => {
  const { ask, audiences, lines, close } = agent()
  await ask('Bearer paul-token')
  t.deepEqual(audiences, [['selcap-agent:node-1']])
  t.like(lines, [{ user: 'paul', url: '/files' }])
  await close()
})

test('admitRequests() asks for no token when the path is that of the health check', async t => {
  const { ask, audiences, close } = agent()
  t.like(await ask(undefined, agentRoutes.health), { status: 200, body: 'ok' })
  t.deepEqual(audiences, [])
  await close()
})

test('admitRequests() answers 503 while so many requests are open, and serves again after them', async t => {
  const { ask, slow, begun, close } = agent(1)
  const first = ask('Bearer gateway-token', '/slow')
  await begun
  const refused = await ask('Bearer gateway-token')
  t.like(refused, { status: 503, body: 'Cannot answer: too many requests at once\n' })
  t.truthy(refused.retryAfter)
  slow.resolve('done')
  t.like(await first, { status: 200, body: 'done' })
  t.is((await ask('Bearer gateway-token')).status, 200)
  await close()
})
