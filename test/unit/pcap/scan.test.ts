// How much of a torn file is complete, for both formats.
import { open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { Format } from '../../../src/model/capture.ts'
import { fileHeader, fileTrailer } from '../../../src/pcap/fileHeader.ts'
import { recordBytes, writeRecord } from '../../../src/pcap/record.ts'
import { type Scan, scanFile } from '../../../src/pcap/scan.ts'

const header = {
  snapLength: 96,
  interfaceName: 'cali1',
  filter: '',
  node: 'node-1',
  endpoint: 'shop/web-0',
  capture: 'shop/web',
}
const numbers = { last: 0 }

async function scanned(t: ExecutionContext, bytes: Buffer): Promise<Scan | undefined> {
  const path = join(tmpdir(), `selcap-scan-${process.pid}-${numbers.last++}`)
  t.teardown(() => rm(path, { force: true }))
  await writeFile(path, bytes)
  await using file = await open(path)
  return await scanFile(file)
}

function record(format: Format, length: number): Buffer {
  const packet = {
    seconds: 1,
    microseconds: 2,
    bytes: Buffer.alloc(length, 1),
    original: length,
    droppedBefore: 0,
  }
  const out = Buffer.alloc(recordBytes(format, packet))
  writeRecord(format, packet, out, 0)
  return out
}

for (const format of ['pcap', 'pcapng'] as const) {
  const head = fileHeader({ ...header, format })
  const records = [record(format, 60), record(format, 61)]
  const recordsLength = records.reduce((sum, { length }) => sum + length, 0)
  const whole = Buffer.concat([head, ...records])

  test(`scanFile() counts the records of a whole ${format} file, its trailer apart`, async t => {
    const trailer = fileTrailer(format, { received: 2, dropped: 0, packets: 2, fromMs: 0, toMs: 1 })
    const expected = {
      format,
      snapLength: 96,
      records: 2,
      recordBytes: recordsLength,
      firstRecordAtMs: 1_000.002,
      lastRecordAtMs: 1_000.002,
      wholeBytes: whole.length + trailer.length,
    }
    t.deepEqual(await scanned(t, Buffer.concat([whole, trailer])), expected)
  })

  for (const [what, tail] of [
    ['half a record', record(format, 60).subarray(0, -5)],
    ['half a header', record(format, 60).subarray(0, 7)],
    ['zeros', Buffer.alloc(4_096)],
    ['a length that no record has', Buffer.alloc(64, 0xff)],
  ] as const) {
    test(`scanFile() stops before ${what} at the end of a ${format} file`, async t => {
      const scan = await scanned(t, Buffer.concat([whole, tail]))
      t.deepEqual([scan?.records, scan?.wholeBytes], [2, whole.length])
    })
  }

  test(`scanFile() takes a ${format} file without a whole header for none`, async t => {
    t.is(await scanned(t, head.subarray(0, 20)), undefined)
  })
}

test('scanFile() is undefined for a file of another format, and an empty one', async t => {
  t.is(await scanned(t, Buffer.from('1f8b0800000000000003', 'hex')), undefined)
  t.is(await scanned(t, Buffer.alloc(0)), undefined)
})
