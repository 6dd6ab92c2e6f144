// A packet as it stands in a file: a pcap record (microseconds) or a pcapng enhanced packet block (nanoseconds, interface 0).
// Little-endian both. For src/driver/libpcap/libpcapDriver.ts; the addon has its own in C. libpcap tells neither direction nor checksum
// state, so a block carries no flags; it carries the drop count where packets were lost before it.
import type { Format } from '../model/capture.ts'

export type RecordTimes = { readonly seconds: number; readonly microseconds: number }
export type Recorded = RecordTimes & {
  readonly bytes: Uint8Array // what is written of the packet
  readonly original: number // its length on the wire
  readonly droppedBefore: number // pcapng only: packets lost since the last record
}

const blockBytes = 32 // type, two lengths, interface, two halves of the time, captured, original
const dropBytes = 16 // epb_dropcount (code 4, 8 bytes) and the end of options

export function recordBytes(format: Format, record: Recorded): number {
  if (format === 'pcap') return 16 + record.bytes.length
  return blockBytes + padded(record.bytes.length) + (record.droppedBefore > 0 ? dropBytes : 0)
}

/** Writes the record into `out` at `at`: recordBytes() of it. */
export function writeRecord(format: Format, record: Recorded, out: Buffer, at: number): void {
  if (format === 'pcap') writePcap(record, out, at)
  else writeBlock(record, out, at)
}

function writePcap({ seconds, microseconds, bytes, original }: Recorded, out: Buffer, at: number): void {
  out.writeUInt32LE(seconds, at)
  out.writeUInt32LE(microseconds, at + 4)
  out.writeUInt32LE(bytes.length, at + 8)
  out.writeUInt32LE(original, at + 12)
  out.set(bytes, at + 16)
}

function writeBlock(record: Recorded, out: Buffer, at: number): void {
  const { bytes, original, droppedBefore } = record
  const size = recordBytes('pcapng', record)
  const [high, low] = nanoseconds(record)
  out.writeUInt32LE(6, at)
  out.writeUInt32LE(size, at + 4)
  out.writeUInt32LE(0, at + 8)
  out.writeUInt32LE(high, at + 12)
  out.writeUInt32LE(low, at + 16)
  out.writeUInt32LE(bytes.length, at + 20)
  out.writeUInt32LE(original, at + 24)
  out.set(bytes, at + 28)
  out.fill(0, at + 28 + bytes.length, at + 28 + padded(bytes.length))
  if (droppedBefore > 0) writeDrops(droppedBefore, out, at + 28 + padded(bytes.length))
  out.writeUInt32LE(size, at + size - 4)
}

function writeDrops(dropped: number, out: Buffer, at: number): void {
  out.writeUInt16LE(4, at)
  out.writeUInt16LE(8, at + 2)
  out.writeBigUInt64LE(BigInt(dropped), at + 4)
  out.writeUInt32LE(0, at + 12)
}

// Nanoseconds since the epoch do not fit a number; microseconds do, and the two halves follow from them exactly.
function nanoseconds({ seconds, microseconds }: RecordTimes): readonly [number, number] {
  const total = seconds * 1_000_000 + microseconds
  const lower = (total % 2 ** 32) * 1_000
  return [Math.floor(total / 2 ** 32) * 1_000 + Math.floor(lower / 2 ** 32), lower % 2 ** 32]
}

function padded(length: number): number {
  return (length + 3) & ~3
}
