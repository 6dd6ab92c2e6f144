// Makes the header of a capture file of either format, and the statistics block that closes a
// pcapng file. In: what the headers name, and the counters of the file. Out: bytes, one section
// and one interface a file. Refuses nothing; a filter longer than a pcapng
// option is left out.
import { release } from 'node:os'
import type { Format } from '../model/capture.ts'
import { type LinkType, linkTypeNumbers } from '../model/linkType.ts'
import { countBytes, makeBlock, option, textOption, timestampBytes } from './block.ts'
import { blockTypes, byteOrderMagic, pcapHeaderBytes, pcapMagic } from './format.ts'

const optionBytesMax = 65_535

export type HeaderOptions = {
  readonly format: Format
  readonly snapLength: number
  readonly linkType?: LinkType // Ethernet if it is missing
  readonly interfaceName: string
  readonly endpoint: string // namespace/pod
  readonly capture: string // namespace/name
  readonly node: string
  readonly filter: string
}

export function fileHeader(options: HeaderOptions): Buffer {
  const { format, snapLength, linkType, capture, node } = options
  if (format === 'pcap') return pcapHeader(snapLength, linkType)
  return Buffer.concat([sectionOf(`capture ${capture} on node ${node}`), interfaceBlock(options)])
}

export function pcapHeader(snapLength: number, linkType: LinkType = 'Ethernet'): Buffer {
  const header = Buffer.alloc(pcapHeaderBytes)
  header.writeUInt32LE(pcapMagic, 0)
  header.writeUInt16LE(2, 4)
  header.writeUInt16LE(4, 6)
  header.writeUInt32LE(snapLength, 16)
  header.writeUInt32LE(linkTypeNumbers[linkType], 20)
  return header
}

export function sectionOf(comment: string): Buffer {
  const body = Buffer.alloc(16)
  body.writeUInt32LE(byteOrderMagic, 0)
  body.writeUInt16LE(1, 4)
  body.writeBigInt64LE(-1n, 8) // length unknown: the section is still being written
  return makeBlock(blockTypes.section, body, [
    textOption(1, comment),
    textOption(3, `Linux ${release()}`),
    textOption(4, 'selcap'),
  ])
}

/** `comment`: for a live stream, which has the interfaces of several nodes. */
export function interfaceBlock(
  {
    snapLength,
    linkType = 'Ethernet',
    interfaceName,
    endpoint,
    filter,
  }: Omit<HeaderOptions, 'format' | 'capture' | 'node'>,
  comment?: string,
): Buffer {
  const body = Buffer.alloc(8)
  body.writeUInt16LE(linkTypeNumbers[linkType], 0)
  body.writeUInt32LE(snapLength, 4)
  const text = Buffer.concat([Buffer.of(0), Buffer.from(filter)])
  const filters = filter === '' || text.length > optionBytesMax ? [] : [option(11, text)]
  const comments = comment === undefined ? [] : [textOption(1, comment)]
  return makeBlock(blockTypes.interface, body, [
    ...comments,
    textOption(2, interfaceName),
    textOption(3, endpoint),
    option(9, Buffer.of(9)),
    ...filters,
  ])
}

/**
 * Counts of one file: packets received and dropped by the kernel while it was active, and packets
 * written to it.
 */
export type Statistics = {
  readonly received: number
  readonly dropped: number
  readonly packets: number
  readonly fromMs: number
  readonly toMs: number
}

/** The statistics block that closes a file. Empty for pcap, which has no statistics block. */
export function fileTrailer(
  format: Format,
  { received, dropped, packets, fromMs, toMs }: Statistics,
): Buffer {
  if (format === 'pcap') return Buffer.alloc(0)
  return makeBlock(blockTypes.statistics, Buffer.concat([Buffer.alloc(4), timestampBytes(toMs)]), [
    option(2, timestampBytes(fromMs)),
    option(3, timestampBytes(toMs)),
    option(4, countBytes(received)),
    option(6, countBytes(received)), // accepted by the filter: the kernel counts after filtering
    option(7, countBytes(dropped)),
    option(8, countBytes(packets)),
  ])
}

/** How many bytes of a file its trailer takes. */
export function trailerBytes(format: Format): number {
  return fileTrailer(format, { received: 0, dropped: 0, packets: 0, fromMs: 0, toMs: 0 }).length
}
