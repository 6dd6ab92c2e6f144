// Endpoints that could not be tapped for a stream: when to try again, and whether the reason is a new one.
import { doubledMs } from '../model/backoff.ts'

type StreamFailure = { readonly message: string; readonly tries: number; readonly atMs: number }

const retryDelayMs = { first: 1_000, most: 30_000 } as const

export class Retries {
  readonly #failures = new Map<string, StreamFailure>() // by spec id

  isDue(id: string, nowMs: number): boolean {
    const { atMs } = this.#failures.get(id) ?? { atMs: nowMs }
    return nowMs >= atMs || nowMs < atMs - retryDelayMs.most // far ahead: the clock was set back
  }

  hasDue(nowMs: number): boolean {
    return [...this.#failures.keys()].some(id => this.isDue(id, nowMs))
  }

  /** True: it was not known, or failed for another reason before. */
  failed(id: string, message: string, nowMs: number): boolean {
    const before = this.#failures.get(id)
    const tries = (before?.tries ?? 0) + 1
    this.#failures.set(id, { message, tries, atMs: nowMs + doubledMs(tries, retryDelayMs) })
    return before?.message !== message
  }

  succeeded(id: string): void {
    this.#failures.delete(id)
  }

  keep(wanted: ReadonlyMap<string, unknown>): void {
    for (const id of this.#failures.keys()) if (!wanted.has(id)) this.#failures.delete(id)
  }

  /** Something has changed that they may have waited for. True: there are any. */
  retryNow(): boolean {
    for (const [id, failure] of this.#failures) this.#failures.set(id, { ...failure, tries: 0, atMs: 0 })
    return this.#failures.size > 0
  }
}
