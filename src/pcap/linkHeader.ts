// The link type of a capture file, and an Ethernet header for packets that have no link header, so
// that one pcap file can hold both. In: a file as selcap writes it, or a pcap record. Out: a link
// type, or the record with an Ethernet header of zeros and the type of its IP version.
import type { FileHandle } from 'node:fs/promises'
import { type LinkType, linkTypeOf } from '../model/linkType.ts'
import {
  blockLengthAt,
  formatOf,
  isBlockLength,
  pcapHeaderBytes,
  recordHeaderAt,
  recordHeaderBytes,
} from './format.ts'

const ethernetBytes = 14
const etherTypes: Readonly<Record<number, number>> = { 4: 0x0800, 6: 0x86dd } // by IP version

/** Ethernet also for a file without a whole header, which has no packet. */
export async function linkTypeOfFile(file: FileHandle): Promise<LinkType> {
  const head = await read(file, 0, pcapHeaderBytes)
  const format = head && formatOf(head)
  if (!head || !format) return 'Ethernet'
  if (format === 'pcap') return linkTypeOf(head.readUInt32LE(20)) ?? 'Ethernet'
  const sectionBytes = blockLengthAt(head, 0)
  const face = isBlockLength(sectionBytes) ? await read(file, sectionBytes, 10) : undefined
  return (face && linkTypeOf(face.readUInt16LE(8))) ?? 'Ethernet'
}

/** A pcap record of an IP packet without a link header → one of an Ethernet frame. */
export function withEthernetHeader(record: Buffer): Buffer {
  const { captured, original } = recordHeaderAt(record, 0)
  const out = Buffer.alloc(record.length + ethernetBytes)
  record.copy(out, 0, 0, recordHeaderBytes)
  out.writeUInt32LE(captured + ethernetBytes, 8)
  out.writeUInt32LE(original + ethernetBytes, 12)
  const version = (record[recordHeaderBytes] ?? 0) >> 4
  out.writeUInt16BE(etherTypes[version] ?? 0, recordHeaderBytes + ethernetBytes - 2)
  record.copy(out, recordHeaderBytes + ethernetBytes, recordHeaderBytes)
  return out
}

async function read(file: FileHandle, at: number, length: number): Promise<Buffer | undefined> {
  const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, at)
  return bytesRead === length ? buffer : undefined
}
