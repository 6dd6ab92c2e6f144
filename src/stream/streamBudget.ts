// What the live streams of a node may take: so many streams, and ring memory that the files leave of captureRingBytesMax.
// Files come first: before a turn opens taps whose rings would not fit beside those of streams, the newest of these are closed.

import { ringBytesFloor } from '../core/plan/ringBudget.ts'
import { StreamError, TapError } from '../model/errors.ts'
import type { Settings } from '../model/settings.ts'
import type { TurnListeners } from '../model/turnListener.ts'

/** Ring memory in use. `take`: closes the tap whose it is, and gives it back. */
export type RingLease = { readonly bytes: number; readonly take: () => Promise<void> }

export const defaultStreamsMax = 4 // of up to 24 MiB each, rings aside
export const ringBytesMost = 2 * 1024 * 1024

type StreamBudgetDeps = { readonly turns: TurnListeners; readonly settings: () => Settings; readonly streamsMax?: number }

export class StreamBudget implements Disposable {
  readonly #parts: StreamBudgetDeps
  readonly #loans = new Set<RingLease>() // the oldest first
  readonly #watch: Disposable
  #fileBytes: number
  #streams = 0

  constructor(parts: StreamBudgetDeps) {
    this.#parts = parts
    this.#fileBytes = parts.turns.ringBytes
    this.#watch = parts.turns.watchTurns({
      opening: ringBytes => this.#makeRoom(ringBytes),
      turned: () => this.#look(),
    })
  }

  get ringBytes(): number {
    return [...this.#loans].reduce((sum, { bytes }) => sum + bytes, 0)
  }

  get streams(): number {
    return this.#streams
  }

  /** For one stream. Refuses with StreamError TooMany. */
  reserveStream(): Disposable {
    const { streamsMax = defaultStreamsMax } = this.#parts
    if (this.#streams >= streamsMax)
      throw new StreamError('TooMany', `Cannot open a stream: ${this.#streams} are open on this node, expected at most ${streamsMax}`)
    this.#streams++
    let isIn = true // leaving twice counts once
    return {
      [Symbol.dispose]: () => {
        if (isIn) this.#streams--
        isIn = false
      },
    }
  }

  /** Ring memory for a tap, to be given back. Refuses with TapError RING_BUDGET. */
  leaseRing(take: () => Promise<void>): RingLease {
    const { captureRingBytesMax } = this.#parts.settings()
    const left = captureRingBytesMax - this.#fileBytes - this.ringBytes
    if (left < ringBytesFloor)
      throw new TapError(
        'RING_BUDGET',
        `Cannot open a tap for a stream: rings of files take ${this.#fileBytes} and of streams ${this.ringBytes} of captureRingBytesMax ${captureRingBytesMax}, expected ${ringBytesFloor} to be left`,
      )
    const loan = { bytes: Math.min(ringBytesMost, 2 ** Math.floor(Math.log2(left))), take }
    this.#loans.add(loan)
    return loan
  }

  returnRing(loan: RingLease): void {
    this.#loans.delete(loan)
  }

  [Symbol.dispose](): void {
    this.#watch[Symbol.dispose]()
  }

  #look(): void {
    this.#fileBytes = this.#parts.turns.ringBytes
  }

  async #makeRoom(fileBytes: number): Promise<void> {
    this.#fileBytes = fileBytes
    const { captureRingBytesMax } = this.#parts.settings()
    const taken: RingLease[] = []
    for (const loan of [...this.#loans].toReversed()) {
      if (fileBytes + this.ringBytes <= captureRingBytesMax) break
      this.#loans.delete(loan)
      taken.push(loan)
    }
    await Promise.all(taken.map(loan => loan.take()))
  }
}
