// A node's live stream with real packets: what is in it, read by tshark and capinfos too, and how
// it follows its capture.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { range } from '../../../support/net/contract/packets.ts'
import { uniqueName } from '../../../support/net/namespace.ts'
import { podWithPort } from '../../../support/net/podWithPort.ts'
import { serialNetworkTest as networkTest } from '../../../support/net/privilege.ts'
import { run } from '../../../support/net/run.ts'
import { makeSender } from '../../../support/net/sender.ts'
import { capture, endpoint, Keeper, TestNode } from '../../../support/net/streamNode.ts'
import { numberOf } from '../../../support/pcap/frames.ts'
import { type Read, readStream } from '../../../support/pcap/pcapng.ts'
import { until } from '../../../support/until.ts'

const over = { endTime: '2020-01-01T00:00:00Z' } as const

/** The numbers of the packets of one endpoint, over all of its interface blocks. */
function numbersOf({ interfaces, packets }: Read, pod: string): (number | undefined)[] {
  const own = packets.filter(packet => interfaces[packet.interface]?.description === `shop/${pod}`)
  return own.map(({ bytes }) => numberOf(bytes))
}

const isOrdered = ({ packets }: Read) =>
  packets.every(({ atNs }, index) => index === 0 || (packets[index - 1]?.atNs ?? 0n) <= atNs)

networkTest(
  'openNodeStream() gives every packet of all endpoints in time order, and ends with the window',
  async t => {
    const [a, b] = [await podWithPort(t), await podWithPort(t)]
    const node = await TestNode.start(t)
    node.write('pods.yaml', endpoint('web-0', a.pod.hostName), endpoint('web-1', b.pod.hostName))
    node.write('capture.yaml', capture())
    await node.has(2)
    const { stream } = node.open()
    const keeper = new Keeper(stream)
    await until('both interfaces', () => readStream(keeper.bytes).interfaces.length === 2)
    await Promise.all([
      a.sender.udp({ to: a.pod.hostAddress, port: a.port, count: 3_000, gapMs: 0.1 }),
      b.sender.udp({ to: b.pod.hostAddress, port: b.port, count: 2_000, gapMs: 0.3 }),
    ])
    await until('all packets', () => readStream(keeper.bytes).packets.length === 5_000)
    node.write('capture.yaml', capture(over))
    await keeper.ended
    const read = readStream(keeper.bytes)
    t.deepEqual(numbersOf(read, 'web-0'), range(0, 3_000))
    t.deepEqual(numbersOf(read, 'web-1'), range(0, 2_000))
    t.true(isOrdered(read))
    t.is(read.sections, 1)
    const expected = [a, b].map(({ pod }, index) => ({
      name: pod.hostName,
      description: `shop/web-${index}`,
      comment: 'node node-0',
    }))
    t.deepEqual(
      read.interfaces.map(({ filter: _, ...rest }) => rest).toSorted(byDescription),
      expected,
    )
    const counts = read.interfaces.map(({ description }, number) => ({
      description,
      ...read.statistics.get(number)?.at(-1),
    }))
    t.deepEqual(counts.toSorted(byDescription), [
      { description: 'shop/web-0', received: 3_000, dropped: 0, delivered: 3_000 },
      { description: 'shop/web-1', received: 2_000, dropped: 0, delivered: 2_000 },
    ])
    await until(
      'the rings to be given back',
      () => node.budget.ringBytes === 0 && node.budget.streams === 0,
    )

    const file = join(node.root, 'stream.pcapng')
    writeFileSync(file, keeper.bytes)
    const lines = (
      await run('tshark', [
        '-nr',
        file,
        '-Tfields',
        '-e',
        'frame.time_epoch',
        '-e',
        'frame.interface_name',
      ])
    )
      .trim()
      .split('\n')
    t.is(lines.filter(line => line.endsWith(a.pod.hostName)).length, 3_000)
    t.is(lines.filter(line => line.endsWith(b.pod.hostName)).length, 2_000)
    t.regex(
      await run('capinfos', ['-co', file]),
      /Number of packets:\s+5000[\s\S]*Strict time order:\s+True/,
    )
  },
)

function byDescription(
  one: { readonly description: string },
  other: { readonly description: string },
): number {
  return one.description < other.description ? -1 : 1
}

networkTest("openNodeStream() keeps to the capture's filter, snap length and payload", async t => {
  const { pod, sender, port } = await podWithPort(t)
  const node = await TestNode.start(t)
  const other = await sender.listenUdp(pod.podAddress)
  node.write('pods.yaml', endpoint('web-0', pod.hostName))
  node.write(
    'capture.yaml',
    capture({ filters: [{ protocol: 'UDP', ports: [port] }], payload: 'Headers' }),
  )
  await node.has(1)
  const keeper = new Keeper(node.open().stream)
  await until('the interface', () => readStream(keeper.bytes).interfaces.length === 1)
  await sender.udp({ to: pod.podAddress, port: other, count: 10 })
  await sender.udp({ to: pod.hostAddress, port, count: 10, bytes: 500 })
  await until('the packets', () => readStream(keeper.bytes).packets.length >= 10)
  node.write('capture.yaml', capture(over))
  await keeper.ended
  const { packets, interfaces } = readStream(keeper.bytes)
  t.deepEqual(packets.map(({ bytes }) => bytes.length), Array(10).fill(14 + 20 + 8)) // biome-ignore format: one line
  t.regex(interfaces[0]?.filter ?? '', new RegExp(`port ${port}`))
})

