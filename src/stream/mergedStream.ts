// Hands a merge to a reader: a Readable that gives what may go out when it is asked, and when a packet has waited enough.
// Tells when so much waits for the reader that the inputs had better wait too. Used by a node's stream, and wherever several
// such streams become one.
import { Readable } from 'node:stream'
import type { Clock } from '../runtime/clock.ts'
import { defaultMergeLimits, Merge, type MergeLimits } from './merge.ts'
import type { InterfaceCounts, MergeInput } from './mergeInput.ts'

export type MergedStreamDeps = {
  readonly section: Buffer
  readonly clock: Clock
  readonly limits?: Partial<MergeLimits>
  /** True: the inputs are to wait, until false. What comes nevertheless is taken while there is room, then dropped and counted. */
  readonly onPressure: (isHigh: boolean) => void
  /** The reader is gone, or has everything. */
  readonly onClose: () => void
}

const readAheadBytes = 65_536

export class MergedStream {
  readonly stream: Readable
  readonly #parts: MergedStreamDeps
  readonly #merge: Merge
  readonly #limits: MergeLimits
  readonly #stop = new AbortController()
  #isWanted = false // the reader took all it was given
  #isHigh = false
  #isFinishing = false
  #isEnded = false
  #sleepsUntilMs = Number.POSITIVE_INFINITY

  constructor(parts: MergedStreamDeps) {
    this.#parts = parts
    this.#limits = { ...defaultMergeLimits, ...parts.limits }
    this.#merge = new Merge(parts.section, this.#limits)
    this.stream = new Readable({
      highWaterMark: readAheadBytes,
      read: () => {
        this.#isWanted = true
        this.#pump()
      },
      destroy: (error, done) => {
        this.#stop.abort()
        parts.onClose()
        done(error)
      },
    })
  }

  get isHigh(): boolean {
    return this.#isHigh
  }

  /** Packets that the stream lacks so far, wherever they were lost. */
  get lost(): number {
    return this.#merge.lost
  }

  join(): MergeInput {
    return this.#merge.join()
  }

  /** Keeps the bytes. Returns why the input was ended, if it was. */
  push(lane: MergeInput, bytes: Buffer): string | undefined {
    if (this.stream.destroyed) return undefined
    const problem = this.#merge.push(lane, bytes, this.#parts.clock.now())
    this.#pump()
    return problem
  }

  count(lane: MergeInput, index: number, told: InterfaceCounts): void {
    this.#merge.count(lane, index, told)
    this.#pump()
  }

  end(lane: MergeInput): void {
    this.#merge.end(lane, this.#parts.clock.now())
    this.#pump()
  }

  /** Every input has ended: the stream ends when its reader has everything. */
  finish(): void {
    this.#isFinishing = true
    this.#pump()
  }

  #pump(): void {
    if (this.stream.destroyed || this.#isEnded) return
    while (this.#isWanted) {
      const bytes = this.#merge.take(this.#parts.clock.now())
      if (bytes.length === 0) break
      this.#isWanted = this.stream.push(bytes)
    }
    this.#tellPressure()
    if (this.#isWanted) this.#sleep()
    if (!this.#isFinishing || !this.#merge.isEmpty) return
    this.#isEnded = true
    this.stream.push(null)
  }

  // Between windowBytes, down to which a reader that takes gets everything at once, and the limit where packets are dropped.
  #tellPressure(): void {
    const { windowBytes, bytesMax } = this.#limits
    const isHigh = this.#merge.heldBytes > (this.#isHigh ? windowBytes : (windowBytes + bytesMax) / 2)
    if (isHigh === this.#isHigh) return
    this.#isHigh = isHigh
    this.#parts.onPressure(isHigh)
  }

  // The packet that has waited longest is the first to be due, so an earlier wake-up than the one that is set is never needed.
  #sleep(): void {
    const { clock } = this.#parts
    const dueAtMs = this.#merge.dueAtMs
    if (dueAtMs === Number.POSITIVE_INFINITY || dueAtMs >= this.#sleepsUntilMs) return
    this.#sleepsUntilMs = dueAtMs
    void clock.sleepUntil(dueAtMs, this.#stop.signal).then(() => {
      this.#sleepsUntilMs = Number.POSITIVE_INFINITY
      this.#pump()
    })
  }
}
