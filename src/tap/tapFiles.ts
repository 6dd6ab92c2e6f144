// The files of one open tap, over all driver's taps that write to them. In: the driver's events and
// the time. Out: sinks, queued ahead of need; the active file's counts; a message while writes
// fail. Rotates by age and retries after a failed write. Throws what is not a lack of room, such as
// a directory that was removed.

import type { DriverTap, Sink, TapCounters } from '../driver/driver.ts'
import type { FileCounts, FileRotation } from '../files/rotation.ts'
import type { ActiveFile } from '../files/storedTypes.ts'
import type { Rotation } from '../model/capture.ts'
import { noCounters } from './endpointCounters.ts'

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

export class TapFiles {
  readonly #files: FileRotation
  readonly #now: () => number
  #rotation: Rotation
  #tap: DriverTap | undefined
  #countersAtBegin: TapCounters = noCounters // of the driver's tap, when it began the active file
  #queued = 0
  #rotationAskedAtMs: number | undefined
  #failure: FileFailure | undefined

  constructor(files: FileRotation, rotation: Rotation, now: () => number) {
    this.#files = files
    this.#rotation = rotation
    this.#now = now
  }

  get name(): string {
    return this.#files.before.name
  }

  get sink(): Sink {
    return this.#files.sink
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
    this.#offer(queueLength.usual)
  }

  /** The driver's tap is closed; another one may follow. */
  detach(counters: TapCounters): void {
    this.#noteFirstRecord(counters)
    this.#files.continue(this.#added(counters))
    this.#files.dropWaiting()
    this.#queued = 0
    this.#countersAtBegin = noCounters
    this.#tap = undefined
  }

  adjust(rotation: Rotation): void {
    this.#rotation = rotation
    this.#files.setRotation(rotation)
    this.#tap?.setBytesLeft(this.#files.sink.bytesLeft)
  }

  firstPacket(atMs: number): void {
    if (this.#files.before.firstRecordAtMs === undefined) this.#files.noteFirstRecord(atMs)
  }

  moved(counters: TapCounters): void {
    const nowMs = this.#now()
    const isQuick = nowMs - this.#files.before.beganAtMs < quickMs
    this.#files.moved(this.#added(counters), nowMs)
    this.#countersAtBegin = counters
    this.#rotationAskedAtMs = undefined
    this.#queued--
    if (this.#files.isOfOtherSize) this.#tap?.setBytesLeft(this.#files.sink.bytesLeft)
    this.#offer(isQuick ? queueLength.quick : queueLength.usual)
  }

  writeFailed(code: string): void {
    const message = `Cannot write to "${this.#files.before.name}": ${code}; packets are refused, tried again every ${retryDelayMs / 1_000} s`
    this.#failure = { message, retryAtMs: this.#failure?.retryAtMs ?? this.#now() + retryDelayMs }
  }

  rotateIfDue(nowMs: number): void {
    if (this.#tap) this.#noteFirstRecord(this.#tap.counters())
    if (nowMs < this.dueAtMs) return
    this.#rotationAskedAtMs = nowMs
    this.#tap?.rotate()
  }

  /** To be called each second. True: the message changed. */
  tick(nowMs: number): boolean {
    this.rotateIfDue(nowMs)
    const before = this.message
    if (this.#failure) this.#checkFailure(this.#failure, nowMs)
    return this.message !== before
  }

  /** The driver's tap is closed. */
  close(): ActiveFile {
    return this.#files.close(this.#added(this.#countersAtBegin), this.#now())
  }

  abandon(): void {
    this.#files.abandon()
  }

  release(): void {
    this.#files.release()
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
    const nowMs = this.#now()
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

  // A full disk refuses the header of the next file too: none is queued until there is room.
  #offer(count: number): void {
    try {
      for (; this.#tap && this.#queued < count; this.#queued++) this.#tap.offer(this.#files.offer())
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException
      if (!noRoomCodes.includes(code)) throw error
      this.writeFailed(code)
    }
  }
}
