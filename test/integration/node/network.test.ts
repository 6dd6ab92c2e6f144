// The test helpers themselves: what they send arrives, and nothing of it stays behind.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { lstatSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeNamespace, type Scope } from '../../support/net/namespace.ts'
import { makePod } from '../../support/net/pod.ts'
import { networkTest } from '../../support/net/privilege.ts'
import { run } from '../../support/net/run.ts'
import { makeSender } from '../../support/net/sender.ts'
import { ethernet, ipv4, numbered, numberOf, udp } from '../../support/pcap/frames.ts'

class Own implements Scope {
  readonly #cleanUps: (() => unknown)[] = []
  teardown(cleanUp: () => unknown): void {
    this.#cleanUps.unshift(cleanUp)
  }
  async end(): Promise<void> {
    for (const cleanUp of this.#cleanUps) await cleanUp()
  }
}

// Not existsSync(): access(2) asks without the capabilities that a user namespace gave.
function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined
}

networkTest('makePod() leaves nothing behind when the test ends', async t => {
  const scope = new Own()
  const pod = await makePod(scope)
  t.true(await exists(pod.hostName))
  t.true(isThere(pod.namespace.path))
  await scope.end()
  t.false(await exists(pod.hostName))
  t.false(isThere(pod.namespace.path))
})

networkTest(
  'create() makes the same name with another index when the pair was removed',
  async t => {
    const pod = await makePod(t)
    const before = pod.hostIndex
    await pod.remove()
    t.false(await exists(pod.hostName))
    await pod.create()
    t.true(await exists(pod.hostName))
    t.not(pod.hostIndex, before)
  },
)

for (const family of ['udp4', 'udp6'] as const) {
  networkTest(
    `udp() sends every number once when asked over ${family}, and listenUdp() keeps the port quiet`,
    async t => {
      const pod = await makePod(t, { ipv6: family === 'udp6' })
      const socket = createSocket(family)
      t.teardown(() => socket.close())
      socket.bind(0, family === 'udp4' ? pod.hostAddress : pod.hostAddress6)
      await once(socket, 'listening')
      const seen: (number | undefined)[] = []
      const all = new Promise<void>(resolve =>
        socket.on('message', message => seen.push(numberOf(message)) === 20 && resolve()),
      )
      const sender = await makeSender(t, pod.namespace)
      const sent = await sender.udp({
        to: socket.address().address,
        port: socket.address().port,
        count: 20,
        first: 5,
      })
      await all
      t.deepEqual(
        seen,
        Array.from({ length: 20 }, (_, index) => index + 5),
      )
      t.true(sent.fromMs < sent.toMs && Math.abs(sent.toMs - Date.now()) < 60_000)
    },
  )
}

networkTest('frames() sends whole frames, and sees to it that a stack takes them', async t => {
  const pod = await makePod(t)
  const socket = createSocket('udp4')
  t.teardown(() => socket.close())
  socket.bind(0, pod.hostAddress)
  await once(socket, 'listening')
  const sender = await makeSender(t, pod.namespace)
  const body = ipv4({
    from: pod.podAddress,
    to: pod.hostAddress,
    protocol: 17,
    body: udp(numbered(7), { toPort: socket.address().port }),
  })
  const heard = once(socket, 'message')
  await sender.frames('eth0', [ethernet({ to: pod.hostMac, from: pod.podMac, type: 0x0800, body })])
  const [message] = (await heard) as [Buffer]
  t.deepEqual(message, numbered(7))
})

networkTest('tcp() and ping() cross the pair', async t => {
  const pod = await makePod(t)
  const [inside, here] = await Promise.all([makeSender(t, pod.namespace), makeSender(t)])
  const port = await here.listenTcp(pod.hostAddress)
  t.is((await inside.tcp({ to: pod.hostAddress, port, bytes: 1_000_000 })).arrived, 1_000_000)
  await inside.ping({ to: pod.hostAddress, count: 3 })
  await t.throwsAsync(inside.udp({ to: '203.0.113.1', port: 9, count: 1 }), {
    message: /unreachable/,
  })
})

networkTest(
  'bindTo() keeps the namespace when its holder has gone, until it is let go',
  async t => {
    const directory = await mkdtemp(join(tmpdir(), 'selcap-netns-'))
    t.teardown(() => rm(directory, { recursive: true }))
    const namespace = await makeNamespace(t)
    const letGo = await namespace.bindTo(t, join(directory, 'cni-1'))
    await namespace.close()
    t.regex(await run('nsenter', [`--net=${directory}/cni-1`, 'ip', 'link']), /lo:/)
    await letGo()
  },
)

async function exists(name: string): Promise<boolean> {
  return run('ip', ['link', 'show', 'dev', name]).then(
    () => true,
    () => false,
  )
}
