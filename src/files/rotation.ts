// The files of one endpoint in one capture: the active file, waiting files that follow it, and
// rotated ones. In: the driver's need for a sink, and its event that it moved to the next. Out:
// files that are complete and readable at any time. Rotates by renaming; the driver decides by size
// when, and src/tap by age.
import {
  closeSync,
  fstatSync,
  ftruncateSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import type { Sink } from '../driver/driver.ts'
import type { Rotation } from '../model/capture.ts'
import { ExpectedError } from '../model/errors.ts'
import { fileHeader, fileTrailer, type HeaderOptions, trailerBytes } from '../pcap/fileHeader.ts'
import { openForAppend } from './directories.ts'
import { activeName, rotatedName, rotatedOf, type SeriesName, waitingName } from './names.ts'
import type { ActiveFile } from './storedTypes.ts'

export type RotationDeps = {
  readonly directory: string
  readonly name: SeriesName
  readonly header: HeaderOptions
  readonly settings: string // see ActiveFile
  readonly rotation: Rotation
  readonly nowMs: number
  /**
   * The counts of the existing active file if the driver appends to it; undefined: it is rotated.
   */
  readonly continues: ActiveFile | undefined
  readonly isOldEmpty: boolean // the existing active file holds no packet: it is removed instead of rotated
}

/** What the driver counted since `before` was set. */
export type FileCounts = {
  readonly packets: number
  readonly recordBytes: number
  readonly received: number
  readonly dropped: number
}

type OpenFile = {
  readonly fd: number
  readonly device: number
  readonly name: string
  readonly path: string
  readonly bytesMax: number
}

export class FileRotation {
  readonly #deps: RotationDeps
  readonly #header: Buffer
  #rotation: Rotation
  #active: OpenFile
  #waiting: OpenFile[] = []
  #waitingCount = 0
  #before: ActiveFile // the active file's counts when this driver's tap began to write to it
  #isClosed = false

  constructor(deps: RotationDeps) {
    this.#deps = deps
    this.#rotation = deps.rotation
    this.#header = fileHeader(deps.header)
    const name = activeName(deps.name)
    if (deps.isOldEmpty && !deps.continues) rmSync(join(deps.directory, name), { force: true })
    const isFirst = !deps.continues && !this.#retire(join(deps.directory, name), deps.nowMs)
    this.#active = this.#open(name)
    this.#before = deps.continues ?? this.#fresh(name, deps.nowMs)
    if (!isFirst) this.#retain()
  }

  /** The driver's first sink: the active file. */
  get sink(): Sink {
    const { size } = fstatSync(this.#active.fd)
    return {
      fd: this.#active.fd,
      bytesLeft: this.#room(size),
      isEmpty: size <= this.#header.length,
      device: this.#active.device,
    }
  }

  /** The active file's counts when this driver's tap began to write to it. */
  get before(): ActiveFile {
    return this.#before
  }

  /** The driver got the active file with another size limit than the present one. */
  get isOfOtherSize(): boolean {
    return this.#active.bytesMax !== this.#rotation.fileBytesMax
  }

  /** A waiting file, for the driver to queue. */
  offer(): Sink {
    const file = this.#open(waitingName(this.#deps.name, this.#waitingCount++))
    this.#waiting.push(file)
    const bytesLeft = this.#room(this.#header.length)
    return { fd: file.fd, bytesLeft, isEmpty: true, device: file.device }
  }

  setRotation(rotation: Rotation): void {
    this.#rotation = rotation
    this.#retain()
  }

  noteFirstRecord(atMs: number): void {
    this.#before = { ...this.#before, firstRecordAtMs: atMs }
  }

  /**
   * The driver writes to the next file now: the active file is rotated, and the next one gets its
   * name. Without a next one the active file stays open, for release().
   */
  moved(counts: FileCounts, nowMs: number): void {
    const next = this.#waiting.shift()
    if (!next)
      throw new ExpectedError(
        `Cannot rotate "${this.#active.path}": the driver moved on without a next file`,
      )
    this.#complete(counts, nowMs)
    closeSync(this.#active.fd)
    const { name, path } = this.#active
    this.#active = { ...next, name, path }
    this.#retire(path, nowMs)
    renameSync(next.path, path)
    this.#before = this.#fresh(name, nowMs)
    this.#retain()
  }

  /**
   * The driver's tap is closed. The active file is completed and keeps its name, even without a
   * packet.
   */
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

  /** The tap could not be opened: removes what it made. */
  abandon(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    const isUnused = fstatSync(this.#active.fd).size <= this.#header.length
    closeSync(this.#active.fd)
    if (isUnused) rmSync(this.#active.path, { force: true })
    this.dropWaiting()
  }

  /**
   * Closes the descriptors and changes nothing on disk: the directory may belong to another capture
   * by now.
   */
  release(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    for (const { fd } of [this.#active, ...this.#waiting]) closeSync(fd)
    this.#waiting = []
  }

  /** Removes the waiting files: another driver's tap will begin with the active file. */
  dropWaiting(): void {
    for (const { fd, path } of this.#waiting) {
      closeSync(fd)
      rmSync(path, { force: true })
    }
    this.#waiting = []
  }

  /** Another driver's tap begins with the active file as it is now. */
  continue(counts: FileCounts): void {
    this.#before = { ...this.with(counts), bytes: fstatSync(this.#active.fd).size }
  }

  /** The active file's counts with what was counted since. */
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
    return {
      name,
      inode,
      bytes: this.#header.length,
      ...none,
      beganAtMs,
      settings: this.#deps.settings,
    }
  }

  #open(name: string): OpenFile {
    const path = join(this.#deps.directory, name)
    const fd = openForAppend(path)
    try {
      // On a full disk the header may be written in part: such a file must not stay.
      const { dev: device, size } = fstatSync(fd)
      if (size === 0 && !writeWhole(fd, this.#header))
        throw Object.assign(
          new ExpectedError(`Cannot write the header of "${path}": the disk is full`),
          { code: 'ENOSPC' },
        )
      return { fd, device, name, path, bytesMax: this.#rotation.fileBytesMax }
    } catch (error) {
      closeSync(fd)
      rmSync(path, { force: true })
      throw error
    }
  }

  #room(bytes: number): number {
    return Math.max(0, this.#rotation.fileBytesMax - bytes - trailerBytes(this.#deps.header.format))
  }

  #complete(counts: FileCounts, toMs: number): void {
    const { packets, received, dropped, beganAtMs: fromMs } = this.with(counts)
    const trailer = fileTrailer(this.#deps.header.format, {
      packets,
      received,
      dropped,
      fromMs,
      toMs,
    })
    if (trailer.length === 0) return
    const { size } = fstatSync(this.#active.fd)
    if (!writeWhole(this.#active.fd, trailer)) ftruncateSync(this.#active.fd, size) // a full disk: the records stay, without statistics
  }

  // Gives the file its rotated name. False: there is no such file.
  #retire(path: string, atMs: number): boolean {
    if (!statSync(path, { throwIfNoEntry: false })) return false
    renameSync(
      path,
      join(
        this.#deps.directory,
        rotatedName(activeName(this.#deps.name), atMs, readdirSync(this.#deps.directory)),
      ),
    )
    return true
  }

  #retain(): void {
    const rotated = rotatedOf(activeName(this.#deps.name), readdirSync(this.#deps.directory))
    for (const name of rotated.slice(0, Math.max(0, rotated.length - this.#rotation.filesMax)))
      rmSync(join(this.#deps.directory, name), { force: true })
  }
}

/** False: the disk is full, or the file reached a size limit. */
function writeWhole(fd: number, bytes: Buffer): boolean {
  try {
    return writeSync(fd, bytes) === bytes.length
  } catch (error) {
    if (['ENOSPC', 'EDQUOT', 'EFBIG'].includes((error as NodeJS.ErrnoException).code ?? ''))
      return false
    throw error
  }
}
