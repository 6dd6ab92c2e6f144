// Packets of either format come out as pcapng blocks; what is no capture file is refused as an
// expected error.
import { rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { Format } from '../../../src/model/capture.ts'
import { ExpectedError } from '../../../src/model/errors.ts'
import { makeBlock } from '../../../src/pcap/block.ts'
import { fileHeader, fileTrailer } from '../../../src/pcap/fileHeader.ts'
import { blockTypes, packetFields } from '../../../src/pcap/format.ts'
import { readPacketBlocks, type TimedBlock } from '../../../src/pcap/packetBlocks.ts'
import { recordBytes, writeRecord } from '../../../src/pcap/record.ts'

const header = {
  snapLength: 96,
  interfaceName: 'cali1',
  filter: '',
  node: 'node-1',
  endpoint: 'shop/web-0',
  capture: 'shop/web',
}
const numbers = { last: 0 }

function record(format: Format, microseconds: number): Buffer {
  const packet = {
    seconds: 1_780_000_000,
    microseconds,
    bytes: Buffer.alloc(61, 1),
    original: 90,
    droppedBefore: 0,
  }
  const out = Buffer.alloc(recordBytes(format, packet))
  writeRecord(format, packet, out, 0)
  return out
}

async function blocksIn(t: ExecutionContext, bytes: Buffer): Promise<TimedBlock[]> {
  const path = join(tmpdir(), `selcap-blocks-${process.pid}-${numbers.last++}`)
  t.teardown(() => rm(path, { force: true }))
  await writeFile(path, bytes)
  const all: TimedBlock[] = []
  for await (const blocks of readPacketBlocks(path)) all.push(...blocks)
  return all
}

for (const format of ['pcap', 'pcapng'] as const) {
  test(`readPacketBlocks() gives the packets of a ${format} file as blocks with their times`, async t => {
    const trailer = fileTrailer(format, { received: 2, dropped: 0, packets: 2, fromMs: 0, toMs: 1 })
    const file = Buffer.concat([
      fileHeader({ ...header, format }),
      record(format, 5),
      record(format, 6),
      trailer,
    ])
    const found = await blocksIn(t, file)
    t.deepEqual(found.map(({ block }) => block.toString('hex')), [5, 6].map(at => record('pcapng', at).toString('hex'))) // biome-ignore format: one line
    const times = found.map(({ high, low }) => (BigInt(high) << 32n) | BigInt(low))
    t.deepEqual(times, [1_780_000_000_000_005_000n, 1_780_000_000_000_006_000n])
  })

  test(`readPacketBlocks() refuses a ${format} file that ends within a packet, after the packets before`, async t => {
    const torn = Buffer.concat([
      fileHeader({ ...header, format }),
      record(format, 5),
      record(format, 6).subarray(0, -1),
    ])
    await t.throwsAsync(blocksIn(t, torn), {
      instanceOf: ExpectedError,
      message: /ends within a packet$/,
    })
  })

  test(`readPacketBlocks() refuses a record of a ${format} file whose length cannot be one`, async t => {
    const broken = Buffer.concat([fileHeader({ ...header, format }), Buffer.alloc(64, 0xff)])
    await t.throwsAsync(blocksIn(t, broken), {
      instanceOf: ExpectedError,
      message: /found a record of \d+ bytes$/,
    })
  })
}

test('readPacketBlocks() refuses a file of another format', async t => {
  await t.throwsAsync(blocksIn(t, Buffer.alloc(64, 7)), {
    instanceOf: ExpectedError,
    message: /found 07070707$/,
  })
})

test('readPacketBlocks() refuses packet blocks that are too short for their packet', async t => {
  const long = record('pcapng', 5)
  long.writeUInt32LE(long.length - 31, packetFields.captured)
  for (const broken of [makeBlock(blockTypes.packet, Buffer.alloc(0), []), long]) {
    const file = Buffer.concat([fileHeader({ ...header, format: 'pcapng' }), broken])
    await t.throwsAsync(blocksIn(t, file), {
      instanceOf: ExpectedError,
      message: /found a packet that is longer than its block$/,
    })
  }
})
