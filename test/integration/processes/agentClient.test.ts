// The gateway's side of the way to the agents, against real TLS servers: only the one whose
// certificate the report names hears anything, and an agent that falls silent holds nobody up.
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { type Server as PlainServer, createServer as plainServer, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { createServer, type TLSSocket } from 'node:tls'
import test, { type ExecutionContext } from 'ava'
import { Agents } from '../../../src/agentapi/client/agents.ts'
import { type Certificate, makeCertificate } from '../../../src/auth/selfSignedCertificate.ts'
import { remains } from '../../support/until.ts'

const [ours, theirs] = await Promise.all([
  makeCertificate('node-1', []),
  makeCertificate('node-1', []),
])
const signal = AbortSignal.timeout(60_000)
const answer = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

type Listening = {
  readonly port: number
  readonly heard: () => string
  readonly connections: () => number
  restart(as: Certificate): void
}

/** Writes down what it hears behind TLS, and says `reply` when a request is whole. */
async function listening(
  t: ExecutionContext,
  { key, cert }: Certificate,
  reply = answer,
): Promise<Listening> {
  let [heard, connections] = ['', 0]
  const server = createServer({ key, cert }, socket => {
    connections++
    socket.on('error', () => {})
    socket.on('data', chunk => {
      heard += chunk.toString()
      if (heard.endsWith('\r\n\r\n')) socket.write(reply)
    })
  })
  const port = await bound(t, server)
  return {
    port,
    heard: () => heard,
    connections: () => connections,
    restart: as => server.setSecureContext(as),
  }
}

async function bound(t: ExecutionContext, server: PlainServer): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket | TLSSocket) => sockets.add(socket.on('error', () => {})))
  server.on('tlsClientError', () => {})
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return (server.address() as AddressInfo).port
}

function agentsOf(t: ExecutionContext, limits = {}): Agents {
  const agents = new Agents(async node => `secret-for-${node}`, limits)
  t.teardown(() => agents[Symbol.dispose]())
  return agents
}

const placeOf = (port: number, { fingerprint }: Certificate, node = 'node-1') => ({
  node,
  address: '127.0.0.1',
  port,
  certificateFingerprint: fingerprint,
})

test('ask() reaches the agent whose certificate the report names, with the token made for that node', async t => {
  const { port, heard } = await listening(t, ours)
  const response = await agentsOf(t).request(placeOf(port, ours), { path: '/files', signal })
  t.is(await text(response), 'ok')
  t.regex(heard(), /^GET \/files HTTP\/1\.1\r\n[\s\S]*authorization: Bearer secret-for-node-1\r\n/i)
})

test('ask() says nothing to a server with another certificate, were its names the same', async t => {
  const { port, heard } = await listening(t, theirs)
  await t.throwsAsync(agentsOf(t).request(placeOf(port, ours), { path: '/wrong', signal }), {
    message: /its certificate is not the one/,
  })
  await text(await agentsOf(t).request(placeOf(port, theirs), { path: '/right', signal })) // what came before would be heard by now
  t.regex(heard(), /^GET \/right /)
  t.false(heard().includes('/wrong'))
})

test('ask() says nothing to one who took the place of an agent that was trusted', async t => {
  const server = await listening(
    t,
    ours,
    `${answer.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n')}`,
  )
  const agents = agentsOf(t)
  await text(await agents.request(placeOf(server.port, ours), { path: '/first', signal }))
  server.restart(theirs)
  await t.throwsAsync(agents.request(placeOf(server.port, ours), { path: '/second', signal }), {
    message: /certificate/,
  })
  t.false(server.heard().includes('/second'))
})

test('ask() follows an agent that was started anew, and uses no connection of before', async t => {
  const server = await listening(t, ours)
  const agents = agentsOf(t)
  await text(await agents.request(placeOf(server.port, ours), { path: '/first', signal }))
  server.restart(theirs)
  t.is(
    await text(await agents.request(placeOf(server.port, theirs), { path: '/second', signal })),
    'ok',
  )
  t.is(server.connections(), 2)
})

test('ask() refuses a report without a fingerprint before it connects', async t => {
  const { port, connections } = await listening(t, ours)
  const place = { node: 'node-1', address: '127.0.0.1', port }
  await t.throwsAsync(agentsOf(t).request(place, { path: '/', signal }), {
    message: /names no certificate/,
  })
  await t.throwsAsync(
    agentsOf(t).request({ ...place, certificateFingerprint: '' }, { path: '/', signal }),
    { message: /certificate/ },
  )
  t.is(connections(), 0)
})

test('ask() gives up on a server that never begins TLS, on one that never answers, and on one that stops', async t => {
  const silent = await bound(t, plainServer())
  const limits = { connectMs: 200, quietMs: 200 }
  await t.throwsAsync(agentsOf(t, limits).request(placeOf(silent, ours), { path: '/', signal }), {
    message: /no answer within/,
  })
  const mute = await listening(t, ours, '')
  await t.throwsAsync(
    agentsOf(t, limits).request(placeOf(mute.port, ours), { path: '/', signal }),
    { message: /said nothing for/ },
  )
  const stopping = await listening(t, ours, answer.slice(0, -1))
  const response = await agentsOf(t, limits).request(placeOf(stopping.port, ours), {
    path: '/',
    signal,
  })
  await t.throwsAsync(text(response))
})

test('ask() ends with the signal, before and after the answer has begun', async t => {
  const mute = await listening(t, ours, '')
  const gone = new AbortController()
  const asked = agentsOf(t).request(placeOf(mute.port, ours), { path: '/', signal: gone.signal })
  gone.abort()
  await t.throwsAsync(asked, { name: 'AbortError' })
  const stopping = await listening(t, ours, answer.slice(0, -1))
  const goneLater = new AbortController()
  const response = await agentsOf(t).request(placeOf(stopping.port, ours), {
    path: '/',
    signal: goneLater.signal,
  })
  goneLater.abort()
  await t.throwsAsync(text(response))
})

test('ask() waits for a slow reader: the agent has done its part', async t => {
  const body = Buffer.alloc(4_000_000, 'x').toString()
  const { port } = await listening(
    t,
    ours,
    `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  )
  const response = await agentsOf(t, { quietMs: 1_000 }).request(placeOf(port, ours), {
    path: '/',
    signal,
  })
  await once(response, 'readable')
  await remains('the answer, longer than an agent may be quiet', 2_500, () => !response.destroyed)
  t.is((await text(response)).length, body.length)
})
