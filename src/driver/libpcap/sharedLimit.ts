// The packet and byte limits that the taps of one capture share. They are exact, because one thread
// counts them. In: a record's size, before it is written. Out: whether it may be written, and one
// call to each tap when a limit is reached.
import type { LimitGroup } from '../driver.ts'

export type LimitKind = 'packets' | 'bytes'

export class SharedLimit implements LimitGroup {
  #packets = Number.POSITIVE_INFINITY
  #bytes = Number.POSITIVE_INFINITY
  #reached: LimitKind | undefined
  readonly #members = new Set<(limit: LimitKind) => void>()

  setLeft({
    packets = Number.POSITIVE_INFINITY,
    bytes = Number.POSITIVE_INFINITY,
  }: {
    packets?: number
    bytes?: number
  }): void {
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

  /** Reserves packets and bytes; giveBack() if they could not be written. */
  take(packets: number, bytes: number): void {
    this.#packets -= packets
    this.#bytes -= bytes
  }

  giveBack(packets: number, bytes: number): void {
    this.take(-packets, -bytes)
  }

  /**
   * What was reserved is written: the packet that reaches a limit is the last one, and is reported
   * at once.
   */
  commit(): void {
    if (this.#packets < 1 || this.#bytes < 1) this.reach(1)
  }

  /** A record of that size is not allowed: no tap may write any record until setLeft(). */
  reach(bytes: number): void {
    if (this.#reached) return
    this.#reached = this.#packets < 1 || bytes <= this.#bytes ? 'packets' : 'bytes'
    for (const onLimit of this.#members) onLimit(this.#reached)
  }
}
