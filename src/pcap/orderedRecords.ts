// Reads the records of one or several pcap files, merged in the order of their times. In: paths of
// pcap files as selcap writes them, whole or a range of bytes. Out: records with their headers, and
// where each ends; packets without a link header get an Ethernet one, so that all fit one file.
// Holds a few kilobytes of each file. Refuses a symbolic link; an incomplete
// record ends its file.
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import {
  isRecordLength,
  pcapHeaderBytes,
  type RecordHeader,
  recordHeaderAt,
  recordHeaderBytes,
  recordLengthAt,
} from './format.ts'
import { Heap } from './heap.ts'
import { linkTypeOfFile, withEthernetHeader } from './linkHeader.ts'

/** `bytes`: header and packet, valid until the next record is read. */
export type PcapRecord = RecordHeader & {
  readonly bytes: Buffer
  readonly file: number // the number in its FilePart
  readonly endAt: number // offset in its file
}

/**
 * A range of a file. `file`: the caller's number for it. `inode`: the range is skipped if the path
 * has another inode now, or none.
 */
export type FilePart = {
  readonly path: string
  readonly file: number
  readonly inode?: number
  readonly fromByte: number
  readonly toByte: number
}

const chunkBytes = { least: 8_192, most: 65_536, all: 8_388_608 } as const

/** The records of all these files. */
export function recordsInOrder(
  paths: readonly string[],
): AsyncGenerator<PcapRecord, void, undefined> {
  return recordsOf(
    paths.map((path, file) => ({
      path,
      file,
      fromByte: pcapHeaderBytes,
      toByte: Number.POSITIVE_INFINITY,
    })),
  )
}

export async function* recordsOf(
  parts: readonly FilePart[],
): AsyncGenerator<PcapRecord, void, undefined> {
  const bytes = Math.max(
    chunkBytes.least,
    Math.min(chunkBytes.most, Math.floor(chunkBytes.all / Math.max(1, parts.length))),
  )
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

async function* merged(
  readers: readonly RecordReader[],
): AsyncGenerator<PcapRecord, void, undefined> {
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
  #from = 0 // the unread bytes of the buffer: from here
  #to = 0 // to here
  #at: number // offset in the file of the byte after them
  #isRawIp: boolean | undefined // undefined: not looked at yet

  constructor(file: FileHandle, part: FilePart, bytes: number) {
    this.#file = file
    this.#part = part
    this.#at = part.fromByte
    this.#buffer = Buffer.allocUnsafe(bytes)
  }

  async next(): Promise<boolean> {
    this.record = undefined
    if (!(await this.#fill(recordHeaderBytes))) return false
    const size = recordLengthAt(this.#buffer, this.#from)
    if (!isRecordLength(size) || !(await this.#fill(size))) return false
    const record = this.#buffer.subarray(this.#from, this.#from + size)
    this.#isRawIp ??= (await linkTypeOfFile(this.#file)) === 'RawIp'
    const bytes = this.#isRawIp ? withEthernetHeader(record) : record
    this.#from += size
    this.record = {
      ...recordHeaderAt(bytes, 0),
      bytes,
      file: this.#part.file,
      endAt: this.#at - (this.#to - this.#from),
    }
    return true
  }

  close(): Promise<void> {
    return this.#file.close()
  }

  /**
   * Reads until the buffer holds so many unread bytes. False: the file or its range ends before.
   */
  async #fill(bytes: number): Promise<boolean> {
    if (this.#to - this.#from >= bytes) return true
    const larger = bytes > this.#buffer.length ? Buffer.allocUnsafe(bytes) : this.#buffer
    this.#buffer.copy(larger, 0, this.#from, this.#to)
    this.#to -= this.#from
    this.#from = 0
    this.#buffer = larger
    while (this.#to < bytes) {
      const room = Math.min(this.#buffer.length - this.#to, this.#part.toByte - this.#at)
      const { bytesRead } =
        room <= 0 ? { bytesRead: 0 } : await this.#file.read(this.#buffer, this.#to, room, this.#at)
      if (bytesRead === 0) return false
      this.#to += bytesRead
      this.#at += bytesRead
    }
    return true
  }
}
