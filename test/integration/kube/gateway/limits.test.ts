// The limits that keep one reader from harming the others, reached for real: readers that take
// nothing, more connections than there may be, and a user whose downloads would flood the capture's
// Events. API server, agent and gateway are real.
import { once } from 'node:events'
import { connect as plainConnect, type Socket } from 'node:net'
import { setTimeout as after } from 'node:timers/promises'
import { connect } from 'node:tls'
import test, { type ExecutionContext } from 'ava'
import { agentLimits } from '../../../../src/agentapi/server/server.ts'
import { gatewayLimits } from '../../../../src/gateway/server.ts'
import { Agent, gatewayToken } from '../../../support/kube/agentFixture.ts'
import { filesPath, zipPath } from '../../../support/kube/gatewayFixture.ts'
import { useInstalled } from '../../../support/kube/installManifests.ts'
import { LocalGateway, makeCapture, tokenFor } from '../../../support/kube/localGateway.ts'
import { until } from '../../../support/until.ts'

const server = useInstalled()
const name = 'web-0_cali1.pcap'
const filePath = `${filesPath}/node-1/${name}`
const big = Buffer.alloc(96_000_000, 'packets') // more than all buffers on the way hold
const stallMs = 3_000

async function onStage(
  t: ExecutionContext,
  limits = {},
): Promise<{ readonly agent: Agent; readonly gateway: LocalGateway }> {
  const agent = await Agent.start(t, server(), { uid: await makeCapture(server()) })
  agent.write(name, big)
  return { agent, gateway: await LocalGateway.start(t, server(), { agent, limits }) }
}

/**
 * A client that asks and never reads a byte: what the kernel does not take stays with the server.
 */
async function stalled(
  t: ExecutionContext,
  port: number,
  path: string,
  token: string,
): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false })
  t.teardown(() => socket.destroy())
  socket.on('error', () => {})
  await once(socket, 'secureConnect')
  socket.pause()
  socket.write(`GET ${path} HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer ${token}\r\n\r\n`)
  return socket
}

for (const [what, path] of [
  ['file', filePath],
  ['zip', zipPath],
] as const) {
  test.serial(`who takes nothing of a ${what} is cut off, and who is slow is not`, async t => {
    t.timeout(180_000)
    const { agent, gateway } = await onStage(t, { stallMs })
    const whole = (await gateway.ask({ path })).body.length
    await stalled(t, gateway.port, path, gateway.token)
    await until('it to begin', async () => (await gateway.figure(`running{route="${what}"}`)) === 1)
    const slow = await gateway.open({ path })
    let bytes = 0
    const reading = (async () => {
      for await (const chunk of slow as AsyncIterable<Buffer>) {
        bytes += chunk.length
        if (bytes < 64_000_000) await after((chunk.length / 64_000_000) * 3 * stallMs)
      }
    })()
    await until(
      'the cut',
      async () => (await gateway.figure(`broken_off_total{route="${what}"}`)) === 1,
    )
    t.true(gateway.said.some(line => line.includes('"result":"broken off"')))
    t.true(bytes < whole)
    await reading
    t.is(bytes, whole)
    await until(
      'nothing to run',
      async () => (await gateway.figure(`running{route="${what}"}`)) === 0,
    )
    await until('the files to be closed', () => agent.openFiles() === 0)
  })
}

test.serial('an agent cuts off whoever takes nothing', async t => {
  t.timeout(120_000)
  const uid = await makeCapture(server())
  const agent = await Agent.start(t, server(), { uid, limits: { stallMs } })
  agent.write(name, big)
  const socket = await stalled(
    t,
    agent.port,
    `/v1/captures/shop/web/${uid}/files/${name}`,
    await gatewayToken(server()),
  )
  await until('it to begin', () => agent.openFiles() === 1)
  await until('the cut', () => agent.openFiles() === 0)
  socket.resume()
  await once(socket, 'close')
  t.pass()
})

