// The files of one open tap, over all driver's taps that write to them. In: the driver's events and
// the time. Out: sinks, queued ahead of need; the active file's counts; a message while writes
// fail. Rotates by age and retries after a failed write. Waits for no disk. Tells onBroken what is
// not a lack of room, such as a directory that was removed.

import type { DriverTap, Sink, TapCounters } from '../driver/driver.ts'
import type { FileCounts, FileRotation } from '../files/rotation.ts'
import type { ActiveFile } from '../files/storedTypes.ts'
import type { ReadableFile } from '../files/usage.ts'
import type { LostFile, LostFileReason, Rotation } from '../model/capture.ts'
import { noCounters, ringDelayMs, writtenUntilMs } from './endpointCounters.ts'
import { RotationRate } from './rotationRate.ts'

const retryDelayMs = 5_000 // after a failed write
const retryProbationMs = 2_000 // a write that fails again after a retry fails sooner
const quickMs = 2_000 // after a shorter time between two rotations more files are queued
const queueLength = { usual: 1, quick: 4 } as const
const noRoomCodes = ['ENOSPC', 'EDQUOT', 'EFBIG', 'EMFILE', 'ENFILE']

type FileFailure = {
  readonly message: string
  readonly retryAtMs?: number
  readonly retriedAtMs?: number
}

type TapFilesDeps = {
  readonly rotation: Rotation
  readonly now: () => number
  readonly onMoved: () => void // the disk has done a rotation
  readonly onLost: (lost: LostFile) => void // others touched a file before it was rotated
  readonly onBroken: (error: unknown) => void // the files cannot be kept
}

export class TapFiles {
  readonly #files: FileRotation
  readonly #deps: TapFilesDeps
  #rotation: Rotation
  #tap: DriverTap | undefined
  #countersAtBegin: TapCounters = noCounters // of the driver's tap, when it began the active file
  #queued = 0
  #nextCount = 0 // sinks that the driver has, and has not told to have moved to
  #nextSinceMs = 0 // when it got the first of them
  #rotationAskedAtMs: number | undefined
  readonly #rate: RotationRate
  #floorBytes = 0
  #failure: FileFailure | undefined

  constructor(files: FileRotation, deps: TapFilesDeps) {
    this.#files = files
    this.#rotation = deps.rotation
    this.#deps = deps
    this.#rate = new RotationRate(deps.now())
  }

  get name(): string {
    return this.#files.before.name
  }

  get sink(): Sink {
    return this.#files.sink()
  }

  /** Packets up to that time are in an active file that was the one that is listed, and whole. */
  get seenAtMs(): number {
    return this.#files.seenAtMs
  }

  /** The disk has not done every rotation yet. */
  get isMoving(): boolean {
    return this.#files.isMoving
  }

  readable(counters: TapCounters): ReadableFile {
    return this.#files.readable(this.#added(counters))
  }

  /** Why nothing is written. */
  get message(): string | undefined {
    return this.#failure?.message
  }

