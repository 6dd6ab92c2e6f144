// A reader that does not keep up loses packets of its own and no others: the files stay whole, and
// the stream says what is missing.
import type { ExecutionContext } from 'ava'
import { range } from '../../../support/net/contract/packets.ts'
import { podWithPort } from '../../../support/net/podWithPort.ts'
import { serialNetworkTest as networkTest } from '../../../support/net/privilege.ts'
import { capture, endpoint, Keeper, TestNode } from '../../../support/net/streamNode.ts'
import { numberOf } from '../../../support/pcap/frames.ts'
import { type Read, readStream } from '../../../support/pcap/pcapng.ts'
import { until } from '../../../support/until.ts'

const over = { endTime: '2020-01-01T00:00:00Z' } as const
const count = 20_000 // of 1,442 bytes: more than pipe and merge hold
const rotation = { maxFiles: 10, maxSizeBytes: 10_000_000 } as const

/** received = delivered + dropped for each interface, and delivered is what there is. */
function checkCounts(
  t: ExecutionContext,
  { interfaces, packets, statistics }: Read,
  received: number,
): void {
  for (const number of interfaces.keys()) {
    const told = statistics.get(number)?.at(-1)
    const own = packets.filter(packet => packet.interface === number)
    t.is(told?.received, received)
    t.is(told?.delivered, own.length)
    t.is((told?.delivered ?? 0) + (told?.dropped ?? 0), received)
    const numbers = own.map(({ bytes }) => numberOf(bytes) ?? -1)
    t.true(numbers.every((each, index) => index === 0 || (numbers[index - 1] ?? 0) < each)) // none twice, none out of order
    const drops = statistics.get(number)?.map(({ dropped }) => dropped) ?? []
    t.deepEqual(
      drops,
      drops.toSorted((a, b) => a - b),
    ) // never backwards
  }
}

networkTest(
  'openNodeStream() drops and counts what a reader that stalls for seconds cannot take, and the file has everything',
  async t => {
    const { pod, sender, port } = await podWithPort(t)
    const node = await TestNode.start(t)
    node.write('pods.yaml', endpoint('web-0', pod.hostName))
    node.write('capture.yaml', capture({ rotation }))
    await node.has(1)
    const { stream } = node.open()
    const keeper = new Keeper(stream)
    await until('the interface', () => readStream(keeper.bytes).interfaces.length === 1)
    await sender.udp({ to: pod.hostAddress, port, count: 100 })
    await until('the first packets', () => readStream(keeper.bytes).packets.length === 100)
    stream.pause()
    await sender.udp({ to: pod.hostAddress, port, count, first: 100, bytes: 1_400, gapMs: 0.05 })
    await until('the file', () => node.filed().length === count + 100)
    stream.resume()
    await until(
      'word of drops',
      () => (readStream(keeper.bytes).statistics.get(0)?.at(-1)?.dropped ?? 0) > 0,
    )
    await sender.udp({ to: pod.hostAddress, port, count: 100, first: count + 100 })
    await until('the last packet', () => {
      const last = readStream(keeper.bytes).packets.at(-1)
      return last !== undefined && numberOf(last.bytes) === count + 199
    })
    node.write('capture.yaml', capture({ rotation, ...over }))
    await keeper.ended
    const read = readStream(keeper.bytes)
    checkCounts(t, read, count + 200)
    t.true(read.packets.length < count)
    t.deepEqual(read.packets.slice(0, 100).map(({ bytes }) => numberOf(bytes)), range(0, 100)) // biome-ignore format: one line
    t.deepEqual(node.filed().map(numberOf), range(0, count + 200)) // biome-ignore format: one line
  },
)

networkTest(
  'openNodeStream() ends with exact counts when the window closes while its reader stalls',
  async t => {
    const [a, b] = [await podWithPort(t), await podWithPort(t)]
    const node = await TestNode.start(t)
    node.write('pods.yaml', endpoint('web-0', a.pod.hostName), endpoint('web-1', b.pod.hostName))
    node.write('capture.yaml', capture({ rotation }))
    await node.has(2)
    const { stream } = node.open()
    const keeper = new Keeper(stream)
    await until('both interfaces', () => readStream(keeper.bytes).interfaces.length === 2)
    stream.pause()
    await Promise.all(
      [a, b].map(({ pod, sender, port }) =>
        sender.udp({ to: pod.hostAddress, port, count, bytes: 1_400, gapMs: 0.1 }),
      ),
    )
    await until('the files', () => node.filed().length === 2 * count)
    node.write('capture.yaml', capture({ rotation, ...over }))
    await until('the rings to be given back', () => node.budget.ringBytes === 0)
    stream.resume()
    await keeper.ended
    const read = readStream(keeper.bytes)
    t.is(read.interfaces.length, 2)
    checkCounts(t, read, count)
    t.true(read.packets.length < 2 * count)
    t.true(stream.destroyed || stream.readableEnded)
    await until('the stream to leave', () => node.budget.streams === 0)
  },
)
