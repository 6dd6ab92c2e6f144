// Capture files as tests write and read them, in plain code of their own: the header a driver's
// sink must already hold, and the records found in a file. Refuses a file that does not end with a
// whole record.
import type { Format } from '../../../src/model/capture.ts'

export type FileRecord = {
  readonly atNs: bigint
  readonly original: number
  readonly bytes: Buffer // captured
  readonly size: number // of the record in the file, its own header included
  readonly flags: number | undefined // pcapng epb_flags
}

/** The last record is not whole. */
export class TornFile extends Error {
  override readonly name = 'TornFile'
}

export function fileHeader(format: Format): Buffer {
  return format === 'pcap' ? pcapHeader : Buffer.concat([section, interfaceBlock])
}

export function readRecords(file: Buffer, format: Format): FileRecord[] {
  const header = fileHeader(format)
  if (!file.subarray(0, header.length).equals(header))
    throw new Error('Cannot read capture file: its header was overwritten')
  const records: FileRecord[] = []
  for (let at = header.length; at < file.length; ) {
    if (at + 16 > file.length)
      throw new TornFile(`Cannot read capture file: the record at ${at} has no whole header`)
    const record = format === 'pcap' ? pcapRecord(file, at) : block(file, at)
    if (at + record.size > file.length)
      throw new TornFile(`Cannot read capture file: the record at ${at} ends beyond the file`)
    records.push(record)
    at += record.size
  }
  return records
}

const pcapHeader = Buffer.from('d4c3b2a1020004000000000000000000' + '00000400' + '01000000', 'hex')
// Section header: byte order, version 1.0, length unknown.
const section = Buffer.from(
  '0a0d0d0a' + '1c000000' + '4d3c2b1a' + '01000000' + 'ffffffffffffffff' + '1c000000',
  'hex',
)
// Interface: Ethernet, snap length 262,144, if_tsresol 9.
const interfaceBlock = Buffer.from(
  '01000000' +
    '20000000' +
    '01000000' +
    '00000400' +
    '09000100' +
    '09000000' +
    '00000000' +
    '20000000',
  'hex',
)

function pcapRecord(file: Buffer, at: number): FileRecord {
  const captured = file.readUInt32LE(at + 8)
  const microseconds = file.readUInt32LE(at + 4)
  if (microseconds >= 1_000_000)
    throw new Error(`Cannot read capture file: ${microseconds} microseconds in the record at ${at}`)
  const atNs = BigInt(file.readUInt32LE(at)) * 1_000_000_000n + BigInt(microseconds) * 1_000n
  const bytes = file.subarray(at + 16, at + 16 + captured)
  return {
    atNs,
    original: file.readUInt32LE(at + 12),
    bytes,
    size: 16 + captured,
    flags: undefined,
  }
}

function block(file: Buffer, at: number): FileRecord {
  const size = file.readUInt32LE(at + 4)
  if (at + size > file.length)
    throw new TornFile(`Cannot read capture file: the block at ${at} ends beyond the file`)
  if (file.readUInt32LE(at) !== 6 || file.readUInt32LE(at + 8) !== 0)
    throw new Error(
      `Cannot read capture file: expected an enhanced packet block of interface 0 at ${at}`,
    )
  if (size % 4 !== 0 || file.readUInt32LE(at + size - 4) !== size)
    throw new Error(`Cannot read capture file: two sizes in the block at ${at}`)
  const captured = file.readUInt32LE(at + 20)
  const atNs = (BigInt(file.readUInt32LE(at + 12)) << 32n) | BigInt(file.readUInt32LE(at + 16))
  const bytes = file.subarray(at + 28, at + 28 + captured)
  const flags = flagsIn(file.subarray(at + 28 + ((captured + 3) & ~3), at + size - 4))
  return { atNs, original: file.readUInt32LE(at + 24), bytes, size, flags }
}

function flagsIn(options: Buffer): number | undefined {
  for (let at = 0; at + 4 <= options.length; at += 4 + ((options.readUInt16LE(at + 2) + 3) & ~3)) {
    if (options.readUInt16LE(at) === 2) return options.readUInt32LE(at + 4)
  }
  return undefined
}
