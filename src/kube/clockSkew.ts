// Estimates the offset of this machine's clock to the API server's. In: the Date headers of its
// answers. Out: milliseconds, or undefined. The header has whole seconds, so each answer gives a
// range; the offset lies where all recent ranges overlap.
import type { IncomingMessage } from 'node:http'
import type { Clock } from '../runtime/clock.ts'
import type { Kube } from './request.ts'

const rangesMax = 20
const reachMs = 600_000 // older ranges are dropped, because clocks drift

type SkewRange = { readonly fromMs: number; readonly toMs: number; readonly atMs: number }

export class ClockSkew {
  readonly #clock: Clock
  #ranges: readonly SkewRange[] = []

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Sends the same requests and records the Date of each answer. */
  watching(kube: Kube): Kube {
    return async request => {
      const sentMs = this.#clock.now()
      const response = await kube(request)
      this.#note(response, sentMs)
      return response
    }
  }

  /** The local clock minus the server's, to the second; undefined: not known yet. */
  get offsetMs(): number | undefined {
    const nowMs = this.#clock.now()
    const recent = this.#ranges.filter(({ atMs }) => Math.abs(nowMs - atMs) < reachMs)
    if (recent.length === 0) return undefined
    const fromMs = Math.max(...recent.map(range => range.fromMs))
    const toMs = Math.min(...recent.map(range => range.toMs))
    if (fromMs > toMs) return undefined // a clock was set between two answers
    if (fromMs <= 0 && toMs >= 0) return 0
    return Math.round((fromMs + toMs) / 2_000) * 1_000
  }

  #note({ headers }: IncomingMessage, sentMs: number): void {
    const dateMs = Date.parse(headers.date ?? '')
    if (Number.isNaN(dateMs)) return
    const nowMs = this.#clock.now()
    const range = { fromMs: sentMs - dateMs - 1_000, toMs: nowMs - dateMs, atMs: nowMs }
    const agreeing = this.#ranges.filter(
      ({ fromMs, toMs }) => fromMs <= range.toMs && toMs >= range.fromMs,
    )
    this.#ranges = [...agreeing, range].slice(-rangesMax)
  }
}
