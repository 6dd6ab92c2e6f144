// When a loop over all taps has something to do. In: a text that differs when anything changed, the
// time, and when something is due. Out: whether the loop is to run. While nothing changes it runs
// seldom: a node with hundreds of idle taps must not ask each of them each second. Pure.

export class Round {
  readonly #restMs: number
  #changes: string | undefined
  #beganAtMs = 0
  #dueAtMs = Number.POSITIVE_INFINITY

  /** `restMs`: between two runs while nothing changes. */
  constructor(restMs: number) {
    this.#restMs = restMs
  }

  /** When it is to run though nothing changed. */
  get dueAtMs(): number {
    return this.#dueAtMs
  }

  /** True: the loop is to run. A clock that was set back makes it due. */
  begin(changes: string, nowMs: number): boolean {
    if (changes === this.#changes && nowMs >= this.#beganAtMs && nowMs < this.#dueAtMs) return false
    this.#changes = changes
    this.#beganAtMs = nowMs
    this.#dueAtMs = nowMs + this.#restMs
    return true
  }

  /** It is to run at that time at the latest. */
  dueBy(atMs: number): void {
    this.#dueAtMs = Math.min(this.#dueAtMs, atMs)
  }
}
