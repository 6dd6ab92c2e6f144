// What a stream is refused, what it may take of the node, and that it leaves nothing behind.
import { readdirSync, readlinkSync } from 'node:fs'
import type { ExecutionContext } from 'ava'
import { StreamError } from '../../../../src/model/errors.ts'
import { podWithPort } from '../../../support/net/podWithPort.ts'
import { serialNetworkTest as networkTest } from '../../../support/net/privilege.ts'
import { capture, endpoint, Keeper, TestNode } from '../../../support/net/streamNode.ts'
import { readStream } from '../../../support/pcap/pcapng.ts'
import { until } from '../../../support/until.ts'

const mebibyte = 1024 * 1024

function refused(
  t: ExecutionContext,
  open: () => unknown,
  reason: StreamError['reason'],
  message: RegExp,
): void {
  const error = t.throws(open, { instanceOf: StreamError, message })
  t.is(error?.reason, reason)
}

function pipes(): number {
  const links = readdirSync('/proc/self/fd').map(fd => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`)
    } catch {
      return '' // the directory's own
    }
  })
  return links.filter(link => link.startsWith('pipe:')).length
}

networkTest(
  'openNodeStream() refuses a capture that is not open, another uid, and a stream too many',
  async t => {
    const { pod } = await podWithPort(t)
    const node = await TestNode.start(t, { streamsMax: 2 })
    node.write('pods.yaml', endpoint('web-0', pod.hostName))
    refused(
      t,
      () => node.openAs('shop/web', 'u'),
      'NotOpen',
      /the capture is not open on node "node-0"/,
    )
    node.write('capture.yaml', capture({ startTime: '2999-01-01T00:00:00Z' }))
    await until('the capture', () => readdirSync(`${node.root}/status`).includes('shop'))
    refused(t, () => node.openAs('shop/web', 'u'), 'NotOpen', /is not open/)
    node.write('capture.yaml', capture())
    await node.has(1)
    refused(t, () => node.openAs('shop/web', 'u'), 'NotOpen', /expected uid "u", found "/)
    const streams = [node.open(), node.open()]
    refused(t, () => node.open(), 'TooMany', /2 are open on this node, expected at most 2/)
    await streams[0]?.close()
    const third = node.open()
    await Promise.all([streams[1]?.close(), third.close()])
    t.is(node.budget.streams, 0)
  },
)

networkTest(
  'close() leaves no tap, pipe or ring behind, at whatever moment; nor does a reader that goes away',
  async t => {
    const { pod, sender, port } = await podWithPort(t)
    const node = await TestNode.start(t)
    node.write('pods.yaml', endpoint('web-0', pod.hostName))
    node.write('capture.yaml', capture())
    await node.has(1)
    const before = pipes()
    await node.open().close() // before its taps are open
    const running = node.open()
    const keeper = new Keeper(running.stream)
    await sender.udp({ to: pod.hostAddress, port, count: 1_000 })
    await until('a ring', () => node.budget.ringBytes > 0)
    await Promise.all([running.close(), running.close()])
    t.true(keeper.bytes.length >= 0)
    const left = node.open()
    await until('a ring', () => node.budget.ringBytes > 0)
    left.stream.destroy()
    await until(
      'the ring to be given back',
      () => node.budget.ringBytes === 0 && node.budget.streams === 0,
    )
    await until('the pipes to be closed', () => pipes() === before)
    await sender.udp({ to: pod.hostAddress, port, count: 1_000 })
    await until('the file', () => node.filed().length === 2_000)
    t.pass()
  },
)

const told = (keeper: Keeper) =>
  readStream(keeper.bytes).interfaces.map(({ description, comment }) => `${description} ${comment}`)

networkTest(
  'openNodeStream() says in the stream why an endpoint is missing, and takes it in when there is room for its ring',
  async t => {
    const [a, b] = [await podWithPort(t), await podWithPort(t)]
    const node = await TestNode.start(t, { captureRingBytesMax: 4.5 * mebibyte })
    node.write('a.yaml', endpoint('web-0', a.pod.hostName))
    node.write('capture.yaml', capture())
    await node.has(1)
    t.is(node.engine.ringBytes, 4 * mebibyte)
    const keeper = new Keeper(node.open().stream)
    await until('the interface', () => told(keeper).length === 1)
    t.is(node.budget.ringBytes, 0.5 * mebibyte)
    node.write('b.yaml', endpoint('web-1', b.pod.hostName)) // the files share anew: 2 MiB each
    await until('word of who is missing', () => told(keeper).length === 2)
    t.regex(
      told(keeper)[1] ?? '',
      /^shop\/web-1 node node-0; not in this stream: Cannot .* 4194304 .* 524288 .* 4718592/,
    )
    node.remove('a.yaml')
    await until('the other', () => told(keeper).length === 3)
    t.is(told(keeper)[2], 'shop/web-1 node node-0')
    await b.sender.udp({ to: b.pod.hostAddress, port: b.port, count: 10 })
    await until('its packets', () => readStream(keeper.bytes).packets.length === 10)
    node.remove('capture.yaml')
    await keeper.ended
    t.is(node.budget.ringBytes, 0)
  },
)

networkTest('openNodeStream() gives its rings up before files need them', async t => {
  const [a, b] = [await podWithPort(t), await podWithPort(t)]
  const node = await TestNode.start(t, { captureRingBytesMax: 6 * mebibyte })
  node.write('a.yaml', endpoint('web-0', a.pod.hostName))
  node.write('capture.yaml', capture())
  await node.has(1)
  const keeper = new Keeper(node.open().stream)
  await until('the interface', () => told(keeper).length === 1)
  t.is(node.engine.ringBytes + node.budget.ringBytes, 6 * mebibyte)
  await a.sender.udp({ to: a.pod.hostAddress, port: a.port, count: 10 })
  await until('its packets', () => readStream(keeper.bytes).packets.length === 10)
  const sums: number[] = []
  node.engine.watchTurns({ turned: () => sums.push(node.engine.ringBytes + node.budget.ringBytes) })
  node.write('b.yaml', endpoint('web-1', b.pod.hostName)) // 2 MiB beside the 4
  await node.has(2)
  await until('word of it', () =>
    told(keeper).some(each => each.includes('Cannot go on: the ring memory is needed for files')),
  )
  t.deepEqual(readStream(keeper.bytes).statistics.get(0), [
    { received: 10, dropped: 0, delivered: 10 },
  ])
  t.is(node.engine.ringBytes, 6 * mebibyte)
  t.true(
    sums.every(sum => sum <= 6 * mebibyte),
    sums.join(),
  )
})
