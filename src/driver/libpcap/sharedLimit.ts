// The packet and byte limits that the taps of one capture share, counted in this process: one thread, so exact.
// In: a record's size, before it is written. Out: whether it may be. Everybody in the group is told once when it may not.
import type { LimitGroup } from '../driver.ts'

export type LimitKind = 'packets' | 'bytes'

export class SharedLimit implements LimitGroup {
  #packets = Number.POSITIVE_INFINITY
  #bytes = Number.POSITIVE_INFINITY
  #reached: LimitKind | undefined
  readonly #members = new Set<(limit: LimitKind) => void>()

  setLeft({ packets = Number.POSITIVE_INFINITY, bytes = Number.POSITIVE_INFINITY }: { packets?: number; bytes?: number }): void {
    this.#packets = packets
    this.#bytes = bytes
    this.#reached = undefined
  }

  join(onLimit: (limit: LimitKind) => void): Disposable {
    this.#members.add(onLimit)
    return { [Symbol.dispose]: () => void this.#members.delete(onLimit) }
  }

  /** Whether a record of that size may be written. */
  allows(bytes: number): boolean {
    return this.#reached === undefined && this.#packets >= 1 && bytes <= this.#bytes
  }

  /** `packets` and `bytes` are spoken for; giveBack() if they could not be written after all. */
  take(packets: number, bytes: number): void {
    this.#packets -= packets
    this.#bytes -= bytes
  }

  giveBack(packets: number, bytes: number): void {
    this.take(-packets, -bytes)
  }

  /** What was taken is on disk: the packet that reaches a limit is the last, and it is told at once. */
  commit(): void {
    if (this.#packets < 1 || this.#bytes < 1) this.reach(1)
  }

  /** A record of that size is not allowed: that ends it for all, for smaller records too, until setLeft(). */
  reach(bytes: number): void {
    if (this.#reached) return
    this.#reached = this.#packets < 1 || bytes <= this.#bytes ? 'packets' : 'bytes'
    for (const tell of this.#members) tell(this.#reached)
  }
}
