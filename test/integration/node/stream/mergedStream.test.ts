// An outlet as a gateway would use it: inputs that wait when told to lose nothing, and the stream ends when all have.
import { once } from 'node:events'
import test from 'ava'
import { sectionOf } from '../../../../src/pcap/fileHeader.ts'
import { systemClock } from '../../../../src/runtime/clock.ts'
import { MergedStream } from '../../../../src/stream/mergedStream.ts'
import { Keeper } from '../../../support/net/streamNode.ts'
import { header, packetBlock, readStream } from '../../../support/pcap/pcapng.ts'
import { until } from '../../../support/until.ts'

const second = 1_000_000_000n
const limits = { windowMs: 100, windowBytes: 100_000, bytesMax: 300_000 }
const at = (number: number) => packetBlock(BigInt(number) * second, Buffer.alloc(1_000))

function outletWith(onPressure: (isHigh: boolean) => void = () => {}): { readonly outlet: MergedStream; readonly closed: Promise<void> } {
  const closed = Promise.withResolvers<void>()
  const outlet = new MergedStream({ section: sectionOf(''), clock: systemClock, limits, onPressure, onClose: closed.resolve })
  return { outlet, closed: closed.promise }
}

test('Outlet gives what waits for a silent input without being asked again', async t => {
  const { outlet, closed } = outletWith()
  const keeper = new Keeper(outlet.stream)
  const [a, b] = [outlet.join(), outlet.join()]
  outlet.push(a, header('cali1'))
  outlet.push(b, header('cali2'))
  await until('the interfaces', () => readStream(keeper.bytes).interfaces.length === 2)
  outlet.push(a, at(1))
  t.is(readStream(keeper.bytes).packets.length, 0)
  await until('the packet', () => readStream(keeper.bytes).packets.length === 1)
  for (const lane of [a, b]) outlet.end(lane)
  outlet.finish()
  await Promise.all([keeper.ended, closed])
  t.deepEqual(readStream(keeper.bytes).statistics.get(0), [{ received: 1, dropped: 0, delivered: 1 }])
})

test('Outlet tells its inputs to wait while its reader does not take, and those that do lose nothing', async t => {
  const told: boolean[] = []
  const { outlet } = outletWith(isHigh => told.push(isHigh))
  const lane = outlet.join()
  outlet.push(lane, header('cali1'))
  let count = 0 // of the packets so far
  while (!outlet.isHigh) outlet.push(lane, at(++count))
  t.deepEqual(told, [true])
  t.true(count > 150 && count < 300, `${count}`)
  const keeper = new Keeper(outlet.stream)
  await until('word to go on', () => !outlet.isHigh)
  while (count < 1_000) {
    await until('word to go on', () => !outlet.isHigh)
    outlet.push(lane, at(++count))
  }
  outlet.end(lane)
  outlet.finish()
  await keeper.ended
  const { packets, statistics } = readStream(keeper.bytes)
  t.deepEqual(packets.map(({ atNs }) => Number(atNs / second)), Array.from({ length: 1_000 }, (_, index) => index + 1)) // biome-ignore format: one line
  t.deepEqual(statistics.get(0), [{ received: 1_000, dropped: 0, delivered: 1_000 }])
})

test('Outlet drops and counts what is pushed nevertheless', async t => {
  const { outlet } = outletWith()
  const lane = outlet.join()
  outlet.push(lane, header('cali1'))
  for (let count = 1; count <= 1_000; count++) outlet.push(lane, at(count))
  outlet.end(lane)
  outlet.finish()
  const keeper = new Keeper(outlet.stream)
  await keeper.ended
  const { packets, statistics } = readStream(keeper.bytes)
  t.true(packets.length > 100 && packets.length < 500)
  t.deepEqual(statistics.get(0)?.at(-1), { received: 1_000, dropped: 1_000 - packets.length, delivered: packets.length })
})

test('Outlet takes nothing more when its reader has gone, and says so once', async t => {
  const { outlet, closed } = outletWith()
  const lane = outlet.join()
  outlet.stream.destroy()
  await Promise.all([closed, once(outlet.stream, 'close')])
  t.is(outlet.push(lane, header('cali1')), undefined)
  outlet.end(lane)
  outlet.finish()
  t.true(outlet.stream.destroyed)
})
