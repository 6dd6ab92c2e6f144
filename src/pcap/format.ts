// The layout of a capture file, once for everything that reads or writes one: pcap with times in
// microseconds, pcapng in nanoseconds. In: bytes and an offset. Out: the fields at that offset, and
// whether a length can be one. Little-endian only. Reads no file and throws nothing: the caller
// decides what a field without sense means.

import { type Format, recordBytesMax } from '../model/capture.ts'

export const pcapHeaderBytes = 24
export const recordHeaderBytes = 16 // before each packet of a pcap file
export const blockHeaderBytes = 8 // a pcapng block's type and length
export const packetHeaderBytes = 28 // of an enhanced packet block, before the packet
export const blockTypes = {
  section: 0x0a0d0d0a,
  interface: 1,
  names: 4, // name resolution
  statistics: 5,
  packet: 6,
} as const
export const pcapMagic = 0xa1b2c3d4
export const byteOrderMagic = 0x1a2b3c4d // in a section header block

const blockBytesMin = 12 // type, length, and the length again

/** Offsets within an enhanced packet block. The time is in nanoseconds, in two halves. */
export const packetFields = {
  interfaceId: 8,
  timeHigh: 12,
  timeLow: 16,
  captured: 20,
  original: 24,
} as const

/** By the first four bytes; undefined: neither format. */
export function formatOf(bytes: Buffer): Format | undefined {
  const magic = bytes.readUInt32LE(0)
  if (magic === pcapMagic) return 'pcap'
  return magic === blockTypes.section ? 'pcapng' : undefined
}

export type RecordHeader = {
  readonly seconds: number
  readonly microseconds: number
  readonly captured: number
  readonly original: number
}

export function recordHeaderAt(bytes: Buffer, at: number): RecordHeader {
  return {
    seconds: bytes.readUInt32LE(at),
    microseconds: bytes.readUInt32LE(at + 4),
    captured: bytes.readUInt32LE(at + 8),
    original: bytes.readUInt32LE(at + 12),
  }
}

/** Of a pcap record with its header. */
export function recordLengthAt(bytes: Buffer, at: number): number {
  return recordHeaderBytes + bytes.readUInt32LE(at + 8)
}

export function isRecordLength(length: number): boolean {
  return length >= recordHeaderBytes && length <= recordBytesMax
}

export function blockTypeAt(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at)
}

/** Of a pcapng block with its header and trailer. */
export function blockLengthAt(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at + 4)
}

export function isBlockLength(length: number): boolean {
  return length >= blockBytesMin && length <= recordBytesMax && length % 4 === 0
}

/** False: an enhanced packet block that is too short for its fields, or for the packet it claims. */
export function holdsItsPacket(block: Buffer): boolean {
  const packetBytesMax = block.length - packetHeaderBytes - 4 // the block's length comes again at its end
  return packetBytesMax >= 0 && block.readUInt32LE(packetFields.captured) <= packetBytesMax
}

/** What isBlockLength() expects, for messages. */
export const blockLengthExpected = `a multiple of 4 from ${blockBytesMin} to ${recordBytesMax}`
