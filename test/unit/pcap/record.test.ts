// A packet as a record of either format, byte for byte.
import test from 'ava'
import { recordBytes, writeRecord } from '../../../src/pcap/record.ts'

const packet = {
  seconds: 1_780_000_000,
  microseconds: 123_456,
  bytes: Buffer.from('abcde'),
  original: 60,
  droppedBefore: 0,
}

test('writeRecord() writes a pcap record: seconds, microseconds, both lengths, the packet', t => {
  t.is(recordBytes('pcap', packet), 16 + 5)
  const out = Buffer.alloc(2 + 16 + 5, 0xee)
  writeRecord('pcap', packet, out, 2)
  t.deepEqual([2, 6, 10, 14].map(at => out.readUInt32LE(at)), [1_780_000_000, 123_456, 5, 60]) // biome-ignore format: one line
  t.is(out.toString('latin1', 18), 'abcde')
  t.is(out.readUInt16LE(0), 0xeeee)
})

test('writeRecord() writes a pcapng block with nanoseconds, padded to four bytes, its length at both ends', t => {
  const bytes = recordBytes('pcapng', packet)
  const out = Buffer.alloc(bytes, 0xee)
  writeRecord('pcapng', packet, out, 0)
  t.is(bytes, 28 + 8 + 4)
  t.deepEqual([0, 4, 8, 20, 24, bytes - 4].map(at => out.readUInt32LE(at)), [6, bytes, 0, 5, 60, bytes]) // biome-ignore format: one line
  t.is(
    (BigInt(out.readUInt32LE(12)) << 32n) | BigInt(out.readUInt32LE(16)),
    1_780_000_000_123_456_000n,
  )
  t.is(out.toString('latin1', 28, 36), 'abcde\0\0\0')
})

test('writeRecord() puts the packets dropped before a block into its option, and none into pcap', t => {
  const lossy = { ...packet, droppedBefore: 7 }
  t.is(recordBytes('pcap', lossy), 16 + 5)
  const out = Buffer.alloc(recordBytes('pcapng', lossy))
  writeRecord('pcapng', lossy, out, 0)
  t.is(out.toString('hex', 36, 52), '0400' + '0800' + '0700000000000000' + '00000000')
})

test('writeRecord() keeps each microsecond of the last second that 32 bits of seconds can hold', t => {
  const last = { ...packet, seconds: 0xffff_ffff, microseconds: 999_999 }
  const out = Buffer.alloc(recordBytes('pcapng', last))
  writeRecord('pcapng', last, out, 0)
  t.is(
    (BigInt(out.readUInt32LE(12)) << 32n) | BigInt(out.readUInt32LE(16)),
    4_294_967_295_999_999_000n,
  )
})
