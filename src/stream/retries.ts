// When an endpoint that could not be tapped for a stream is tried again. In: failures by spec id,
// and the time. Out: what is due, and whether a failure's reason is new. Pure.
import { doubledMs } from '../model/backoff.ts'

type StreamFailure = { readonly message: string; readonly tries: number; readonly atMs: number }

const retryDelayMs = { first: 1_000, most: 30_000 } as const

export class Retries {
  readonly #failures = new Map<string, StreamFailure>() // by spec id

  isDue(id: string, nowMs: number): boolean {
    const { atMs } = this.#failures.get(id) ?? { atMs: nowMs }
    return nowMs >= atMs || nowMs < atMs - retryDelayMs.most // far in the future: the clock was set back
  }

  hasDue(nowMs: number): boolean {
    return [...this.#failures.keys()].some(id => this.isDue(id, nowMs))
  }

  /** True: it had not failed before, or for another reason. */
  failed(id: string, message: string, nowMs: number): boolean {
    const before = this.#failures.get(id)
    const tries = (before?.tries ?? 0) + 1
    this.#failures.set(id, { message, tries, atMs: nowMs + doubledMs(tries, retryDelayMs) })
    return before?.message !== message
  }

  succeeded(id: string): void {
    this.#failures.delete(id)
  }

  /** Forgets all others. */
  retain(wanted: ReadonlyMap<string, unknown>): void {
    for (const id of this.#failures.keys()) if (!wanted.has(id)) this.#failures.delete(id)
  }

  /** Makes all of them due, because an interface appeared. True: there are any. */
  retryNow(): boolean {
    for (const [id, failure] of this.#failures)
      this.#failures.set(id, { ...failure, tries: 0, atMs: 0 })
    return this.#failures.size > 0
  }
}
