// The files of one endpoint in one capture: the active file, waiting files that follow it, and
// rotated ones. In: the driver's need for a sink, and its event that it moved to the next. Out:
// files that are complete and readable at any time. Rotates by renaming; the driver decides by size
// when, and src/tap by age. What is counted changes at once; the disk follows in order, however
// long it takes. Whenever a file is left, it is compared with the one that is listed: others may
// have removed, moved or truncated it.
import { constants } from 'node:fs'
import { type FileHandle, lstat, open, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import type { Sink } from '../driver/driver.ts'
import {
  type LostFile,
  type LostFileReason,
  lostFileReasons,
  type Rotation,
} from '../model/capture.ts'
import { ExpectedError } from '../model/errors.ts'
import { fileHeader, fileTrailer, type HeaderOptions, trailerBytes } from '../pcap/fileHeader.ts'
import type { DiskQueue } from '../runtime/disk.ts'
import { ifThere } from '../runtime/ifThere.ts'
import type { FileList } from './fileList.ts'
import { activeName, type SeriesName, stampedName, waitingName } from './names.ts'
import type { ActiveFile } from './storedTypes.ts'
import type { ReadableFile } from './usage.ts'

export type RotationDeps = {
  readonly directory: string
  readonly queue: DiskQueue // of the directory
  readonly list: FileList // of the directory
  readonly name: SeriesName
  readonly header: HeaderOptions
  readonly settings: string // see ActiveFile
  readonly rotation: Rotation
  readonly nowMs: number
  readonly packetsSinceMs: number // no packet for it is older
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
  readonly handle: FileHandle
  readonly device: number
  readonly inode: number
  readonly path: string // when it was opened: a waiting file gets the active file's path later
  readonly bytesMax: number
}

type LeftFile = {
  readonly facts: ActiveFile
  readonly writtenBytes: number
  readonly nowMs: number
  readonly stampMs: number // of its rotated name
}

const triesMax = 20 // of names for a waiting file
const movedMs = 200 // at most, from a driver's move to its event
const none = { packets: 0, recordBytes: 0, received: 0, dropped: 0 }
const { O_APPEND, O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDWR } = constants
const openFlags = O_RDWR | O_APPEND | O_NOFOLLOW | O_NONBLOCK
const fileMode = 0o640 // regardless of the umask

export class FileRotation {
  readonly #deps: RotationDeps
  readonly #header: Buffer
  readonly #name: string // of the active file
  readonly #path: string
  #rotation: Rotation
  #floorBytes = 0
  #active: OpenFile
  #waiting: OpenFile[] = [] // the driver has them as sinks, in this order
  #waitingCount = 0
  readonly #unnamed: ReadableFile[] = [] // under the active name until the next file has it, for each rotation that the disk has not done
  #before: ActiveFile // the active file's counts when this driver's tap began to write to it
  #lastStampMs: number // in the name of the newest rotated file
  #seenAtMs: number // packets up to that time are in an active file that was the one that is listed, and whole
  #isClosed = false

  private constructor(deps: RotationDeps, active: OpenFile, before: ActiveFile) {
    this.#deps = deps
    this.#rotation = deps.rotation
    this.#header = fileHeader(deps.header)
    this.#name = activeName(deps.name)
    this.#path = join(deps.directory, this.#name)
    this.#active = active
    this.#before = before
    this.#lastStampMs = deps.list.lastRotatedAtMs(this.#name)
    this.#seenAtMs = deps.packetsSinceMs
  }

  /**
   * Opens the active file. What lies in its place and is not continued gets a rotated name. Waiting
   * files of an earlier rotation are those of others by now.
   */
  static open(deps: RotationDeps): Promise<FileRotation> {
    return deps.queue.run(async () => {
      const { directory, list, name, continues, isOldEmpty } = deps
      const active = activeName(name)
      const path = join(directory, active)
      if (isOldEmpty && !continues) {
        await rm(path, { force: true })
        list.delete(active)
      }
      const lastMs = list.lastRotatedAtMs(active)
      const beganAtMs = Math.max(Math.round(deps.nowMs), lastMs + 1)
      if (!continues) await retire({ directory, list, active, stampMs: beganAtMs })
      const file = await openFile(path, deps.header, continues !== undefined)
      list.set(active, continues?.bytes ?? file.header)
      const fresh = { ...none, name: active, bytes: file.header, settings: deps.settings }
      const files = new FileRotation(
        deps,
        { ...file.opened, bytesMax: deps.rotation.fileBytesMax },
        continues ?? { ...fresh, inode: file.opened.inode, beganAtMs },
      )
      try {
        await files.#retain()
        return files
      } catch (error) {
        await file.opened.handle.close()
        throw error
      }
    })
  }

  /** The driver's first sink: the active file, with what was counted since `before`. */
  sink(counts: FileCounts = none): Sink {
    const bytes = this.#before.bytes + counts.recordBytes
    return {
      fd: this.#active.handle.fd,
      bytesLeft: this.#room(bytes),
      isEmpty: bytes <= this.#header.length,
      device: this.#active.device,
    }
  }

  /** The active file's counts when this driver's tap began to write to it. */
  get before(): ActiveFile {
    return this.#before
  }

  /** The driver got the active file with another size limit than the present one. */
  get isOfOtherSize(): boolean {
    return this.#active.bytesMax !== this.#fileBytesMax
  }

  /** Files that the driver fills may be this large even if the rotation says less. */
  setFloor(bytes: number): void {
    this.#floorBytes = bytes
    this.#active = { ...this.#active, bytesMax: this.#fileBytesMax }
  }

  get #fileBytesMax(): number {
    return Math.max(this.#rotation.fileBytesMax, this.#floorBytes)
  }

  /** Packets up to that time are in an active file that was the one that is listed, and whole. */
  get seenAtMs(): number {
    return this.#seenAtMs
  }

  /** The disk has not done every rotation yet. */
  get isMoving(): boolean {
    return this.#unnamed.length > 0
  }

  /** Opens a waiting file, for the driver to queue at once. */
  offer(): Promise<Sink> {
    return this.#deps.queue.run(async () => {
      const opened = await this.#openWaiting()
      this.#waiting.push(opened)
      const bytesLeft = this.#room(this.#header.length)
      if (this.#isClosed) await this.#removeWaiting()
      return { fd: opened.handle.fd, bytesLeft, isEmpty: true, device: opened.device }
    })
  }

  setRotation(rotation: Rotation): Promise<void> {
    this.#rotation = rotation
    return this.#deps.queue.run(() => this.#retain())
  }

  noteFirstRecord(atMs: number): void {
    this.#before = { ...this.#before, firstRecordAtMs: atMs }
  }

  /**
   * The driver writes to the next file now: the active file is rotated, and the next one gets its
   * name. Resolves when the disk has done so, to what others had taken away. Without a next one the
   * active file stays open, for release(). `writtenMs`: packets up to that time are in the files before.
   */
  moved(counts: FileCounts, nowMs: number, writtenMs = nowMs): Promise<LostFile | undefined> {
    const next = this.#waiting.shift()
    if (!next)
      throw new ExpectedError(
        `Cannot rotate "${this.#path}": the driver moved on without a next file`,
      )
    const [done, facts, fromMs] = [this.#active, this.with(counts), this.#seenAtMs]
    const writtenBytes = this.#before.bytes + counts.recordBytes
    const stampMs = this.#nextStampMs(nowMs)
    this.#unnamed.push({ name: this.#name, bytes: writtenBytes })
    this.#active = next
    this.#before = this.#fresh(stampMs)
    this.#seenAtMs = writtenMs
    return this.#deps.queue.run(async () => {
      const left = { facts, writtenBytes, nowMs, stampMs }
      const reason = await this.#leave(done, left).finally(() => done.handle.close())
      await ifThere(rename(next.path, this.#path)) // others may have removed it: the next look tells
      this.#deps.list.set(this.#name, this.#header.length)
      this.#unnamed.shift()
      await this.#retain()
      const toMs = Math.max(fromMs, writtenMs) // later packets are in the next file
      return reason && { reason, packets: facts.packets, fromMs, toMs }
    })
  }

  /** Completes a file and gives it its rotated name. What others touched is none any more. */
  async #leave(
    done: OpenFile,
    { facts, writtenBytes, nowMs, stampMs }: LeftFile,
  ): Promise<LostFileReason | undefined> {
    const { list } = this.#deps
    const reason = await this.#compare(done, writtenBytes)
    if (reason === undefined) list.set(this.#name, await this.#complete(done, facts, nowMs))
    // Records without the header that was cut off: nobody can read them.
    if (reason === lostFileReasons.truncated) await rm(this.#path, { force: true })
    const isThere = await retire({ ...this.#deps, active: this.#name, stampMs })
    return reason ?? (isThere ? undefined : lostFileReasons.removed)
  }

  /**
   * The driver's tap is closed. The active file is completed and keeps its name, even without a
   * packet.
   */
  async close(counts: FileCounts, nowMs: number): Promise<ActiveFile> {
    if (this.#isClosed) return this.#before
    this.#isClosed = true
    const facts = this.with(counts)
    await this.#deps.queue.run(async () => {
      try {
        const bytes = await this.#complete(this.#active, facts, nowMs)
        this.#before = { ...facts, bytes }
        this.#deps.list.set(this.#name, bytes)
      } finally {
        await this.#active.handle.close().finally(() => this.#removeWaiting())
      }
    })
    return this.#before
  }

  /** The tap could not be opened: removes what it made. */
  async abandon(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    await this.#deps.queue.run(async () => {
      const { handle } = this.#active
      const { size } = await handle.stat().finally(() => handle.close())
      if (size <= this.#header.length) {
        await rm(this.#path, { force: true })
        this.#deps.list.delete(this.#name)
      }
      await this.#removeWaiting()
    })
  }

  /**
   * Closes the descriptors and changes nothing on disk: the directory may belong to another capture
   * by now. Resolves to what others took away.
   */
  async release(counts: FileCounts): Promise<LostFile | undefined> {
    if (this.#isClosed) return undefined
    this.#isClosed = true
    const [active, { packets }] = [this.#active, this.with(counts)]
    const files = [active, ...this.#waiting]
    this.#waiting = []
    return this.#deps.queue.run(async () => {
      const bytes = this.#before.bytes + counts.recordBytes
      // After a rotation that the disk refused it still has the name of a waiting file.
      const path = this.isMoving ? active.path : this.#path
      const reason = await this.#compare(active, bytes, path)
      for (const { handle } of files) await handle.close()
      return reason && { reason, packets, fromMs: this.#seenAtMs }
    })
  }

  /**
   * The driver's tap is closed, and another one may begin with the active file as it is now, or with
   * a new one if others touched it: resolves to what they took away. The waiting files go.
   */
  async continue(counts: FileCounts, nowMs: number): Promise<LostFile | undefined> {
    this.#before = { ...this.with(counts), bytes: this.#before.bytes + counts.recordBytes }
    return this.#deps.queue.run(async () => {
      const facts = this.#before
      const writtenBytes = facts.bytes
      await this.#removeWaiting()
      const reason = this.isMoving ? undefined : await this.#compare(this.#active, writtenBytes)
      if (reason === undefined) {
        const { size: bytes } = await this.#active.handle.stat()
        this.#before = { ...facts, bytes }
        return undefined
      }
      const stampMs = this.#nextStampMs(nowMs)
      const { handle } = this.#active
      await this.#leave(this.#active, { facts, writtenBytes, nowMs, stampMs })
      this.#active = await this.#openNew(this.#path) // else release() tells what is lost
      await handle.close()
      const lost = { reason, packets: facts.packets, fromMs: this.#seenAtMs }
      this.#before = this.#fresh(stampMs)
      this.#seenAtMs = nowMs
      this.#deps.list.set(this.#name, this.#header.length)
      return lost
    })
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

  /**
   * What others did to the active file; undefined: it is the one that is listed, and holds what was
   * counted. Asks nothing while the disk still has to follow a rotation. `writtenMs`: packets up to
   * that time are counted.
   */
  async check({ recordBytes }: FileCounts, writtenMs: number): Promise<LostFileReason | undefined> {
    const { handle: active } = this.#active
    const bytes = this.#before.bytes + recordBytes
    const found = await this.#look(active, bytes, writtenMs)
    if (found !== lostFileReasons.truncated) return found
    // The last records may be in the next file already, and the word of that on its way. Without
    // one it was cut, however much was written to it since.
    await setTimeout(movedMs)
    return this.#isCurrent(active) ? found : undefined
  }

  #isCurrent(active: FileHandle): boolean {
    return !this.#isClosed && !this.isMoving && this.#active.handle === active
  }

  #look(active: FileHandle, bytes: number, writtenMs: number): Promise<LostFileReason | undefined> {
    return this.#deps.queue.run(async () => {
      if (!this.#isCurrent(active)) return undefined
      const found = await this.#compare(this.#active, bytes)
      if (this.#active.handle !== active) return undefined // left meanwhile: moved() tells
      if (found === undefined) this.#seenAtMs = writtenMs
      return found
    })
  }

  async #compare(
    { handle }: OpenFile,
    bytes: number,
    path = this.#path,
  ): Promise<LostFileReason | undefined> {
    const { dev, ino, nlink, size } = await handle.stat()
    const found = await ifThere(lstat(path))
    if (!found) return nlink === 0 ? lostFileReasons.removed : lostFileReasons.moved
    if (found.dev !== dev || found.ino !== ino) return lostFileReasons.replaced
    return size < bytes ? lostFileReasons.truncated : undefined
  }

  /** What may be read under the active file's name now. */
  readable({ recordBytes }: FileCounts): ReadableFile {
    const [unnamed] = this.#unnamed
    return unnamed ?? { name: this.#name, bytes: this.#before.bytes + recordBytes }
  }

  /** What others put in its place is left there. */
  async #openWaiting(): Promise<OpenFile> {
    const { directory, name } = this.#deps
    for (let tries = 1; ; tries++) {
      try {
        return await this.#openNew(join(directory, waitingName(name, this.#waitingCount++)))
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || tries === triesMax) throw error
      }
    }
  }

  async #openNew(path: string): Promise<OpenFile> {
    const { opened } = await openFile(path, this.#deps.header, false)
    return { ...opened, bytesMax: this.#fileBytesMax }
  }

  /** For the name of a rotated file: each later than the one before. */
  #nextStampMs(nowMs: number): number {
    this.#lastStampMs = Math.max(Math.round(nowMs), this.#lastStampMs + 1)
    return this.#lastStampMs
  }

  #fresh(beganAtMs: number): ActiveFile {
    const { inode } = this.#active
    const { settings } = this.#deps
    return { ...none, name: this.#name, inode, bytes: this.#header.length, beganAtMs, settings }
  }

  #room(bytes: number): number {
    return Math.max(0, this.#fileBytesMax - bytes - trailerBytes(this.#deps.header.format))
  }

  /** Returns the size of the file. */
  async #complete({ handle }: OpenFile, facts: ActiveFile, toMs: number): Promise<number> {
    const { packets, received, dropped, beganAtMs: fromMs } = facts
    const { format } = this.#deps.header
    const trailer = fileTrailer(format, { packets, received, dropped, fromMs, toMs })
    const { size } = await handle.stat()
    if (trailer.length === 0) return size
    if (await writeWhole(handle, trailer)) return size + trailer.length
    await handle.truncate(size) // a full disk: the records stay, without statistics
    return size
  }

  async #retain(): Promise<void> {
    const { directory, list } = this.#deps
    const rotated = list.rotatedOf(this.#name)
    const old = rotated.slice(0, Math.max(0, rotated.length - this.#rotation.filesMax))
    for (const name of old) {
      await rm(join(directory, name), { force: true })
      list.delete(name)
    }
  }

  async #removeWaiting(): Promise<void> {
    const waiting = this.#waiting
    this.#waiting = []
    for (const { handle } of waiting) await handle.close()
    for (const { path } of waiting) await rm(path, { force: true })
  }
}

