// Scans the records of a capture file whose end a crash may have torn. In: an open file. Out: its
// format, its counts and how many bytes are complete records. Reads a mebibyte at a time. Refuses,
// as undefined, a file of another format.
import type { FileHandle } from 'node:fs/promises'
import type { Format } from '../model/capture.ts'
import {
  blockLengthAt,
  blockTypeAt,
  blockTypes,
  formatOf,
  isBlockLength,
  isRecordLength,
  packetFields,
  packetHeaderBytes,
  pcapHeaderBytes,
  recordHeaderAt,
  recordHeaderBytes,
  recordLengthAt,
} from './format.ts'

export type Scan = {
  readonly format: Format
  readonly snapLength: number
  readonly wholeBytes: number // up to the end of the last complete record
  readonly records: number
  readonly recordBytes: number
  readonly firstRecordAtMs?: number // by the kernel's time; missing: there is none
  readonly lastRecordAtMs?: number
}

const chunkBytes = 1_048_576

export async function scanFile(file: FileHandle): Promise<Scan | undefined> {
  const reader = new ChunkReader(file)
  const magic = await reader.at(0, 4)
  const format = magic && formatOf(magic)
  if (format === undefined) return undefined
  return format === 'pcap' ? scanPcap(reader) : scanPcapng(reader)
}

async function scanPcap(reader: ChunkReader): Promise<Scan | undefined> {
  const fileHeader = await reader.at(0, pcapHeaderBytes)
  if (!fileHeader) return undefined
  let [at, records] = [pcapHeaderBytes, 0]
  let firstRecordAtMs: number | undefined
  let lastRecordAtMs: number | undefined
  for (
    let header = await reader.at(at, recordHeaderBytes);
    header;
    header = await reader.at(at, recordHeaderBytes)
  ) {
    const length = recordLengthAt(header, 0)
    // A tail filled with zeros reads as empty records, and no frame is empty.
    if (length === recordHeaderBytes || !isRecordLength(length) || !(await reader.has(at + length)))
      break
    at += length
    records++
    const { seconds, microseconds } = recordHeaderAt(header, 0)
    lastRecordAtMs = seconds * 1_000 + microseconds / 1_000
    firstRecordAtMs ??= lastRecordAtMs
  }
  return {
    format: 'pcap',
    snapLength: fileHeader.readUInt32LE(16),
    wholeBytes: at,
    records,
    recordBytes: at - pcapHeaderBytes,
    ...(firstRecordAtMs !== undefined && { firstRecordAtMs }),
    ...(lastRecordAtMs !== undefined && { lastRecordAtMs }),
  }
}

async function scanPcapng(reader: ChunkReader): Promise<Scan | undefined> {
  let [at, records, recordBytes, snapLength] = [0, 0, 0, 0]
  let firstAt: number | undefined // of the first record
  let lastAt: number | undefined
  // The snap length of an interface block is within its first 16 bytes; no block that selcap writes
  // is shorter.
  for (let header = await reader.at(at, 16); header; header = await reader.at(at, 16)) {
    const [type, length] = [blockTypeAt(header, 0), blockLengthAt(header, 0)]
    if (type === 0 || !isBlockLength(length)) break
    const tail = await reader.at(at + length - 4, 4)
    if (tail?.readUInt32LE(0) !== length) break
    if (type === blockTypes.interface) snapLength = header.readUInt32LE(12)
    if (type === blockTypes.packet) {
      records++
      recordBytes += length
      firstAt ??= at
      lastAt = at
    }
    at += length
  }
  if (snapLength === 0) return undefined
  const last = lastAt === undefined ? undefined : await timeAt(reader, lastAt)
  const first = firstAt === undefined ? undefined : await timeAt(reader, firstAt)
  return {
    format: 'pcapng',
    snapLength,
    wholeBytes: at,
    records,
    recordBytes,
    ...(first !== undefined && { firstRecordAtMs: first }),
    ...(last !== undefined && { lastRecordAtMs: last }),
  }
}

async function timeAt(reader: ChunkReader, offset: number): Promise<number | undefined> {
  const header = await reader.at(offset, packetHeaderBytes)
  if (!header) return undefined
  const { timeHigh, timeLow } = packetFields
  return (header.readUInt32LE(timeHigh) * 2 ** 32 + header.readUInt32LE(timeLow)) / 1e6
}

class ChunkReader {
  readonly #file: FileHandle
  #start = 0 // of the chunk
  #chunk: Buffer = Buffer.alloc(0)
  #size: number | undefined

  constructor(file: FileHandle) {
    this.#file = file
  }

  /** The bytes at that offset; undefined: the file ends before their end. */
  async at(offset: number, length: number): Promise<Buffer | undefined> {
    if (offset < this.#start || offset + length > this.#start + this.#chunk.length)
      await this.#read(offset)
    const from = offset - this.#start
    return from + length <= this.#chunk.length
      ? this.#chunk.subarray(from, from + length)
      : undefined
  }

  async has(end: number): Promise<boolean> {
    this.#size ??= (await this.#file.stat()).size
    return end <= this.#size
  }

  async #read(offset: number): Promise<void> {
    const { bytesRead, buffer } = await this.#file.read(
      Buffer.alloc(chunkBytes),
      0,
      chunkBytes,
      offset,
    )
    this.#start = offset
    this.#chunk = buffer.subarray(0, bytesRead)
  }
}