/** That many connections that say nothing. */
async function crowd(t: ExecutionContext, port: number, count: number): Promise<readonly Socket[]> {
  const sockets = Array.from({ length: count }, () =>
    plainConnect(port, '127.0.0.1').on('error', () => {}),
  )
  t.teardown(() => sockets.map(socket => socket.destroy()))
  await Promise.all(sockets.map(socket => once(socket, 'connect')))
  return sockets
}

async function isClosedAtOnce(port: number): Promise<boolean> {
  const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false }).on(
    'error',
    () => {},
  )
  const isIn = await Promise.race([
    once(socket, 'secureConnect').then(
      () => true,
      () => false,
    ),
    once(socket, 'close').then(() => false),
  ])
  socket.destroy()
  return !isIn
}

/** Some may have lost their place meanwhile, on a machine that is slow: others take it. */
async function untilFull(t: ExecutionContext, port: number): Promise<void> {
  const isFull = async () => {
    if (await isClosedAtOnce(port)) return true
    await crowd(t, port, 20)
    return false
  }
  await until('nobody else to get in', isFull)
}

test.serial(
  `no more than ${gatewayLimits.connectionsMax} connections reach the gateway; a download goes on meanwhile`,
  async t => {
    t.timeout(180_000)
    const { gateway } = await onStage(t)
    const whole = (await gateway.ask({ path: filePath })).body.length
    const response = await gateway.open({ path: filePath }) // one of them
    const others = await crowd(t, gateway.port, gatewayLimits.connectionsMax - 1)
    await untilFull(t, gateway.port)
    t.true((await gateway.figure('refused_total{reason="Connections"}')) >= 1)
    let bytes = 0
    for await (const chunk of response as AsyncIterable<Buffer>) bytes += chunk.length
    t.is(bytes, whole)
    for (const socket of others) socket.destroy()
    await until(
      'room',
      async () => (await gateway.ask({ path: filesPath }).catch(() => undefined))?.code === 200,
    )
  },
)

test.serial(
  `no more than ${agentLimits.connectionsMax} connections reach an agent, and those that say nothing lose their place`,
  async t => {
    t.timeout(120_000)
    const agent = await Agent.start(t, server())
    await crowd(t, agent.port, agentLimits.connectionsMax)
    await untilFull(t, agent.port)
    await until('room', async () => !(await isClosedAtOnce(agent.port))) // nobody left: they were cut off
    t.pass()
  },
)

test.serial(
  'one user makes one Event of a kind in ten seconds on a capture, and no other user goes without',
  async t => {
    const { gateway } = await onStage(t)
    const range = { range: 'bytes=0-9' }
    const other = await tokenFor(server(), 'other')
    type Event = { readonly reason: string; readonly message: string }
    const events = async () => {
      const { items } = JSON.parse(
        await server().api.kubectl('get', 'events', '-n', 'shop', '-o', 'json'),
      ) as { items: Event[] }
      return items
        .filter(({ reason, message }) => reason === 'Downloaded' && message.includes('10 bytes'))
        .map(({ message }) => message)
    }
    const logged = () =>
      gateway.said.filter(
        line => line.includes('"bytes":10,') && line.includes('files handed over'),
      ).length
    for (let round = 0; round < 20; round++) await gateway.ask({ path: filePath, headers: range })
    await gateway.ask({ path: filePath, headers: range, token: other })
    await until('the log of all', () => logged() === 21)
    await until('both', async () => (await events()).length === 2)
    gateway.clock.aheadMs += 10_000
    await gateway.ask({ path: filePath, headers: range })
    await until('a third', async () => (await events()).length === 3)
    const said = (user: string) =>
      `system:serviceaccount:shop:${user} had node-1/${name}, 10 bytes (done)`
    t.deepEqual((await events()).toSorted(), [said('dev'), said('dev'), said('other')])
  },
)
