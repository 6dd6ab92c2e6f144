// Packets counted as bytes pass by: the same number however the bytes are cut, and none of what is
// no capture file.
import test from 'ava'
import fc from 'fast-check'
import type { Format } from '../../../src/model/capture.ts'
import { fileHeader, fileTrailer } from '../../../src/pcap/fileHeader.ts'
import { recordBytes, writeRecord } from '../../../src/pcap/record.ts'
import { RecordCounter } from '../../../src/pcap/recordCounter.ts'

const facts = {
  snapLength: 262_144,
  interfaceName: 'cali1',
  filter: '',
  node: 'node-1',
  endpoint: 'shop/web-0',
  capture: 'shop/web',
}

function fileOf(format: Format, lengths: readonly number[]): Buffer {
  const records = lengths.map(length => {
    const bytes = Buffer.alloc(length, 6) // looks like a packet block's type
    const record = {
      seconds: 1_780_000_000,
      microseconds: 5,
      bytes,
      original: length,
      droppedBefore: length % 3,
    }
    const out = Buffer.alloc(recordBytes(format, record))
    writeRecord(format, record, out, 0)
    return out
  })
  const counts = {
    received: lengths.length,
    dropped: 0,
    packets: lengths.length,
    fromMs: 0,
    toMs: 1,
  }
  return Buffer.concat([fileHeader({ ...facts, format }), ...records, fileTrailer(format, counts)])
}

function countIn(file: Buffer, cuts: readonly number[]): number | undefined {
  const counter = new RecordCounter()
  let at = 0
  for (const cut of [...cuts, file.length]) {
    counter.take(file.subarray(at, at + cut))
    at = Math.min(file.length, at + cut)
  }
  return counter.records
}

for (const format of ['pcap', 'pcapng'] as const) {
  test(`RecordCounter counts the packets of a ${format} file, however it is cut`, t => {
    const lengths = fc.array(fc.integer({ min: 1, max: 2_000 }), { maxLength: 20 })
    const cuts = fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 400 })
    fc.assert(
      fc.property(
        lengths,
        cuts,
        (all, pieces) => countIn(fileOf(format, all), pieces) === all.length,
      ),
    )
    t.pass()
  })
}

test('RecordCounter says nothing of an archive, of nothing, and of what cannot be a record', t => {
  t.is(countIn(Buffer.from('1f8b0800000000000003ffff', 'hex'), [3]), undefined)
  t.is(countIn(Buffer.alloc(0), []), undefined)
  const broken = fileOf('pcap', [10, 10])
  broken.writeUInt32LE(0xffff_ffff, 24 + 8)
  t.is(countIn(broken, []), undefined)
})