  /** When the active file reaches its maximum age; Infinity while it is empty. */
  get dueAtMs(): number {
    const { firstRecordAtMs } = this.#files.before
    if (!this.#tap || firstRecordAtMs === undefined) return Number.POSITIVE_INFINITY
    const dueAtMs = firstRecordAtMs + this.#rotation.fileAgeMsMax
    return this.#rotationAskedAtMs === undefined
      ? dueAtMs
      : Math.max(dueAtMs, this.#rotationAskedAtMs + retryDelayMs)
  }

  active(counters: TapCounters): ActiveFile {
    const added = this.#added(counters)
    return { ...this.#files.with(added), bytes: this.#files.before.bytes + added.recordBytes }
  }

  /** A driver's tap writes to the active file from now on. */
  attach(tap: DriverTap): void {
    this.#tap = tap
    this.#countersAtBegin = noCounters
    this.#failure = undefined
    this.#rotationAskedAtMs = undefined
    this.#nextCount = 0
    this.#offer(queueLength.usual)
  }

  /** The driver's tap is closed; another one may follow. Resolves to what others took away. */
  async detach(counters: TapCounters): Promise<LostFile | undefined> {
    this.#noteFirstRecord(counters)
    const added = this.#added(counters)
    this.#queued = 0
    this.#nextCount = 0
    this.#countersAtBegin = noCounters
    this.#tap = undefined
    return this.#files.continue(added, this.#deps.now())
  }

  adjust(rotation: Rotation): void {
    this.#rotation = rotation
    this.#files.setRotation(rotation).catch(this.#deps.onBroken)
    this.#setBytesLeft()
  }

  firstPacket(atMs: number): void {
    if (this.#files.before.firstRecordAtMs === undefined) this.#files.noteFirstRecord(atMs)
  }

  moved(counters: TapCounters): void {
    const nowMs = this.#deps.now()
    const isQuick = nowMs - this.#files.before.beganAtMs < quickMs
    this.#files
      .moved(this.#added(counters), nowMs, this.#recordedUntilMs(counters))
      .then(lost => {
        if (lost) this.#deps.onLost(lost)
        this.#deps.onMoved()
      })
      .catch(this.#deps.onBroken)
    this.#countersAtBegin = counters
    this.#rotationAskedAtMs = undefined
    this.#queued--
    this.#nextCount--
    this.#rate.rotated(nowMs)
    const floorBytes = this.#rate.floorBytes(nowMs)
    if (floorBytes !== this.#floorBytes || this.#files.isOfOtherSize) this.#setFloor(floorBytes)
    this.#offer(isQuick ? queueLength.quick : queueLength.usual)
  }

  writeFailed(code: string): void {
    const message = `Cannot write to "${this.#files.before.name}": ${code}; packets are refused, tried again every ${retryDelayMs / 1_000} s`
    this.#failure = {
      message,
      retryAtMs: this.#failure?.retryAtMs ?? this.#deps.now() + retryDelayMs,
    }
  }

  rotateIfDue(nowMs: number): void {
    if (this.#tap) this.#noteFirstRecord(this.#tap.counters())
    if (nowMs < this.dueAtMs) return
    this.#rotationAskedAtMs = nowMs
    this.#tap?.rotate()
  }

  /** tick() has nothing to do but to rotate by age. */
  get isSteady(): boolean {
    return this.#failure === undefined && this.#floorBytes === 0
  }

  /** To be called each second. True: the message changed. */
  tick(nowMs: number): boolean {
    this.rotateIfDue(nowMs)
    const floorBytes = this.#rate.floorBytes(nowMs)
    if (floorBytes !== this.#floorBytes) this.#setFloor(floorBytes)
    const before = this.message
    if (this.#failure) this.#checkFailure(this.#failure, nowMs)
    return this.message !== before
  }

  /** See FileRotation. */
  check(counters: TapCounters): Promise<LostFileReason | undefined> {
    return this.#files.check(this.#added(counters), this.#writtenUntilMs(counters))
  }

  /** The driver's tap is closed. */
  close(): Promise<ActiveFile> {
    return this.#files.close(this.#added(this.#countersAtBegin), this.#deps.now())
  }

  abandon(): Promise<void> {
    return this.#files.abandon()
  }

  /** See FileRotation. `counters`: the last ones of the driver's tap. */
  release(counters: TapCounters): Promise<LostFile | undefined> {
    return this.#files.release(this.#added(counters))
  }

  #setFloor(bytes: number): void {
    this.#floorBytes = bytes
    this.#files.setFloor(bytes)
    this.#setBytesLeft()
  }

  #setBytesLeft(): void {
    const counters = this.#tap?.counters()
    if (counters) this.#tap?.setBytesLeft(this.#files.sink(this.#added(counters)).bytesLeft)
  }

  /** A later packet may be in the next file. */
  #recordedUntilMs({ lastPacketMs = 0 }: TapCounters): number {
    return Math.min(this.#deps.now(), Math.max(this.#files.seenAtMs, lastPacketMs))
  }

  // Without a next sink packets wait in the ring for as long as there is none.
  #writtenUntilMs(counters: TapCounters): number {
    const nowMs = this.#deps.now()
    const isTaken = this.#nextCount > 0 && nowMs - this.#nextSinceMs >= ringDelayMs
    return isTaken
      ? writtenUntilMs(counters, this.#tap?.waiting().oldestMs ?? 0, nowMs)
      : this.#recordedUntilMs(counters)
  }

  #added({ packets, bytes, received, dropped }: TapCounters): FileCounts {
    const before = this.#countersAtBegin
    return {
      packets: packets - before.packets,
      recordBytes: bytes - before.bytes,
      received: received - before.received,
      dropped: dropped - before.dropped,
    }
  }

  // Called each second, so the last packet's time is close to the first one's. A time in the future
  // means that the clock was set back.
  #noteFirstRecord({ packets, lastPacketMs }: TapCounters): void {
    const { firstRecordAtMs } = this.#files.before
    const nowMs = this.#deps.now()
    const isUnknown = firstRecordAtMs === undefined && packets > this.#countersAtBegin.packets
    if (isUnknown || (firstRecordAtMs ?? 0) > nowMs)
      this.#files.noteFirstRecord(Math.min(nowMs, lastPacketMs ?? nowMs))
  }

  #checkFailure({ message, retryAtMs, retriedAtMs = 0 }: FileFailure, nowMs: number): void {
    // A time further away than the longest wait means that the clock was set: the wait is over.
    const hasRecovered =
      retryAtMs === undefined && (nowMs < retriedAtMs || nowMs >= retriedAtMs + retryProbationMs)
    if (hasRecovered) this.#failure = undefined
    else if (retryAtMs !== undefined && (nowMs >= retryAtMs || nowMs < retryAtMs - retryDelayMs))
      this.#retry(message, nowMs)
  }

  #retry(message: string, nowMs: number): void {
    this.#failure = { message, retriedAtMs: nowMs }
    this.#offer(queueLength.usual)
    this.#tap?.retry()
  }

  #offer(count: number): void {
    for (; this.#tap && this.#queued < count; this.#queued++)
      this.#offerTo(this.#tap).catch(this.#deps.onBroken)
  }

  // A full disk refuses the header of the next file too: none is queued until there is room.
  async #offerTo(tap: DriverTap): Promise<void> {
    try {
      const sink = await this.#files.offer()
      if (this.#tap !== tap) return
      tap.offer(sink)
      if (this.#nextCount++ === 0) this.#nextSinceMs = this.#deps.now()
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException
      if (!noRoomCodes.includes(code)) throw error
      if (this.#tap !== tap) return
      this.#queued--
      this.writeFailed(code)
    }
  }
}
