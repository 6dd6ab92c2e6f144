// One input of a merge. In: packets in the order of their arrival. Out: the first waiting packet,
// and the input's interfaces with their counts.
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
  counts: InterfaceCounts // by the input's source: packets received, and packets lost before the merge
  waiting: number
  delivered: number
  lostInMerge: number
  reportedLost: number // in the last statistics block
}

const compactAt = 1_024

export class MergeInput {
  readonly reader = new BlockReader()
  readonly interfaces: MergedInterface[] = [] // by the input's own numbers
  hasSection = false
  isEnded = false
  #packets: Packet[] = []
  #at = 0 // of the first packet that was not taken yet

  get head(): Packet | undefined {
    return this.#packets[this.#at]
  }

  add(packet: Packet): void {
    this.#packets.push(packet)
  }

  shift(): void {
    this.#at++
    if (
      this.#at < this.#packets.length &&
      (this.#at < compactAt || this.#at * 2 < this.#packets.length)
    )
      return
    this.#packets = this.#packets.slice(this.#at)
    this.#at = 0
  }
}

export function isEarlier(a: MergeInput, b: MergeInput): boolean {
  const [one, other] = [a.head, b.head]
  if (!one || !other) return one !== undefined
  return one.high === other.high ? one.low < other.low : one.high < other.high
}

export function receivedBy({ counts, waiting, delivered, lostInMerge }: MergedInterface): number {
  return Math.max(counts.received, counts.lost + waiting + delivered + lostInMerge)
}

export function lostBy({ counts, lostInMerge }: MergedInterface): number {
  return counts.lost + lostInMerge
}
