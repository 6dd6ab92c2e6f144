// Walks the records of a capture file that a crash may have left torn. In: an open file. Out: its format and how far it is
// whole. Reads a mebibyte at a time; refuses (undefined) what is no file of ours.
import type { FileHandle } from 'node:fs/promises'
import { type Format, recordBytesMax } from '../model/capture.ts'

export type Scan = {
  readonly format: Format
  readonly snapLength: number
  readonly wholeBytes: number // the rest is torn
  readonly records: number
  readonly recordBytes: number
}

const chunkBytes = 1_048_576

export async function scanFile(file: FileHandle): Promise<Scan | undefined> {
  const reader = new ChunkReader(file)
  const magic = (await reader.at(0, 4))?.readUInt32LE(0)
  if (magic === 0xa1b2c3d4) return scanPcap(reader)
  if (magic === 0x0a0d0d0a) return scanPcapng(reader)
  return undefined
}

async function scanPcap(reader: ChunkReader): Promise<Scan | undefined> {
  const header = await reader.at(0, 24)
  if (!header) return undefined
  let [at, records] = [24, 0]
  for (let head = await reader.at(at, 16); head; head = await reader.at(at, 16)) {
    const captured = head.readUInt32LE(8)
    // A zero-filled tail reads as empty records: no frame is empty.
    if (captured === 0 || captured > recordBytesMax || !(await reader.has(at + 16 + captured))) break
    at += 16 + captured
    records++
  }
  return { format: 'pcap', snapLength: header.readUInt32LE(16), wholeBytes: at, records, recordBytes: at - 24 }
}

async function scanPcapng(reader: ChunkReader): Promise<Scan | undefined> {
  let [at, records, recordBytes, snapLength] = [0, 0, 0, 0]
  for (let head = await reader.at(at, 16); head; head = await reader.at(at, 16)) {
    const [type, length] = [head.readUInt32LE(0), head.readUInt32LE(4)]
    if (type === 0 || length < 12 || length > recordBytesMax || length % 4 !== 0) break
    const tail = await reader.at(at + length - 4, 4)
    if (tail?.readUInt32LE(0) !== length) break
    if (type === 1) snapLength = head.readUInt32LE(12)
    if (type === 6) {
      records++
      recordBytes += length
    }
    at += length
  }
  return snapLength === 0 ? undefined : { format: 'pcapng', snapLength, wholeBytes: at, records, recordBytes }
}

class ChunkReader {
  readonly #file: FileHandle
  #start = 0 // of the chunk
  #chunk: Buffer = Buffer.alloc(0)
  #size: number | undefined

  constructor(file: FileHandle) {
    this.#file = file
  }

  /** Those bytes, or undefined where the file ends before. */
  async at(offset: number, length: number): Promise<Buffer | undefined> {
    if (offset < this.#start || offset + length > this.#start + this.#chunk.length) await this.#read(offset)
    const from = offset - this.#start
    return from + length <= this.#chunk.length ? this.#chunk.subarray(from, from + length) : undefined
  }

  async has(end: number): Promise<boolean> {
    this.#size ??= (await this.#file.stat()).size
    return end <= this.#size
  }

  async #read(offset: number): Promise<void> {
    const { bytesRead, buffer } = await this.#file.read(Buffer.alloc(chunkBytes), 0, chunkBytes, offset)
    this.#start = offset
    this.#chunk = buffer.subarray(0, bytesRead)
  }
}
