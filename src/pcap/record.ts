// Encodes a packet as a pcap record (microseconds) or a pcapng enhanced packet block (nanoseconds,
// interface 0). In: a packet with its time. Out: bytes in the caller's buffer. The libpcap driver
// uses it; the ring driver encodes in C. A block carries the drop count if packets were lost before
// it, and no flags: libpcap knows neither direction nor checksum state.
import type { Format } from '../model/capture.ts'
import { blockTypes, packetFields, packetHeaderBytes, recordHeaderBytes } from './format.ts'

export type RecordTimes = { readonly seconds: number; readonly microseconds: number }
export type Recorded = RecordTimes & {
  readonly bytes: Uint8Array // the part of the packet that is written
  readonly original: number // its length on the wire
  readonly droppedBefore: number // pcapng only: packets lost since the last record
}

const blockBytes = packetHeaderBytes + 4 // and the length again
const dropCountBytes = 16 // epb_dropcount (code 4, 8 bytes) and the end of options

export function recordBytes(format: Format, record: Recorded): number {
  if (format === 'pcap') return recordHeaderBytes + record.bytes.length
  return blockBytes + padded(record.bytes.length) + (record.droppedBefore > 0 ? dropCountBytes : 0)
}

/** Writes recordBytes() bytes into `out` at `at`. */
export function writeRecord(format: Format, record: Recorded, out: Buffer, at: number): void {
  if (format === 'pcap') writePcap(record, out, at)
  else writeBlock(record, out, at)
}

function writePcap(
  { seconds, microseconds, bytes, original }: Recorded,
  out: Buffer,
  at: number,
): void {
  out.writeUInt32LE(seconds, at)
  out.writeUInt32LE(microseconds, at + 4)
  out.writeUInt32LE(bytes.length, at + 8)
  out.writeUInt32LE(original, at + 12)
  out.set(bytes, at + recordHeaderBytes)
}

function writeBlock(record: Recorded, out: Buffer, at: number): void {
  const { bytes, original, droppedBefore } = record
  const size = recordBytes('pcapng', record)
  const [high, low] = nanoseconds(record)
  const dataAt = at + packetHeaderBytes
  const paddedEnd = dataAt + padded(bytes.length)
  out.writeUInt32LE(blockTypes.packet, at)
  out.writeUInt32LE(size, at + 4)
  out.writeUInt32LE(0, at + packetFields.interfaceId)
  out.writeUInt32LE(high, at + packetFields.timeHigh)
  out.writeUInt32LE(low, at + packetFields.timeLow)
  out.writeUInt32LE(bytes.length, at + packetFields.captured)
  out.writeUInt32LE(original, at + packetFields.original)
  out.set(bytes, dataAt)
  out.fill(0, dataAt + bytes.length, paddedEnd)
  if (droppedBefore > 0) writeDropCount(droppedBefore, out, paddedEnd)
  out.writeUInt32LE(size, at + size - 4)
}

function writeDropCount(dropped: number, out: Buffer, at: number): void {
  out.writeUInt16LE(4, at)
  out.writeUInt16LE(8, at + 2)
  out.writeBigUInt64LE(BigInt(dropped), at + 4)
  out.writeUInt32LE(0, at + 12)
}

// Nanoseconds since the epoch exceed a number's 53 bits; microseconds fit, and both halves are
// computed from them exactly.
function nanoseconds({ seconds, microseconds }: RecordTimes): readonly [number, number] {
  const total = seconds * 1_000_000 + microseconds
  const lower = (total % 2 ** 32) * 1_000
  return [Math.floor(total / 2 ** 32) * 1_000 + Math.floor(lower / 2 ** 32), lower % 2 ** 32]
}

function padded(length: number): number {
  return (length + 3) & ~3
}
