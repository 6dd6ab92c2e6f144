// One input of a merge: its packets that wait, in the order in which they came, and its interfaces with their counts.
import { BlockReader } from '../pcap/blockReader.ts'

/** Times are nanoseconds since the epoch in two halves, as in the block. */
export type Packet = {
  readonly block: Buffer
  readonly high: number
  readonly low: number
  readonly arrivedMs: number
  readonly from: MergedInterface
}

export type InterfaceCounts = { readonly received: number; readonly lost: number }

/** An interface of the merged stream. received = delivered + lost once its input has ended. */
export type MergedInterface = {
  readonly id: number
  counts: InterfaceCounts // by the input: what was received there, and lost on the way here
  held: number
  delivered: number
  lostHere: number
  statedLost: number // in the last statistics block
}

const compactAt = 1_024

export class MergeInput {
  readonly reader = new BlockReader()
  readonly interfaces: MergedInterface[] = [] // by the input's own numbers
  hasSection = false
  isEnded = false
  #packets: Packet[] = []
  #at = 0 // those before were taken

  get head(): Packet | undefined {
    return this.#packets[this.#at]
  }

  add(packet: Packet): void {
    this.#packets.push(packet)
  }

  shift(): void {
    this.#at++
    if (this.#at < this.#packets.length && (this.#at < compactAt || this.#at * 2 < this.#packets.length)) return
    this.#packets = this.#packets.slice(this.#at)
    this.#at = 0
  }
}

export function isEarlier(a: MergeInput, b: MergeInput): boolean {
  const [one, other] = [a.head, b.head]
  if (!one || !other) return one !== undefined
  return one.high === other.high ? one.low < other.low : one.high < other.high
}

export function receivedBy({ counts: told, held, delivered, lostHere }: MergedInterface): number {
  return Math.max(told.received, told.lost + held + delivered + lostHere)
}

export function lostBy({ counts: told, lostHere }: MergedInterface): number {
  return told.lost + lostHere
}
