// Elapsed time without pauses. In: start and stop times of any monotonic clock. Out: the sum so
// far.
export class Stopwatch {
  #sumMs = 0
  #sinceMs: number | undefined

  /** Idempotent. */
  start(atMs: number): void {
    this.#sinceMs ??= atMs
  }

  /** Idempotent. A stop in the past leaves out the time after it. */
  stop(atMs: number): void {
    this.#sumMs = this.elapsedMs(atMs)
    this.#sinceMs = undefined
  }

  elapsedMs(atMs: number): number {
    return this.#sumMs + (this.#sinceMs === undefined ? 0 : Math.max(0, atMs - this.#sinceMs))
  }
}
