// Reads pcap files record by record, and several in the order of time. In: paths of complete files as selcap writes them
// (little-endian, microseconds). Out: records as they stand in a file, head and packet. Holds a few kilobytes of each file,
// however long they are; a record that a crash tore is the end of its file.
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { recordBytesMax } from '../model/capture.ts'
import { Heap } from '../stream/heap.ts'

/** `bytes`: valid until the next one is asked for. */
export type PcapRecord = { readonly seconds: number; readonly microseconds: number; readonly original: number; readonly bytes: Buffer }

export const pcapHeadBytes = 24
const recordHeadBytes = 16
const chunkBytes = { least: 8_192, most: 65_536, all: 8_388_608 } as const

export async function* recordsInOrder(paths: readonly string[]): AsyncGenerator<PcapRecord, void, undefined> {
  const bytes = Math.max(chunkBytes.least, Math.min(chunkBytes.most, Math.floor(chunkBytes.all / Math.max(1, paths.length))))
  const readers: RecordReader[] = []
  try {
    for (const path of paths) readers.push(new RecordReader(await open(path, constants.O_RDONLY | constants.O_NOFOLLOW), bytes))
    yield* merged(readers)
  } finally {
    await Promise.all(readers.map(reader => reader.close()))
  }
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
  #buffer: Buffer
  #from = 0 // of what is not read yet, in the buffer
  #to = 0
  #at = pcapHeadBytes // of what comes behind the buffer, in the file

  constructor(file: FileHandle, bytes: number) {
    this.#file = file
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
      const { bytesRead } = await this.#file.read(this.#buffer, this.#to, this.#buffer.length - this.#to, this.#at)
      if (bytesRead === 0) return false
      this.#to += bytesRead
      this.#at += bytesRead
    }
    return true
  }
}