type Retired = {
  readonly directory: string
  readonly list: FileList
  readonly active: string
  readonly stampMs: number
}

/** Gives the active file its rotated name. False: there is none. */
async function retire({ directory, list, active, stampMs }: Retired): Promise<boolean> {
  const name = stampedName(active, stampMs)
  const isThere = await ifThere(
    rename(join(directory, active), join(directory, name)).then(() => true),
  )
  const bytes = list.sizes.get(active) ?? 0
  list.delete(active)
  if (isThere) list.addRotated(active, name, bytes)
  return isThere === true
}

/** A new file with its header, or one that is there. `header`: its length. */
async function openFile(
  path: string,
  options: HeaderOptions,
  isThere: boolean,
): Promise<{ readonly opened: Omit<OpenFile, 'bytesMax'>; readonly header: number }> {
  const header = fileHeader(options)
  const handle = await open(path, isThere ? openFlags : openFlags | O_CREAT | O_EXCL, fileMode)
  try {
    await handle.chmod(fileMode)
    const { dev: device, ino: inode } = await handle.stat()
    // On a full disk the header may be written in part: such a file must not stay.
    if (!isThere && !(await writeWhole(handle, header)))
      throw Object.assign(
        new ExpectedError(`Cannot write the header of "${path}": the disk is full`),
        { code: 'ENOSPC' },
      )
    return { opened: { handle, device, inode, path }, header: header.length }
  } catch (error) {
    await handle.close()
    if (!isThere) await rm(path, { force: true })
    throw error
  }
}

/** False: the disk is full, or the file reached a size limit. */
async function writeWhole(handle: FileHandle, bytes: Buffer): Promise<boolean> {
  try {
    return (await handle.write(bytes)).bytesWritten === bytes.length
  } catch (error) {
    if (['ENOSPC', 'EDQUOT', 'EFBIG'].includes((error as NodeJS.ErrnoException).code ?? ''))
      return false
    throw error
  }
}
