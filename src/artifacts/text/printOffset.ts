// The print offsets of a capture's files, in a file beside them, so that a new process continues
// where a killed one stopped. In: for each file, by inode, the end of the last printed record; a
// rename keeps the inode. Out: the unprinted parts of the files. Each offset is appended; the next
// process compacts them when it opens the file.
import {
  appendFileSync,
  closeSync,
  constants,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
} from 'node:fs'
import { join } from 'node:path'
import { isCaptureFile } from '../../files/names.ts'
import { osErrorMessage } from '../../model/errors.ts'
import { pcapHeaderBytes } from '../../pcap/format.ts'
import type { FilePart } from '../../pcap/orderedRecords.ts'
import { atomicWriteSync } from '../../runtime/atomicWrite.ts'

const offsetsFileName = '.printed'

export class PrintOffset implements Disposable {
  readonly #folder: string
  readonly #notes: number
  readonly #ends: Map<number, number>

  private constructor(folder: string, notes: number, ends: Map<number, number>) {
    this.#folder = folder
    this.#notes = notes
    this.#ends = ends
  }

  /** `folder`: of the capture's files. */
  static open(folder: string): PrintOffset {
    const path = join(folder, offsetsFileName)
    const here = new Set(filesIn(folder).map(({ inode }) => inode))
    const ends = new Map([...readOffsets(path)].filter(([inode]) => here.has(inode)))
    atomicWriteSync(path, textOf(ends), { isLasting: false, mode: 0o640 })
    return new PrintOffset(
      folder,
      openSync(path, constants.O_WRONLY | constants.O_APPEND | constants.O_NOFOLLOW),
      ends,
    )
  }

  /** The part of each file behind `readTo`, or else behind its print offset. */
  unread(readTo: ReadonlyMap<number, number>): FilePart[] {
    return filesIn(this.#folder).flatMap(({ path, inode, bytes }) => {
      const fromByte = readTo.get(inode) ?? this.#endOf(inode, bytes)
      return bytes > fromByte ? [{ path, file: inode, inode, fromByte, toByte: bytes }] : []
    })
  }

  /**
   * Returns why the offsets are not saved, on a full disk for instance; in memory they are kept all
   * the same.
   */
  note(ends: ReadonlyMap<number, number>): string | undefined {
    for (const [inode, end] of ends) this.#ends.set(inode, end)
    try {
      appendFileSync(this.#notes, textOf(ends))
      return undefined
    } catch (error) {
      return osErrorMessage(error)
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#notes)
  }

  /** A file shorter than its offset is a new file with an old inode. */
  #endOf(inode: number, bytes: number): number {
    const end = this.#ends.get(inode) ?? pcapHeaderBytes
    return end <= bytes ? end : pcapHeaderBytes
  }
}

type CaptureFile = { readonly path: string; readonly inode: number; readonly bytes: number }

function filesIn(folder: string): CaptureFile[] {
  return readdirSync(folder)
    .filter(isCaptureFile)
    .flatMap(name => {
      const path = join(folder, name)
      const found = statSync(path, { throwIfNoEntry: false })
      return found ? [{ path, inode: found.ino, bytes: found.size }] : []
    })
}

/** The last offset of each file counts; an incomplete line does not. */
function readOffsets(path: string): Map<number, number> {
  const lines = statSync(path, { throwIfNoEntry: false })
    ? readFileSync(path, 'utf8').split('\n').slice(0, -1)
    : []
  const notes = lines
    .map(line => line.split(' ').map(Number))
    .filter(numbers => numbers.length === 2 && numbers.every(Number.isSafeInteger))
  return new Map(notes.map(([inode = 0, end = 0]) => [inode, end]))
}

function textOf(ends: ReadonlyMap<number, number>): string {
  return [...ends].map(([inode, end]) => `${inode} ${end}\n`).join('')
}
