// Limits the live streams of a node: their number, and the ring memory that the files' taps leave
// of captureRingBytesMax. In: requests for streams and rings, and the engine's turns. Out:
// reservations. Refuses with StreamError and TapError. Files come first: before a turn opens taps
// whose rings would not fit, the newest rings of streams are revoked.

import { ringBytesFloor } from '../core/plan/ringBudget.ts'
import { StreamError, TapError } from '../model/errors.ts'
import type { Settings } from '../model/settings.ts'
import type { TurnListeners } from '../model/turnListener.ts'

/** Ring memory in use. `revoke`: closes its tap and returns it. */
export type RingLease = { readonly bytes: number; readonly revoke: () => Promise<void> }

export const defaultStreamsMax = 4 // of up to 24 MiB each, rings aside
export const ringBytesMost = 2 * 1024 * 1024

type StreamBudgetDeps = {
  readonly turns: TurnListeners
  readonly settings: () => Settings
  readonly streamsMax?: number
}

export class StreamBudget implements Disposable {
  readonly #deps: StreamBudgetDeps
  readonly #leases = new Set<RingLease>() // the oldest first
  readonly #watch: Disposable
  #fileBytes: number
  #streams = 0

  constructor(deps: StreamBudgetDeps) {
    this.#deps = deps
    this.#fileBytes = deps.turns.ringBytes
    this.#watch = deps.turns.watchTurns({
      opening: ringBytes => this.#makeRoom(ringBytes),
      turned: () => this.#refresh(),
    })
  }

  get ringBytes(): number {
    return [...this.#leases].reduce((sum, { bytes }) => sum + bytes, 0)
  }

  get streams(): number {
    return this.#streams
  }

  /** For one stream. Refuses with StreamError TooMany. */
  reserveStream(): Disposable {
    const { streamsMax = defaultStreamsMax } = this.#deps
    if (this.#streams >= streamsMax)
      throw new StreamError(
        'TooMany',
        `Cannot open a stream: ${this.#streams} are open on this node, expected at most ${streamsMax}`,
      )
    this.#streams++
    let isReserved = true // disposing twice counts once
    return {
      [Symbol.dispose]: () => {
        if (isReserved) this.#streams--
        isReserved = false
      },
    }
  }

  /** Ring memory for a tap, until returnRing(). Refuses with TapError RING_BUDGET. */
  leaseRing(revoke: () => Promise<void>): RingLease {
    const { captureRingBytesMax } = this.#deps.settings()
    const left = captureRingBytesMax - this.#fileBytes - this.ringBytes
    if (left < ringBytesFloor)
      throw new TapError(
        'RING_BUDGET',
        `Cannot open a tap for a stream: rings of files take ${this.#fileBytes} and of streams ${this.ringBytes} of captureRingBytesMax ${captureRingBytesMax}, expected ${ringBytesFloor} to be left`,
      )
    const lease = { bytes: Math.min(ringBytesMost, 2 ** Math.floor(Math.log2(left))), revoke }
    this.#leases.add(lease)
    return lease
  }

  returnRing(lease: RingLease): void {
    this.#leases.delete(lease)
  }

  [Symbol.dispose](): void {
    this.#watch[Symbol.dispose]()
  }

  #refresh(): void {
    this.#fileBytes = this.#deps.turns.ringBytes
  }

  async #makeRoom(fileBytes: number): Promise<void> {
    this.#fileBytes = fileBytes
    const { captureRingBytesMax } = this.#deps.settings()
    const revoked: RingLease[] = []
    for (const lease of [...this.#leases].toReversed()) {
      if (fileBytes + this.ringBytes <= captureRingBytesMax) break
      this.#leases.delete(lease)
      revoked.push(lease)
    }
    await Promise.all(revoked.map(lease => lease.revoke()))
  }
}
