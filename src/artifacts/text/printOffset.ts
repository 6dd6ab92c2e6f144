// The print offsets of a capture's files, in a file beside them, so that a new process continues
// where a killed one stopped. In: for each file, by inode, the end of the last printed record; a
// rename keeps the inode. Out: the unprinted parts of the files. Each offset is appended; the next
// process compacts them when it opens the file.
import { constants } from 'node:fs'
import { type FileHandle, open, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { isCaptureFile } from '../../files/names.ts'
import { osErrorMessage } from '../../model/errors.ts'
import { pcapHeaderBytes } from '../../pcap/format.ts'
import type { FilePart } from '../../pcap/orderedRecords.ts'
import { atomicWrite } from '../../runtime/atomicWrite.ts'
import { ifThere, namesIn } from '../../runtime/ifThere.ts'

const offsetsFileName = '.printed'

export class PrintOffset implements AsyncDisposable {
  readonly #folder: string
  readonly #notes: FileHandle
  readonly #ends: Map<number, number>

  private constructor(folder: string, notes: FileHandle, ends: Map<number, number>) {
    this.#folder = folder
    this.#notes = notes
    this.#ends = ends
  }

  /** `folder`: of the capture's files. */
  static async open(folder: string): Promise<PrintOffset> {
    const path = join(folder, offsetsFileName)
    const here = new Set((await filesIn(folder)).map(({ inode }) => inode))
    const ends = new Map([...(await readOffsets(path))].filter(([inode]) => here.has(inode)))
    await atomicWrite(path, textOf(ends), { isLasting: false, mode: 0o640 })
    return new PrintOffset(
      folder,
      await open(path, constants.O_WRONLY | constants.O_APPEND | constants.O_NOFOLLOW),
      ends,
    )
  }

  /** The part of each file behind `readTo`, or else behind its print offset. */
  async unread(readTo: ReadonlyMap<number, number>): Promise<FilePart[]> {
    return (await filesIn(this.#folder)).flatMap(({ path, inode, bytes }) => {
      const fromByte = readTo.get(inode) ?? this.#endOf(inode, bytes)
      return bytes > fromByte ? [{ path, file: inode, inode, fromByte, toByte: bytes }] : []
    })
  }

  /**
   * Returns why the offsets are not saved, on a full disk for instance; in memory they are kept all
   * the same.
   */
  async note(ends: ReadonlyMap<number, number>): Promise<string | undefined> {
    for (const [inode, end] of ends) this.#ends.set(inode, end)
    try {
      await this.#notes.appendFile(textOf(ends))
      return undefined
    } catch (error) {
      return osErrorMessage(error)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#notes.close()
  }

  /** A file shorter than its offset is a new file with an old inode. */
  #endOf(inode: number, bytes: number): number {
    const end = this.#ends.get(inode) ?? pcapHeaderBytes
    return end <= bytes ? end : pcapHeaderBytes
  }
}

type CaptureFile = { readonly path: string; readonly inode: number; readonly bytes: number }

async function filesIn(folder: string): Promise<CaptureFile[]> {
  const files: CaptureFile[] = []
  for (const name of (await namesIn(folder)).filter(isCaptureFile)) {
    const path = join(folder, name)
    const found = await ifThere(stat(path))
    if (found) files.push({ path, inode: found.ino, bytes: found.size })
  }
  return files
}

/** The last offset of each file counts; an incomplete line does not. */
async function readOffsets(path: string): Promise<Map<number, number>> {
  const lines = (await ifThere(readFile(path, 'utf8')))?.split('\n').slice(0, -1) ?? []
  const notes = lines
    .map(line => line.split(' ').map(Number))
    .filter(numbers => numbers.length === 2 && numbers.every(Number.isSafeInteger))
  return new Map(notes.map(([inode = 0, end = 0]) => [inode, end]))
}

function textOf(ends: ReadonlyMap<number, number>): string {
  return [...ends].map(([inode, end]) => `${inode} ${end}\n`).join('')
}
