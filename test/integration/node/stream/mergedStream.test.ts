// An merged as a gateway would use it: inputs that wait when told to lose nothing, and the stream
// ends when all have.
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

function outletWith(onPressure: (isHigh: boolean) => void = () => {}): {
  readonly merged: MergedStream
  readonly closed: Promise<void>
} {
  const closed = Promise.withResolvers<void>()
  const merged = new MergedStream({
    section: sectionOf(''),
    clock: systemClock,
    limits,
    onPressure,
    onClose: closed.resolve,
  })
  return { merged, closed: closed.promise }
}

test('MergedStream gives what waits for a silent input without being asked again', async t => {
  const { merged, closed } = outletWith()
  const keeper = new Keeper(merged.stream)
  const [a, b] = [merged.join(), merged.join()]
  merged.push(a, header('cali1'))
  merged.push(b, header('cali2'))
  await until('the interfaces', () => readStream(keeper.bytes).interfaces.length === 2)
  merged.push(a, at(1))
  t.is(readStream(keeper.bytes).packets.length, 0)
  await until('the packet', () => readStream(keeper.bytes).packets.length === 1)
  for (const lane of [a, b]) merged.end(lane)
  merged.finish()
  await Promise.all([keeper.ended, closed])
  t.deepEqual(readStream(keeper.bytes).statistics.get(0), [
    { received: 1, dropped: 0, delivered: 1 },
  ])
})

test('MergedStream tells its inputs to wait while its reader does not take, and those that do lose nothing', async t => {
  const told: boolean[] = []
  const { merged } = outletWith(isHigh => told.push(isHigh))
  const lane = merged.join()
  merged.push(lane, header('cali1'))
  let count = 0 // of the packets so far
  while (!merged.isHigh) merged.push(lane, at(++count))
  t.deepEqual(told, [true])
  t.true(count > 150 && count < 300, `${count}`)
  const keeper = new Keeper(merged.stream)
  await until('word to go on', () => !merged.isHigh)
  while (count < 1_000) {
    await until('word to go on', () => !merged.isHigh)
    merged.push(lane, at(++count))
  }
  merged.end(lane)
  merged.finish()
  await keeper.ended
  const { packets, statistics } = readStream(keeper.bytes)
  t.deepEqual(packets.map(({ atNs }) => Number(atNs / second)), Array.from({ length: 1_000 }, (_, index) => index + 1)) // biome-ignore format: one line
  t.deepEqual(statistics.get(0), [{ received: 1_000, dropped: 0, delivered: 1_000 }])
})

test('MergedStream drops and counts what is pushed nevertheless', async t => {
  const { merged } = outletWith()
  const lane = merged.join()
  merged.push(lane, header('cali1'))
  for (let count = 1; count <= 1_000; count++) merged.push(lane, at(count))
  merged.end(lane)
  merged.finish()
  const keeper = new Keeper(merged.stream)
  await keeper.ended
  const { packets, statistics } = readStream(keeper.bytes)
  t.true(packets.length > 100 && packets.length < 500)
  t.deepEqual(statistics.get(0)?.at(-1), {
    received: 1_000,
    dropped: 1_000 - packets.length,
    delivered: packets.length,
  })
})

test('MergedStream takes nothing more when its reader has gone, and says so once', async t => {
  const { merged, closed } = outletWith()
  const lane = merged.join()
  merged.stream.destroy()
  await Promise.all([closed, once(merged.stream, 'close')])
  t.is(merged.push(lane, header('cali1')), undefined)
  merged.end(lane)
  merged.finish()
  t.true(merged.stream.destroyed)
})
