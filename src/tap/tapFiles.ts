// The files of one open tap while its driver's taps come and go: keeps files ahead of the driver, knows what each holds,
// rotates by age, and tries again after a failed write. In: the driver's events and the time. Out: sinks, the active file's
// figures, a message while nothing reaches the disk. What is no lack of room (a directory that is gone) is thrown.

import type { DriverTap, Sink, TapCounters } from '../driver/driver.ts'
import type { FileCounts, FileRotation } from '../files/rotation.ts'
import type { ActiveFile } from '../files/storedTypes.ts'
import type { Rotation } from '../model/capture.ts'
import { noCounters } from './endpointCounters.ts'

const retryDelayMs = 5_000 // after a failed write
const settledMs = 2_000 // a write that fails again does so sooner
const quickMs = 2_000 // rotations closer than this want more files ahead
const ahead = { usual: 1, quick: 4 } as const
const noRoom = ['ENOSPC', 'EDQUOT', 'EFBIG', 'EMFILE', 'ENFILE']

type FileFailure = { readonly message: string; readonly retryAtMs?: number; readonly retriedAtMs?: number }

export class TapFiles {
  readonly #series: FileRotation
  readonly #now: () => number
  #rotation: Rotation
  #tap: DriverTap | undefined
  #counted: TapCounters = noCounters // of the driver's tap, when the active file was begun
  #offered = 0
  #rotateAskedAtMs: number | undefined
  #failure: FileFailure | undefined

  constructor(series: FileRotation, rotation: Rotation, now: () => number) {
    this.#series = series
    this.#rotation = rotation
    this.#now = now
  }

  get name(): string {
    return this.#series.before.name
  }

  get sink(): Sink {
    return this.#series.sink
  }

  /** Why nothing reaches the disk. */
  get message(): string | undefined {
    return this.#failure?.message
  }

  /** When the active file is too old; Infinity while it is empty. */
  get dueAtMs(): number {
    const { firstRecordAtMs } = this.#series.before
    if (!this.#tap || firstRecordAtMs === undefined) return Number.POSITIVE_INFINITY
    const dueAtMs = firstRecordAtMs + this.#rotation.fileAgeMsMax
    return this.#rotateAskedAtMs === undefined ? dueAtMs : Math.max(dueAtMs, this.#rotateAskedAtMs + retryDelayMs)
  }

  active(counters: TapCounters): ActiveFile {
    const added = this.#added(counters)
    return { ...this.#series.with(added), bytes: this.#series.before.bytes + added.recordBytes }
  }

  /** A driver's tap writes to the active file from now on. */
  attach(tap: DriverTap): void {
    this.#tap = tap
    this.#counted = noCounters
    this.#failure = undefined
    this.#rotateAskedAtMs = undefined
    this.#offer(ahead.usual)
  }

  /** It is closed; another may follow. */
  detach(counters: TapCounters): void {
    this.#noteFirstRecord(counters)
    this.#series.continue(this.#added(counters))
    this.#series.dropWaiting()
    this.#offered = 0
    this.#counted = noCounters
    this.#tap = undefined
  }

  adjust(rotation: Rotation): void {
    this.#rotation = rotation
    this.#series.setRotation(rotation)
    this.#tap?.setBytesLeft(this.#series.sink.bytesLeft)
  }

  firstPacket(atMs: number): void {
    if (this.#series.before.firstRecordAtMs === undefined) this.#series.noteFirstRecord(atMs)
  }

  moved(counters: TapCounters): void {
    const nowMs = this.#now()
    const isQuick = nowMs - this.#series.before.beganAtMs < quickMs
    this.#series.moved(this.#added(counters), nowMs)
    this.#counted = counters
    this.#rotateAskedAtMs = undefined
    this.#offered--
    if (this.#series.isOfOtherSize) this.#tap?.setBytesLeft(this.#series.sink.bytesLeft)
    this.#offer(isQuick ? ahead.quick : ahead.usual)
  }

  writeFailed(code: string): void {
    const message = `Cannot write to "${this.#series.before.name}": ${code}; packets are refused, tried again every ${retryDelayMs / 1_000} s`
    this.#failure = { message, retryAtMs: this.#failure?.retryAtMs ?? this.#now() + retryDelayMs }
  }

  rotateIfDue(nowMs: number): void {
    if (this.#tap) this.#noteFirstRecord(this.#tap.counters())
    if (nowMs < this.dueAtMs) return
    this.#rotateAskedAtMs = nowMs
    this.#tap?.rotate()
  }

  /** What time alone brings about. True: the message is another one. */
  tick(nowMs: number): boolean {
    this.rotateIfDue(nowMs)
    const before = this.message
    if (this.#failure) this.#lookAtFailure(this.#failure, nowMs)
    return this.message !== before
  }

  /** The driver's tap is closed. */
  close(): ActiveFile {
    return this.#series.close(this.#added(this.#counted), this.#now())
  }

  abandon(): void {
    this.#series.abandon()
  }

  release(): void {
    this.#series.release()
  }

  #added({ packets, bytes, received, dropped }: TapCounters): FileCounts {
    const counted = this.#counted
    return {
      packets: packets - counted.packets,
      recordBytes: bytes - counted.bytes,
      received: received - counted.received,
      dropped: dropped - counted.dropped,
    }
  }

  // Asked for each second, so the last packet is the first one or nearly. A time ahead of now is from before the clock was set back.
  #noteFirstRecord({ packets, lastPacketMs }: TapCounters): void {
    const { firstRecordAtMs } = this.#series.before
    const nowMs = this.#now()
    const isUnknown = firstRecordAtMs === undefined && packets > this.#counted.packets
    if (isUnknown || (firstRecordAtMs ?? 0) > nowMs) this.#series.noteFirstRecord(Math.min(nowMs, lastPacketMs ?? nowMs))
  }

  #lookAtFailure({ message, retryAtMs, retriedAtMs = 0 }: FileFailure, nowMs: number): void {
    // A time further away than any wait is long is from before the clock was set: it counts as over.
    const isSettled = retryAtMs === undefined && (nowMs < retriedAtMs || nowMs >= retriedAtMs + settledMs)
    if (isSettled) this.#failure = undefined
    else if (retryAtMs !== undefined && (nowMs >= retryAtMs || nowMs < retryAtMs - retryDelayMs)) this.#retry(message, nowMs)
  }

  #retry(message: string, nowMs: number): void {
    this.#failure = { message, retriedAtMs: nowMs }
    this.#offer(ahead.usual)
    this.#tap?.retry()
  }

  // A disk that is full refuses the next file's header too: then there is none ahead until there is room.
  #offer(count: number): void {
    try {
      for (; this.#tap && this.#offered < count; this.#offered++) this.#tap.offer(this.#series.offer())
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException
      if (!noRoom.includes(code)) throw error
      this.writeFailed(code)
    }
  }
}