networkTest(
  'openNodeStream() carries the long frames of a bulk TCP stream whole, or counts them',
  async t => {
    const { pod, sender } = await podWithPort(t)
    const here = await makeSender(t)
    const port = await here.listenTcp(pod.hostAddress)
    const node = await TestNode.start(t)
    node.write('pods.yaml', endpoint('web-0', pod.hostName))
    node.write(
      'capture.yaml',
      capture({
        filters: [{ protocol: 'TCP' }],
        rotation: { maxFiles: 10, maxSizeBytes: 10_000_000 },
      }),
    )
    await node.has(1)
    const keeper = new Keeper(node.open().stream)
    await until('the interface', () => readStream(keeper.bytes).interfaces.length === 1)
    await sender.tcp({ to: pod.hostAddress, port, bytes: 20_000_000 })
    node.write('capture.yaml', capture(over))
    await keeper.ended
    const { packets, statistics } = readStream(keeper.bytes)
    const told = statistics.get(0)?.at(-1)
    t.is(told?.delivered, packets.length)
    t.is((told?.delivered ?? 0) + (told?.dropped ?? 0), told?.received ?? Number.NaN)
    t.true(packets.some(({ bytes }) => bytes.length > 16_384)) // one that does not pass the addon's buffer
  },
)

networkTest(
  'openNodeStream() takes pods in that join, and ends those that leave, while it runs',
  async t => {
    const [a, b] = [await podWithPort(t), await podWithPort(t)]
    const node = await TestNode.start(t)
    node.write('a.yaml', endpoint('web-0', a.pod.hostName))
    node.write('capture.yaml', capture())
    await node.has(1)
    const keeper = new Keeper(node.open().stream)
    await until('the first interface', () => readStream(keeper.bytes).interfaces.length === 1)
    const traffic = a.sender.udp({ to: a.pod.hostAddress, port: a.port, count: 4_000, gapMs: 0.5 })
    await until('the first packet', () => readStream(keeper.bytes).packets.length > 0)
    node.write('b.yaml', endpoint('web-1', b.pod.hostName))
    await until('the second interface', () => readStream(keeper.bytes).interfaces.length === 2)
    await b.sender.udp({ to: b.pod.hostAddress, port: b.port, count: 50 })
    await until('its packets', () => numbersOf(readStream(keeper.bytes), 'web-1').length === 50)
    node.remove('b.yaml')
    await until('its statistics', () => readStream(keeper.bytes).statistics.has(1))
    await traffic
    await until('all packets', () => readStream(keeper.bytes).packets.length === 4_050)
    node.remove('a.yaml') // nobody is left, and the window is open
    await until('the other statistics', () => readStream(keeper.bytes).statistics.has(0))
    node.write('a.yaml', endpoint('web-0', a.pod.hostName))
    await until('its new interface', () => readStream(keeper.bytes).interfaces.length === 3)
    node.remove('capture.yaml')
    await keeper.ended
    const read = readStream(keeper.bytes)
    t.deepEqual(numbersOf(read, 'web-0'), range(0, 4_000))
    t.true(isOrdered(read))
    t.deepEqual(read.statistics.get(1), [{ received: 50, dropped: 0, delivered: 50 }])
    t.deepEqual(read.statistics.get(0)?.at(-1), { received: 4_000, dropped: 0, delivered: 4_000 })
  },
)

networkTest(
  'openNodeStream() sees a pod from inside its network namespace when the capture says PodNetns',
  async t => {
    const { pod, sender, port } = await podWithPort(t)
    mkdirSync('/var/run/netns', { recursive: true })
    const bound = `/var/run/netns/${uniqueName()}`
    t.teardown(() => rmSync(bound)) // after the namespace was let go
    await pod.namespace.bindTo(t, bound)
    const node = await TestNode.start(t)
    node.write('pods.yaml', endpoint('web-0', undefined, pod.podAddress))
    node.write('capture.yaml', capture({ vantage: 'PodNetns' }))
    await node.has(1)
    const keeper = new Keeper(node.open().stream)
    await until('the interface', () => readStream(keeper.bytes).interfaces.length === 1)
    await sender.udp({ to: pod.hostAddress, port, count: 200 })
    await until('the packets', () => readStream(keeper.bytes).packets.length === 200)
    node.remove('capture.yaml')
    await keeper.ended
    const read = readStream(keeper.bytes)
    t.deepEqual(numbersOf(read, 'web-0'), range(0, 200))
    t.is(read.interfaces[0]?.name, 'eth0')
    t.deepEqual(read.statistics.get(0), [{ received: 200, dropped: 0, delivered: 200 }])
  },
)

networkTest(
  'openNodeStream() goes on when an interface goes and comes back under its name',
  async t => {
    const { pod, sender, port } = await podWithPort(t)
    const node = await TestNode.start(t)
    node.write('pods.yaml', endpoint('web-0', pod.hostName))
    node.write('capture.yaml', capture())
    await node.has(1)
    const keeper = new Keeper(node.open().stream)
    await until('the interface', () => readStream(keeper.bytes).interfaces.length === 1)
    await sender.udp({ to: pod.hostAddress, port, count: 5 })
    await until('5 packets', () => readStream(keeper.bytes).packets.length === 5)
    await pod.remove()
    await until('its end', () => readStream(keeper.bytes).statistics.has(0))
    await pod.create()
    await until('a tap', () => node.budget.ringBytes > 0)
    const here = await makeSender(t)
    await sender.udp({
      to: pod.hostAddress,
      port: await here.listenUdp(pod.hostAddress),
      count: 7,
      first: 5,
    })
    await until('12 packets', () => readStream(keeper.bytes).packets.length === 12)
    node.remove('capture.yaml')
    await keeper.ended
    const read = readStream(keeper.bytes)
    t.deepEqual(numbersOf(read, 'web-0'), range(0, 12))
    t.deepEqual(read.statistics.get(0), [{ received: 5, dropped: 0, delivered: 5 }])
  },
)
