// When a tap that lost its interface looks for it again: after a second, then at growing intervals,
// because a link event may be missed. In: the time, and what happened. Out: whether a try is due. A
// clock that was set back makes it due. Pure.

import { doubledMs } from '../model/backoff.ts'

const retryDelayMs = { first: 1_000, most: 5_000 } as const

export class ReopenSchedule {
  #tries = 0 // since the interface was lost
  #nextAtMs = 0

  lost(nowMs: number): void {
    this.#tries = 0
    this.#nextAtMs = nowMs + retryDelayMs.first
  }

  isDue(nowMs: number): boolean {
    return nowMs >= this.#nextAtMs || nowMs < this.#nextAtMs - retryDelayMs.most
  }

  /** A try is queued: no other one is due while it waits. */
  queued(nowMs: number): void {
    this.#nextAtMs = nowMs + retryDelayMs.most
  }

  /** A try begins. */
  trying(nowMs: number): void {
    this.#tries++
    this.#nextAtMs = nowMs + doubledMs(this.#tries, retryDelayMs)
  }
}
