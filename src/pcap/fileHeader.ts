// What stands in a capture file beside its records: the header of both formats and pcapng's closing statistics.
// Always little-endian, link type Ethernet. One section and one interface a file, so every file opens on its own.
import { release } from 'node:os'
import type { TapCounters } from '../driver/driver.ts'
import type { Format } from '../model/capture.ts'
import { blockTypes, count, option, textOption, timestampBytes, wrap } from './block.ts'

const ethernet = 1
const optionBytesMax = 65_535

export type HeaderOptions = {
  readonly format: Format
  readonly snapLength: number
  readonly interfaceName: string
  readonly endpoint: string // namespace/pod
  readonly capture: string // namespace/name
  readonly node: string
  readonly filter: string
}

export function fileHeader(facts: HeaderOptions): Buffer {
  return facts.format === 'pcap' ? pcapHeader(facts.snapLength) : Buffer.concat([sectionBlock(facts), interfaceBlock(facts)])
}

function pcapHeader(snapLength: number): Buffer {
  const header = Buffer.alloc(24)
  header.writeUInt32LE(0xa1b2c3d4, 0) // times in microseconds
  header.writeUInt16LE(2, 4)
  header.writeUInt16LE(4, 6)
  header.writeUInt32LE(snapLength, 16)
  header.writeUInt32LE(ethernet, 20)
  return header
}

function sectionBlock({ capture, node }: HeaderOptions): Buffer {
  return sectionOf(`capture ${capture} on node ${node}`)
}

export function sectionOf(comment: string): Buffer {
  const body = Buffer.alloc(16)
  body.writeUInt32LE(0x1a2b3c4d, 0)
  body.writeUInt16LE(1, 4)
  body.writeBigInt64LE(-1n, 8) // a section of unknown length: it is still being written
  return wrap(blockTypes.section, body, [textOption(1, comment), textOption(3, `Linux ${release()}`), textOption(4, 'selcap')])
}

/** With a comment where several nodes' interfaces stand side by side, as in a live stream. */
export function interfaceBlock(
  { snapLength, interfaceName, endpoint, filter }: Omit<HeaderOptions, 'format' | 'capture' | 'node'>,
  comment?: string,
): Buffer {
  const body = Buffer.alloc(8)
  body.writeUInt16LE(ethernet, 0)
  body.writeUInt32LE(snapLength, 4)
  const text = Buffer.concat([Buffer.of(0), Buffer.from(filter)])
  const filters = filter === '' || text.length > optionBytesMax ? [] : [option(11, text)]
  const comments = comment === undefined ? [] : [textOption(1, comment)]
  return wrap(blockTypes.interface, body, [
    ...comments,
    textOption(2, interfaceName),
    textOption(3, endpoint),
    option(9, Buffer.of(9)),
    ...filters,
  ])
}

export type Statistics = Pick<TapCounters, 'received' | 'dropped' | 'packets'> & { readonly fromMs: number; readonly toMs: number }

/** What was captured and lost while the file was written; '' long for pcap, which has no place for it. */
export function fileTrailer(format: Format, { received, dropped, packets, fromMs, toMs }: Statistics): Buffer {
  if (format === 'pcap') return Buffer.alloc(0)
  return wrap(blockTypes.statistics, Buffer.concat([Buffer.alloc(4), timestampBytes(toMs)]), [
    option(2, timestampBytes(fromMs)),
    option(3, timestampBytes(toMs)),
    option(4, count(received)),
    option(6, count(received)), // accepted by the filter: the kernel counts behind it
    option(7, count(dropped)),
    option(8, count(packets)),
  ])
}

/** What must stay free at the end of a file. */
export function trailerBytes(format: Format): number {
  return fileTrailer(format, { received: 0, dropped: 0, packets: 0, fromMs: 0, toMs: 0 }).length
}
