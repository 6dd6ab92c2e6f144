// A merge as a Readable with backpressure, for a node's stream and for the gateway's stream of
// several nodes. In: the inputs' bytes and counts. Out: a Readable, and a call when the inputs
// should pause because the reader is slow. A stream without packets has an empty block from time to
// time, which keeps its connections open. Drops and counts packets beyond the limits; the stream
// itself refuses nothing.
import { Readable } from 'node:stream'
import { streamAlive } from '../model/wellKnown.ts'
import { noteBlock } from '../pcap/block.ts'
import type { Clock } from '../runtime/clock.ts'
import { defaultMergeLimits, Merge, type MergeLimits } from './merge.ts'
import type { InterfaceCounts, MergeInput } from './mergeInput.ts'

export type MergedStreamDeps = {
  readonly section: Buffer
  readonly clock: Clock
  readonly limits?: Partial<MergeLimits>
  /**
   * True: the inputs should pause, until false. Packets that still arrive are kept while there is
   * room, then dropped and counted.
   */
  readonly onPressure: (isHigh: boolean) => void
  /** The reader is gone, or has read everything. */
  readonly onClose: () => void
}

const readAheadBytes = 65_536

export class MergedStream {
  readonly stream: Readable
  readonly #deps: MergedStreamDeps
  readonly #merge: Merge
  readonly #limits: MergeLimits
  readonly #stop = new AbortController()
  #isReading = false // the reader has room
  #isHigh = false
  #isFinishing = false
  #isEnded = false
  #sleepsUntilMs = Number.POSITIVE_INFINITY
  #isSilent = true // since the last look

  constructor(deps: MergedStreamDeps) {
    this.#deps = deps
    this.#limits = { ...defaultMergeLimits, ...deps.limits }
    this.#merge = new Merge(deps.section, this.#limits)
    this.stream = new Readable({
      highWaterMark: readAheadBytes,
      read: () => {
        this.#isReading = true
        this.#pump()
      },
      destroy: (error, done) => {
        this.#stop.abort()
        deps.onClose()
        done(error)
      },
    })
    void this.#keepAlive()
  }

  get isHigh(): boolean {
    return this.#isHigh
  }

  /** Packets that are missing from the stream so far, wherever they were lost. */
  get lost(): number {
    return this.#merge.lost
  }

  join(): MergeInput {
    return this.#merge.join()
  }

  /** Adds the bytes and keeps them. Returns why the input was ended, if it was. */
  push(input: MergeInput, bytes: Buffer): string | undefined {
    if (this.stream.destroyed) return undefined
    const problem = this.#merge.push(input, bytes, this.#deps.clock.now())
    this.#pump()
    return problem
  }

  count(input: MergeInput, index: number, counts: InterfaceCounts): void {
    this.#merge.count(input, index, counts)
    this.#pump()
  }

  end(input: MergeInput): void {
    this.#merge.end(input, this.#deps.clock.now())
    this.#pump()
  }

  /** Every input has ended: the stream ends when its reader has read everything. */
  finish(): void {
    this.#isFinishing = true
    this.#pump()
  }

  #pump(): void {
    if (this.stream.destroyed || this.#isEnded) return
    while (this.#isReading) {
      const bytes = this.#merge.take(this.#deps.clock.now())
      if (bytes.length === 0) break
      this.#isSilent = false
      this.#isReading = this.stream.push(bytes)
    }
    this.#reportPressure()
    if (this.#isReading) this.#sleep()
    if (!this.#isFinishing || !this.#merge.isEmpty) return
    this.#isEnded = true
    this.stream.push(null)
  }

  async #keepAlive(): Promise<void> {
    const { clock } = this.#deps
    while (!this.#stop.signal.aborted) {
      await clock.sleepUntil(clock.now() + streamAlive.seconds * 1_000, this.#stop.signal)
      if (this.stream.destroyed || this.#isEnded) return
      // A reader that has no room has bytes to read.
      if (this.#isSilent && this.#isReading) this.#isReading = this.stream.push(noteBlock())
      this.#isSilent = true
    }
  }

  // The pause begins halfway between windowBytes and the limit where packets are dropped, and ends
  // at windowBytes.
  #reportPressure(): void {
    const { windowBytes, bytesMax } = this.#limits
    const isHigh =
      this.#merge.heldBytes > (this.#isHigh ? windowBytes : (windowBytes + bytesMax) / 2)
    if (isHigh === this.#isHigh) return
    this.#isHigh = isHigh
    this.#deps.onPressure(isHigh)
  }

  // The packet that has waited longest is due first, so a pending wake-up is never too late.
  #sleep(): void {
    const { clock } = this.#deps
    const dueAtMs = this.#merge.dueAtMs
    if (dueAtMs === Number.POSITIVE_INFINITY || dueAtMs >= this.#sleepsUntilMs) return
    this.#sleepsUntilMs = dueAtMs
    void clock.sleepUntil(dueAtMs, this.#stop.signal).then(() => {
      this.#sleepsUntilMs = Number.POSITIVE_INFINITY
      this.#pump()
    })
  }
}
