// Reads the packets of a capture file, pcap or pcapng, as pcapng packet blocks. In: the path of a
// file as selcap writes it. Out: blocks with their times, a chunk of the file at a time. Refuses
// with ExpectedError a file of another format, one that ends within a packet, and a block that is too
// short for its packet.
import { createReadStream } from 'node:fs'
import type { Format } from '../model/capture.ts'
import { ExpectedError } from '../model/errors.ts'
import {
  blockLengthAt,
  blockTypeAt,
  blockTypes,
  byteOrderMagic,
  formatOf,
  holdsItsPacket,
  isBlockLength,
  isRecordLength,
  packetFields,
  pcapHeaderBytes,
  recordHeaderAt,
  recordHeaderBytes,
  recordLengthAt,
} from './format.ts'
import { recordBytes, writeRecord } from './record.ts'

/** Nanoseconds since the epoch, in two halves. The caller may write into the block. */
export type TimedBlock = { readonly block: Buffer; readonly high: number; readonly low: number }

const chunkBytes = 262_144

/** How the records of a format are cut out of a file. */
type RecordLayout = {
  readonly fileHeaderBytes: number
  readonly headerBytes: number
  readonly lengthAt: (data: Buffer, at: number) => number
  readonly isLength: (length: number) => boolean
  readonly toBlock: (record: Buffer) => TimedBlock | 'broken' | undefined // undefined: no packet
}

const layouts: Readonly<Record<Format, RecordLayout>> = {
  pcap: {
    fileHeaderBytes: pcapHeaderBytes,
    headerBytes: recordHeaderBytes,
    lengthAt: recordLengthAt,
    isLength: isRecordLength,
    toBlock: fromPcap,
  },
  pcapng: {
    fileHeaderBytes: 0,
    headerBytes: 12,
    lengthAt: blockLengthAt,
    isLength: isBlockLength,
    toBlock: fromPcapng,
  },
}

export async function* readPacketBlocks(file: string): AsyncGenerator<TimedBlock[]> {
  let layout: RecordLayout | undefined
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of createReadStream(file, {
    highWaterMark: chunkBytes,
  }) as AsyncIterable<Buffer>) {
    let data: Buffer = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk
    if (!layout && data.length >= pcapHeaderBytes) {
      layout = layoutOf(data, file)
      data = data.subarray(layout.fileHeaderBytes)
    }
    const { blocks, used } = layout ? cut(data, layout, file) : { blocks: [], used: 0 }
    if (blocks.length > 0) yield blocks
    rest = data.subarray(used)
  }
  if (rest.length > 0) throw new ExpectedError(`Cannot merge ${file}: it ends within a packet`)
}

function cut(
  data: Buffer,
  { headerBytes, lengthAt, isLength, toBlock }: RecordLayout,
  file: string,
): { readonly blocks: TimedBlock[]; readonly used: number } {
  const blocks: TimedBlock[] = []
  let at = 0
  while (data.length - at >= headerBytes) {
    const length = lengthAt(data, at)
    if (!isLength(length))
      throw new ExpectedError(`Cannot merge ${file}: found a record of ${length} bytes`)
    if (data.length - at < length) break
    const block = toBlock(data.subarray(at, at + length))
    if (block === 'broken')
      throw new ExpectedError(`Cannot merge ${file}: found a packet that is longer than its block`)
    if (block) blocks.push(block)
    at += length
  }
  return { blocks, used: at }
}

function layoutOf(data: Buffer, file: string): RecordLayout {
  const format = formatOf(data)
  if (format === 'pcap' || (format === 'pcapng' && data.readUInt32LE(8) === byteOrderMagic))
    return layouts[format]
  throw new ExpectedError(
    `Cannot merge ${file}: expected a capture file as selcap writes it, found ${data.toString('hex', 0, 4)}`,
  )
}

function fromPcap(record: Buffer): TimedBlock {
  const packet = {
    ...recordHeaderAt(record, 0),
    bytes: record.subarray(recordHeaderBytes),
    droppedBefore: 0,
  }
  const block = Buffer.alloc(recordBytes('pcapng', packet))
  writeRecord('pcapng', packet, block, 0)
  return timed(block)
}

function fromPcapng(block: Buffer): TimedBlock | 'broken' | undefined {
  if (blockTypeAt(block, 0) !== blockTypes.packet) return undefined
  return holdsItsPacket(block) ? timed(block) : 'broken'
}

function timed(block: Buffer): TimedBlock {
  return {
    block,
    high: block.readUInt32LE(packetFields.timeHigh),
    low: block.readUInt32LE(packetFields.timeLow),
  }
}
