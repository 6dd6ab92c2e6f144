// Reads pcap files record by record, and several in the order of time. In: paths of files as selcap writes them (little-endian,
// microseconds), whole or from one place to another. Out: records as they stand in a file, head and packet, and where each ends. Holds
// a few kilobytes of each file, however long they are; a record that is not whole is the end of its file.
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { recordBytesMax } from '../model/capture.ts'
import { Heap } from './heap.ts'

/** `bytes`: valid until the next one is asked for. */
export type PcapRecord = {
  readonly seconds: number
  readonly microseconds: number
  readonly original: number
  readonly bytes: Buffer
  readonly file: number // as its part says
  readonly endAt: number // in its file
}

/** Of a file. `file`: the caller's number for it. `inode`: the part is left out where another file has that path by now, or none. */
export type FilePart = {
  readonly path: string
  readonly file: number
  readonly inode?: number
  readonly fromByte: number
  readonly toByte: number
}

export const pcapHeadBytes = 24
const recordHeadBytes = 16
const chunkBytes = { least: 8_192, most: 65_536, all: 8_388_608 } as const

/** All of these files. */
export function recordsInOrder(paths: readonly string[]): AsyncGenerator<PcapRecord, void, undefined> {
  return recordsOf(paths.map((path, file) => ({ path, file, fromByte: pcapHeadBytes, toByte: Number.POSITIVE_INFINITY })))
}

export async function* recordsOf(parts: readonly FilePart[]): AsyncGenerator<PcapRecord, void, undefined> {
  const bytes = Math.max(chunkBytes.least, Math.min(chunkBytes.most, Math.floor(chunkBytes.all / Math.max(1, parts.length))))
  const readers: RecordReader[] = []
  try {
    for (const part of parts) {
      const file = await openPart(part)
      if (file) readers.push(new RecordReader(file, part, bytes))
    }
    yield* merged(readers)
  } finally {
    await Promise.all(readers.map(reader => reader.close()))
  }
}

async function openPart({ path, inode }: FilePart): Promise<FileHandle | undefined> {
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
    if (inode === undefined || (await file.stat()).ino === inode) return file
    await file.close()
  } catch (error) {
    if (inode === undefined || (error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  return undefined
}

async function* merged(readers: readonly RecordReader[]): AsyncGenerator<PcapRecord, void, undefined> {
  const heap = new Heap<RecordReader>((a, b) => isBefore(a.record, b.record))
  for (const reader of readers) if (await reader.next()) heap.add(reader)
  for (let first = heap.first; first?.record; first = heap.first) {
    yield first.record
    if (await first.next()) heap.sinkFirst()
    else heap.removeFirst()
  }
}

function isBefore(a: PcapRecord | undefined, b: PcapRecord | undefined): boolean {
  if (!a || !b) return false
  return a.seconds < b.seconds || (a.seconds === b.seconds && a.microseconds < b.microseconds)
}

class RecordReader {
  record: PcapRecord | undefined
  readonly #file: FileHandle
  readonly #part: FilePart
  #buffer: Buffer
  #from = 0 // of what is not read yet, in the buffer
  #to = 0
  #at: number // of what comes behind the buffer, in the file

  constructor(file: FileHandle, part: FilePart, bytes: number) {
    this.#file = file
    this.#part = part
    this.#at = part.fromByte
    this.#buffer = Buffer.allocUnsafe(bytes)
  }

  async next(): Promise<boolean> {
    this.record = undefined
    if (!(await this.#has(recordHeadBytes))) return false
    const size = recordHeadBytes + this.#buffer.readUInt32LE(this.#from + 8)
    if (size > recordBytesMax || !(await this.#has(size))) return false
    const bytes = this.#buffer.subarray(this.#from, this.#from + size)
    this.#from += size
    this.record = {
      seconds: bytes.readUInt32LE(0),
      microseconds: bytes.readUInt32LE(4),
      original: bytes.readUInt32LE(12),
      bytes,
      file: this.#part.file,
      endAt: this.#at - (this.#to - this.#from),
    }
    return true
  }

  close(): Promise<void> {
    return this.#file.close()
  }

  async #has(bytes: number): Promise<boolean> {
    if (this.#to - this.#from >= bytes) return true
    const larger = bytes > this.#buffer.length ? Buffer.allocUnsafe(bytes) : this.#buffer
    this.#buffer.copy(larger, 0, this.#from, this.#to)
    this.#to -= this.#from
    this.#from = 0
    this.#buffer = larger
    while (this.#to < bytes) {
      const room = Math.min(this.#buffer.length - this.#to, this.#part.toByte - this.#at)
      const { bytesRead } = room <= 0 ? { bytesRead: 0 } : await this.#file.read(this.#buffer, this.#to, room, this.#at)
      if (bytesRead === 0) return false
      this.#to += bytesRead
      this.#at += bytesRead
    }
    return true
  }
}
