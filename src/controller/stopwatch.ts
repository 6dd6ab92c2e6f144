// How long something has gone on, pauses left out. In: when it starts and stops, by any steady clock. Out: the sum so far.
export class Stopwatch {
  #sumMs = 0
  #sinceMs: number | undefined

  /** Twice is fine. */
  start(atMs: number): void {
    this.#sinceMs ??= atMs
  }

  /** Also in the past: what came after that does not count. Twice is fine. */
  stop(atMs: number): void {
    this.#sumMs = this.elapsedMs(atMs)
    this.#sinceMs = undefined
  }

  elapsedMs(atMs: number): number {
    return this.#sumMs + (this.#sinceMs === undefined ? 0 : Math.max(0, atMs - this.#sinceMs))
  }
}
