// The files of one endpoint in one capture: the active one, those that wait to follow it, and the rotated ones.
// In: descriptors wanted by a driver, and its word that it is done with one. Out: files that open on their own at any
// moment. Rotation here is renaming; when to rotate is the driver's (size) and src/taps' (time) to say.
import { closeSync, fstatSync, ftruncateSync, readdirSync, renameSync, rmSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { Rotation } from '../model/capture.ts'
import type { Sink } from '../taps/driver.ts'
import { openForAppend } from './folder.ts'
import { fileHeader, fileTrailer, type HeaderFacts, type Statistics, trailerBytes } from './header.ts'
import { activeName, rotatedName, rotatedOf, type SeriesName, waitingName } from './name.ts'
import type { ActiveFile } from './state.ts'

export type SeriesParts = {
  readonly directory: string
  readonly name: SeriesName
  readonly header: HeaderFacts
  readonly settings: string // filter and form of the records: other ones want another file
  readonly rotation: Rotation
  readonly nowMs: number
  /** What the active file holds from before, if it is to be continued; otherwise it is rotated away. */
  readonly continues: ActiveFile | undefined
  readonly isOldEmpty: boolean // the active file from before holds no packet: not worth a rotated file
}

type OpenFile = { readonly fd: number; readonly name: string; readonly path: string }

export class FileSeries {
  readonly #parts: SeriesParts
  readonly #header: Buffer
  #rotation: Rotation
  #active: OpenFile
  #waiting: OpenFile[] = []
  #waitingCount = 0
  #activeFromMs: number
  #before: ActiveFile // what the active file held when this driver began with it
  #isClosed = false

  constructor(parts: SeriesParts) {
    this.#parts = parts
    this.#rotation = parts.rotation
    this.#header = fileHeader(parts.header)
    const name = activeName(parts.name)
    if (parts.isOldEmpty && !parts.continues) rmSync(join(parts.directory, name), { force: true })
    if (!parts.continues) this.#retire(join(parts.directory, name), parts.nowMs)
    this.#active = this.#open(name)
    this.#activeFromMs = parts.continues ? Math.min(parts.nowMs, fstatSync(this.#active.fd).birthtimeMs) : parts.nowMs
    this.#before = parts.continues ?? this.#fresh(name)
    this.#retain()
  }

  /** For the driver to begin with. */
  get sink(): Sink {
    const { size } = fstatSync(this.#active.fd)
    return { fd: this.#active.fd, bytesLeft: this.#room(size), isEmpty: size <= this.#header.length }
  }

  /** What the active file held before its present driver, and when it became the active one. */
  get before(): ActiveFile {
    return this.#before
  }

  get activeFromMs(): number {
    return this.#activeFromMs
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

  /** The driver has done with the active file and writes to the next: that one takes its name. */
  moved(statistics: Statistics): void {
    this.#complete(statistics)
    closeSync(this.#active.fd)
    const next = this.#waiting.shift()
    if (!next) throw new Error(`Cannot rotate "${this.#active.path}": the driver moved on without a next file`)
    this.#retire(this.#active.path, statistics.toMs)
    renameSync(next.path, this.#active.path)
    this.#active = { ...next, name: this.#active.name, path: this.#active.path }
    this.#activeFromMs = statistics.toMs
    this.#before = this.#fresh(this.#active.name)
    this.#retain()
  }

  /** The driver is closed. The active file keeps its name and is complete; one without a packet stays and says so. */
  close(statistics: Statistics): ActiveFile {
    if (!this.#isClosed) {
      this.#complete(statistics)
      this.#before = { ...this.#before, bytes: fstatSync(this.#active.fd).size }
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

  /** Another driver will begin with the active file: what was queued for the one before goes. */
  dropWaiting(): void {
    for (const { fd, path } of this.#waiting) {
      closeSync(fd)
      rmSync(path, { force: true })
    }
    this.#waiting = []
  }

  /** Another driver begins with the active file as it is now. */
  continue(packets: number, recordBytes: number): void {
    const { packets: earlier, recordBytes: earlierBytes } = this.#before
    this.#before = {
      ...this.#before,
      bytes: fstatSync(this.#active.fd).size,
      packets: earlier + packets,
      recordBytes: earlierBytes + recordBytes,
    }
  }

  #fresh(name: string): ActiveFile {
    return {
      name,
      inode: fstatSync(this.#active.fd).ino,
      bytes: this.#header.length,
      packets: 0,
      recordBytes: 0,
      settings: this.#parts.settings,
    }
  }

  #open(name: string): OpenFile {
    const path = join(this.#parts.directory, name)
    const fd = openForAppend(path)
    try {
      // Checked: on a full disk a header may be written in part, and the file would then begin with half of one.
      if (fstatSync(fd).size === 0 && !writeWhole(fd, this.#header))
        throw new Error(`Cannot write the header of "${path}": the disk is full`)
    } catch (error) {
      closeSync(fd)
      rmSync(path, { force: true })
      throw error
    }
    return { fd, name, path }
  }

  #room(bytes: number): number {
    return Math.max(0, this.#rotation.fileBytesMax - bytes - trailerBytes(this.#parts.header.format))
  }

  #complete(statistics: Statistics): void {
    const trailer = fileTrailer(this.#parts.header.format, statistics)
    if (trailer.length === 0) return
    const { size } = fstatSync(this.#active.fd)
    if (!writeWhole(this.#active.fd, trailer)) ftruncateSync(this.#active.fd, size) // a full disk: the records are what counts
  }

  // Gives the file of that path its rotated name, if it is there and holds anything.
  #retire(path: string, atMs: number): void {
    const found = statSync(path, { throwIfNoEntry: false })
    if (!found) return
    renameSync(path, join(this.#parts.directory, rotatedName(activeName(this.#parts.name), atMs, readdirSync(this.#parts.directory))))
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
