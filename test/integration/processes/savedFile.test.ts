// Saved files, read back: what was written in plain code is what comes.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { readSavedFile, type SavedPacket } from '../../../src/driver/libpcap/savedFile.ts'
import { recordBytes, writeRecord } from '../../../src/pcap/record.ts'
import type { Scope } from '../../support/net/namespace.ts'
import { fileHeader, readRecords } from '../../support/pcap/captureFile.ts'
import { ethernet, ipv4, numbered, udp } from '../../support/pcap/frames.ts'

const small = ethernet({ type: 0x0800, body: ipv4({ protocol: 17, body: udp(numbered(1)) }) })
const large = ethernet({ type: 0x0800, body: ipv4({ protocol: 6, body: Buffer.alloc(65_000, 7) }) })
const records = [
  {
    seconds: 1_800_000_000,
    microseconds: 1,
    bytes: small,
    original: small.length,
    droppedBefore: 0,
  },
  {
    seconds: 1_800_000_000,
    microseconds: 999_999,
    bytes: small.subarray(0, 41),
    original: small.length,
    droppedBefore: 3,
  },
  { seconds: 4_100_000_000, microseconds: 5, bytes: large, original: 70_000, droppedBefore: 0 },
]

for (const format of ['pcap', 'pcapng'] as const) {
  const file = Buffer.concat([fileHeader(format), ...records.map(record => encode(format, record))])

  test(`readSavedFile() gives every packet of a ${format} file whole`, async t => {
    const packets = await all(readSavedFile(await save(t, file)))
    t.deepEqual(
      packets.map(({ captured, original, bytes }) => ({
        captured,
        original,
        bytes: Buffer.from(bytes),
      })),
      records.map(({ bytes, original }) => ({ captured: bytes.length, original, bytes })),
    )
    t.deepEqual(
      packets.map(({ atMs }) => atMs),
      records.map(({ seconds, microseconds }) => seconds * 1_000 + microseconds / 1_000),
    )
  })

  test(`readSavedFile() gives what the filter lets through, and may be left early (${format})`, async t => {
    const path = await save(
      t,
      Buffer.concat([
        file,
        ...Array.from({ length: 5_000 }, () => encode(format, records[0] ?? t.fail())),
      ]),
    )
    t.is((await all(readSavedFile(path, 'tcp'))).length, 1)
    for await (const packet of readSavedFile(path)) {
      t.is(packet.captured, small.length)
      break
    }
  })

  test(`readSavedFile() refuses a torn ${format} file after the packets before`, async t => {
    const seen: SavedPacket[] = []
    const path = await save(t, file.subarray(0, -100))
    const reading = async () => {
      for await (const packet of readSavedFile(path)) seen.push(packet)
    }
    await t.throwsAsync(reading(), { message: /ends within a record/ })
    t.is(seen.length, 2)
  })

  test(`writeRecord() writes what the tests' own reader reads (${format})`, t => {
    const read = readRecords(file, format)
    t.deepEqual(read.map(({ bytes }) => bytes), records.map(({ bytes }) => bytes)) // biome-ignore format: one line
    t.deepEqual(read.map(({ atNs }) => atNs), records.map(({ seconds, microseconds }) => BigInt(seconds) * 1_000_000_000n + BigInt(microseconds) * 1_000n)) // biome-ignore format: one line
    t.deepEqual(read.map(({ original }) => original), records.map(({ original }) => original)) // biome-ignore format: one line
  })
}

test('readSavedFile() refuses in words when there is no such file, or it is none', async t => {
  await t.throwsAsync(all(readSavedFile('/nowhere/x.pcap')), {
    message: /^Cannot read capture file "\/nowhere\/x.pcap": .*No such file/,
  })
  await t.throwsAsync(all(readSavedFile(await save(t, Buffer.alloc(100)))), {
    message: /unknown file format/,
  })
  await t.throwsAsync(all(readSavedFile(await save(t, fileHeader('pcap')), 'tcp and and')), {
    code: 'BAD_FILTER',
    message: /syntax error/,
  })
})

function encode(format: 'pcap' | 'pcapng', record: (typeof records)[number]): Buffer {
  const out = Buffer.alloc(recordBytes(format, record))
  writeRecord(format, record, out, 0)
  return out
}

async function save(scope: Scope, bytes: Buffer): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'selcap-saved-'))
  scope.teardown(() => rm(directory, { recursive: true }))
  await writeFile(join(directory, 'a.pcap'), bytes)
  return join(directory, 'a.pcap')
}

async function all(packets: AsyncIterable<SavedPacket>): Promise<SavedPacket[]> {
  const seen: SavedPacket[] = []
  for await (const packet of packets) seen.push(packet)
  return seen
}
