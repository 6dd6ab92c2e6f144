// The packets of a capture file of ours, pcap or pcapng, as pcapng blocks with their times, a chunk of the file at a time.
// Little-endian; microseconds in pcap, nanoseconds in pcapng, as src/files and native/ write them. Refuses anything else.
import { createReadStream } from 'node:fs'
import { CommandFailure } from '../cmd/exitCodes.ts'
import { recordBytesMax } from '../model/capture.ts'
import { recordBytes, writeRecord } from './record.ts'

/** Nanoseconds since the epoch, in two halves. The block is the caller's to change. */
export type TimedBlock = { readonly block: Buffer; readonly high: number; readonly low: number }

const chunkBytes = 262_144
const pcapMagic = 0xa1b2c3d4
const types = { section: 0x0a0d0d0a, packet: 6 } as const

type BlockCut = {
  readonly skip: number
  readonly headBytes: number
  readonly sizeAt: (data: Buffer, at: number) => number
  readonly toBlock: (record: Buffer) => TimedBlock | undefined
}

const pcap: BlockCut = { skip: 24, headBytes: 16, sizeAt: (data, at) => 16 + data.readUInt32LE(at + 8), toBlock: fromPcap }
const pcapng: BlockCut = { skip: 0, headBytes: 12, sizeAt: (data, at) => data.readUInt32LE(at + 4), toBlock: fromPcapng }

export async function* readPacketBlocks(file: string): AsyncGenerator<TimedBlock[]> {
  let format: BlockCut | undefined
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of createReadStream(file, { highWaterMark: chunkBytes }) as AsyncIterable<Buffer>) {
    let data: Buffer = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk
    if (!format && data.length >= 24) {
      format = formatOf(data, file)
      data = data.subarray(format.skip)
    }
    const { blocks, used } = format ? cut(data, format, file) : { blocks: [], used: 0 }
    if (blocks.length > 0) yield blocks
    rest = data.subarray(used)
  }
  if (rest.length > 0) throw new CommandFailure('failed', `Cannot merge ${file}: it ends within a packet`)
}

function cut(
  data: Buffer,
  { headBytes, sizeAt, toBlock }: BlockCut,
  file: string,
): { readonly blocks: TimedBlock[]; readonly used: number } {
  const blocks: TimedBlock[] = []
  let at = 0
  while (data.length - at >= headBytes) {
    const size = sizeAt(data, at)
    if (size < 12 || size > recordBytesMax) throw new CommandFailure('failed', `Cannot merge ${file}: found a record of ${size} bytes`)
    if (data.length - at < size) break
    const block = toBlock(data.subarray(at, at + size))
    if (block) blocks.push(block)
    at += size
  }
  return { blocks, used: at }
}

function formatOf(data: Buffer, file: string): BlockCut {
  const magic = data.readUInt32LE(0)
  if (magic === pcapMagic) return pcap
  if (magic === types.section && data.readUInt32LE(8) === 0x1a2b3c4d) return pcapng
  throw new CommandFailure(
    'failed',
    `Cannot merge ${file}: expected a capture file as selcap writes it, found ${data.toString('hex', 0, 4)}`,
  )
}

function fromPcap(record: Buffer): TimedBlock {
  const bytes = record.subarray(16)
  const recorded = {
    seconds: record.readUInt32LE(0),
    microseconds: record.readUInt32LE(4),
    bytes,
    original: record.readUInt32LE(12),
    droppedBefore: 0,
  }
  const block = Buffer.alloc(recordBytes('pcapng', recorded))
  writeRecord('pcapng', recorded, block, 0)
  return timed(block)
}

function fromPcapng(block: Buffer): TimedBlock | undefined {
  return block.readUInt32LE(0) === types.packet ? timed(block) : undefined
}

function timed(block: Buffer): TimedBlock {
  return { block, high: block.readUInt32LE(12), low: block.readUInt32LE(16) }
}
