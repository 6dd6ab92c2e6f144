// The files of one endpoint in one capture: the active one, those that wait to follow it, and the rotated ones.
// In: descriptors wanted by a driver, and its word that it is done with one. Out: files that open on their own at any
// moment. Rotation here is renaming; when to rotate is the driver's (size) and src/taps' (time) to say.
import { closeSync, fstatSync, ftruncateSync, readdirSync, renameSync, rmSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { Sink } from '../driver/driver.ts'
import type { Rotation } from '../model/capture.ts'
import { ExpectedError } from '../model/errors.ts'
import { fileHeader, fileTrailer, type HeaderOptions, trailerBytes } from '../pcap/fileHeader.ts'
import { openForAppend } from './directories.ts'
import { activeName, rotatedName, rotatedOf, type SeriesName, waitingName } from './names.ts'
import type { ActiveFile } from './stateFile.ts'

export type RotationDeps = {
  readonly directory: string
  readonly name: SeriesName
  readonly header: HeaderOptions
  readonly settings: string // filter and form of the records: other ones want another file
  readonly rotation: Rotation
  readonly nowMs: number
  /** What the active file holds from before, if it is to be continued; otherwise it is rotated away. */
  readonly continues: ActiveFile | undefined
  readonly isOldEmpty: boolean // the active file from before holds no packet: not worth a rotated file
}

/** What was counted since the active file's figures were last set. */
export type FileCounts = { readonly packets: number; readonly recordBytes: number; readonly received: number; readonly dropped: number }

type OpenFile = { readonly fd: number; readonly name: string; readonly path: string; readonly bytesMax: number }

export class FileRotation {
  readonly #parts: RotationDeps
  readonly #header: Buffer
  #rotation: Rotation
  #active: OpenFile
  #waiting: OpenFile[] = []
  #waitingCount = 0
  #before: ActiveFile // what the active file held when this driver began with it
  #isClosed = false

  constructor(parts: RotationDeps) {
    this.#parts = parts
    this.#rotation = parts.rotation
    this.#header = fileHeader(parts.header)
    const name = activeName(parts.name)
    if (parts.isOldEmpty && !parts.continues) rmSync(join(parts.directory, name), { force: true })
    const isFirst = !parts.continues && !this.#retire(join(parts.directory, name), parts.nowMs)
    this.#active = this.#open(name)
    this.#before = parts.continues ?? this.#fresh(name, parts.nowMs)
    if (!isFirst) this.#retain()
  }

  /** For the driver to begin with. */
  get sink(): Sink {
    const { size } = fstatSync(this.#active.fd)
    return { fd: this.#active.fd, bytesLeft: this.#room(size), isEmpty: size <= this.#header.length }
  }

  /** What the active file held before its present driver. */
  get before(): ActiveFile {
    return this.#before
  }

  /** The active file was given out with another size limit than the one that holds now. */
  get isOfOtherSize(): boolean {
    return this.#active.bytesMax !== this.#rotation.fileBytesMax
  }

  /** What may follow: for the driver to queue. */
  offer(): Sink {
    const file = this.#open(waitingName(this.#parts.name, this.#waitingCount++))
    this.#waiting.push(file)
    return { fd: file.fd, bytesLeft: this.#room(this.#header.length), isEmpty: true }
  }

  setRotation(rotation: Rotation): void {
    this.#rotation = rotation
    this.#retain()
  }

  noteFirstRecord(atMs: number): void {
    this.#before = { ...this.#before, firstRecordAtMs: atMs }
  }

  /** The driver has done with the active file and writes to the next: that one takes its name. */
  moved(counts: FileCounts, nowMs: number): void {
    this.#complete(counts, nowMs)
    closeSync(this.#active.fd)
    const next = this.#waiting.shift()
    if (!next) throw new Error(`Cannot rotate "${this.#active.path}": the driver moved on without a next file`)
    const { name, path } = this.#active
    this.#active = { ...next, name, path }
    this.#retire(path, nowMs)
    renameSync(next.path, path)
    this.#before = this.#fresh(name, nowMs)
    this.#retain()
  }

  /** The driver is closed. The active file keeps its name and is complete; one without a packet stays and says so. */
  close(counts: FileCounts, nowMs: number): ActiveFile {
    if (!this.#isClosed) {
      this.#complete(counts, nowMs)
      this.continue(counts)
      closeSync(this.#active.fd)
      this.dropWaiting()
    }
    this.#isClosed = true
    return this.#before
  }

  /** Nothing was captured and nobody will: the tap could not be opened. */
  abandon(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    const isUnused = fstatSync(this.#active.fd).size <= this.#header.length
    closeSync(this.#active.fd)
    if (isUnused) rmSync(this.#active.path, { force: true })
    this.dropWaiting()
  }

  /** Closes the descriptors and touches nothing on disk: the directory may be another's by now. */
  release(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    for (const { fd } of [this.#active, ...this.#waiting]) closeSync(fd)
    this.#waiting = []
  }

  /** Another driver will begin with the active file: what was queued for the one before goes. */
  dropWaiting(): void {
    for (const { fd, path } of this.#waiting) {
      closeSync(fd)
      rmSync(path, { force: true })
    }
    this.#waiting = []
  }

  /** Another driver begins with the active file as it is now. */
  continue(counts: FileCounts): void {
    this.#before = { ...this.with(counts), bytes: fstatSync(this.#active.fd).size }
  }

  /** The active file with what was counted since. */
  with({ packets, recordBytes, received, dropped }: FileCounts): ActiveFile {
    const before = this.#before
    return {
      ...before,
      packets: before.packets + packets,
      recordBytes: before.recordBytes + recordBytes,
      received: before.received + received,
      dropped: before.dropped + dropped,
    }
  }

  #fresh(name: string, beganAtMs: number): ActiveFile {
    const inode = fstatSync(this.#active.fd).ino
    const none = { packets: 0, recordBytes: 0, received: 0, dropped: 0 }
    return { name, inode, bytes: this.#header.length, ...none, beganAtMs, settings: this.#parts.settings }
  }

  #open(name: string): OpenFile {
    const path = join(this.#parts.directory, name)
    const fd = openForAppend(path)
    try {
      // Checked: on a full disk a header may be written in part, and the file would then begin with half of one.
      if (fstatSync(fd).size === 0 && !writeWhole(fd, this.#header))
        throw Object.assign(new ExpectedError(`Cannot write the header of "${path}": the disk is full`), { code: 'ENOSPC' })
    } catch (error) {
      closeSync(fd)
      rmSync(path, { force: true })
      throw error
    }
    return { fd, name, path, bytesMax: this.#rotation.fileBytesMax }
  }

  #room(bytes: number): number {
    return Math.max(0, this.#rotation.fileBytesMax - bytes - trailerBytes(this.#parts.header.format))
  }

  #complete(counts: FileCounts, toMs: number): void {
    const { packets, received, dropped, beganAtMs: fromMs } = this.with(counts)
    const trailer = fileTrailer(this.#parts.header.format, { packets, received, dropped, fromMs, toMs })
    if (trailer.length === 0) return
    const { size } = fstatSync(this.#active.fd)
    if (!writeWhole(this.#active.fd, trailer)) ftruncateSync(this.#active.fd, size) // a full disk: the records are what counts
  }

  // Gives the file of that path its rotated name. False: there is none.
  #retire(path: string, atMs: number): boolean {
    if (!statSync(path, { throwIfNoEntry: false })) return false
    renameSync(path, join(this.#parts.directory, rotatedName(activeName(this.#parts.name), atMs, readdirSync(this.#parts.directory))))
    return true
  }

  #retain(): void {
    const rotated = rotatedOf(activeName(this.#parts.name), readdirSync(this.#parts.directory))
    for (const name of rotated.slice(0, Math.max(0, rotated.length - this.#rotation.filesMax)))
      rmSync(join(this.#parts.directory, name), { force: true })
  }
}

/** False: the disk is full, or the file may not grow. */
function writeWhole(fd: number, bytes: Buffer): boolean {
  try {
    return writeSync(fd, bytes) === bytes.length
  } catch (error) {
    if (['ENOSPC', 'EDQUOT', 'EFBIG'].includes((error as NodeJS.ErrnoException).code ?? '')) return false
    throw error
  }
}
