// Merges several pcapng streams into one: one section, an interface block for each interface of
// each input, packets in time order. In: the inputs' bytes (little-endian, nanoseconds, one section
// each), and the time. Out: the merged bytes, when they are taken. Pure but for its memory, which
// is bounded.
//
// A packet is sent when every input has one that is not earlier; when it has waited for windowMs;
// or when more than windowBytes wait. Within one input the order stays as it is. When bytesMax
// wait, because the reader is slow, new packets are dropped and counted: a statistics block reports
// them when something is taken again, and once more when the input has ended. Refuses an input that
// is no such stream: the input ends, and push() returns the reason.
import { blockTypes, byteOrderMagic, holdsItsPacket, packetFields } from '../pcap/format.ts'
import { Heap } from '../pcap/heap.ts'
import {
  type InterfaceCounts,
  isEarlier,
  lostBy,
  type MergedInterface,
  MergeInput,
  type Packet,
} from './mergeInput.ts'
import { countsIn, statisticsBlock, timeResolutionOf } from './statistics.ts'

export type MergeLimits = {
  readonly windowMs: number
  readonly windowBytes: number
  readonly bytesMax: number
  readonly interfacesMax: number // over the whole life of the stream
}

export const defaultMergeLimits: MergeLimits = Object.freeze({
  windowMs: 500,
  windowBytes: 4 * 1024 * 1024,
  bytesMax: 8 * 1024 * 1024,
  interfacesMax: 10_000,
})

const interfaceBytesMax = 70_000 // a filter's text may be 65,535 long
const interfacesBytesMax = 4 * 1024 * 1024 // of interface blocks that were not taken yet
const takeBytes = 262_144

export class Merge {
  readonly #limits: MergeLimits
  readonly #inputs = new Set<MergeInput>()
  readonly #waiting = new Heap<MergeInput>(isEarlier) // those that hold packets
  readonly #changed = new Set<MergedInterface>() // packets were lost since their last statistics block
  #ready: Buffer[] // blocks that need not wait
  #idleInputs = 0 // that have not ended and have no packet
  #interfaces = 0
  #heldBytes = 0
  #lostByEnded = 0 // by interfaces of inputs that have ended
  #interfaceBytes = 0 // of interface blocks in #ready

  constructor(section: Buffer, limits: Partial<MergeLimits> = {}) {
    this.#limits = { ...defaultMergeLimits, ...limits }
    this.#ready = [section]
  }

  get heldBytes(): number {
    return this.#heldBytes
  }

  /** Packets that are missing from the stream so far, wherever they were lost. */
  get lost(): number {
    return [...this.#inputs].reduce(
      (sum, { interfaces }) => sum + lostOf(interfaces),
      this.#lostByEnded,
    )
  }

  /** No packet, block or count is left to be taken. */
  get isEmpty(): boolean {
    return this.#heldBytes === 0 && this.#ready.length === 0 && this.#changed.size === 0
  }

  join(): MergeInput {
    const input = new MergeInput()
    this.#inputs.add(input)
    this.#idleInputs++
    return input
  }

  /**
   * Adds the next bytes of an input and writes into them. Returns why the input was ended, if it
   * was.
   */
  push(input: MergeInput, chunk: Buffer, nowMs: number): string | undefined {
    if (input.isEnded) return undefined
    const { blocks, problem } = input.reader.read(chunk)
    const isNearLimit = this.#heldBytes + chunk.length > this.#limits.bytesMax
    const found =
      firstDefined(blocks, block => this.#add(input, block, nowMs, isNearLimit)) ?? problem
    if (found !== undefined) this.end(input, nowMs)
    return found
  }

  /**
   * Sets an interface's counts as its source has them, by the input's own number. Counts never
   * decrease.
   */
  count(input: MergeInput, index: number, { received, lost }: InterfaceCounts): void {
    const merged = input.interfaces[index]
    if (!merged) return
    merged.counts = {
      received: Math.max(received, merged.counts.received),
      lost: Math.max(lost, merged.counts.lost),
    }
    this.#noteLoss(merged)
  }

  /** The input has ended: its packets are sent in their order, then its statistics. */
  end(input: MergeInput, nowMs: number): void {
    if (input.isEnded) return
    input.isEnded = true
    const torn = tornIn(input)
    if (torn) torn.lostInMerge++
    if (input.head) return
    this.#idleInputs--
    this.#ready.push(...this.#finish(input, nowMs))
  }

  /**
   * What may be sent now, about 256 KiB at most; empty: nothing before dueAtMs, or before more is
   * pushed.
   */
  take(nowMs: number): Buffer {
    const out = this.#ready
    this.#ready = []
    this.#interfaceBytes = 0
    const overdue = new Set([...this.#inputs].filter(input => this.#isOverdue(input, nowMs)))
    for (let bytes = 0; bytes < takeBytes; ) {
      const input = this.#waiting.first
      const packet = input?.head
      if (!input || !packet || !this.#maySend(overdue)) break
      out.push(packet.block)
      bytes += packet.block.length
      this.#deliver(input, packet)
      if (overdue.has(input) && !this.#isOverdue(input, nowMs)) overdue.delete(input)
      if (input.isEnded && !input.head) out.push(...this.#finish(input, nowMs))
    }
    for (const merged of this.#changed) out.push(this.#statistics(merged, nowMs))
    return Buffer.concat(out)
  }

  /** When the packet that has waited longest is sent at the latest; Infinity: none waits. */
  get dueAtMs(): number {
    return Math.min(
      ...[...this.#inputs].map(({ head }) =>
        head ? head.arrivedMs + this.#limits.windowMs : Number.POSITIVE_INFINITY,
      ),
    )
  }

  #maySend(overdue: ReadonlySet<MergeInput>): boolean {
    return this.#idleInputs === 0 || overdue.size > 0 || this.#heldBytes > this.#limits.windowBytes
  }

  // A packet that arrived in the future means that the clock was set back.
  #isOverdue({ head }: MergeInput, nowMs: number): boolean {
    return (
      head !== undefined &&
      (nowMs >= head.arrivedMs + this.#limits.windowMs || nowMs < head.arrivedMs)
    )
  }

  #deliver(input: MergeInput, { block, from }: Packet): void {
    this.#heldBytes -= block.length
    from.waiting--
    from.delivered++
    input.shift()
    if (input.head) return this.#waiting.sinkFirst()
    this.#waiting.removeFirst()
    if (!input.isEnded) this.#idleInputs++
  }

  #finish(input: MergeInput, nowMs: number): Buffer[] {
    this.#inputs.delete(input)
    this.#lostByEnded += lostOf(input.interfaces)
    return input.interfaces.map(merged => this.#statistics(merged, nowMs))
  }

  #statistics(merged: MergedInterface, nowMs: number): Buffer {
    merged.reportedLost = lostBy(merged)
    this.#changed.delete(merged)
    return statisticsBlock(merged, nowMs)
  }

  #noteLoss(merged: MergedInterface): void {
    if (lostBy(merged) !== merged.reportedLost) this.#changed.add(merged)
  }

  // Returns a problem. Blocks of other types belong to the input's own section and are skipped.
  #add(input: MergeInput, block: Buffer, nowMs: number, isNearLimit: boolean): string | undefined {
    const type = block.readUInt32LE(0)
    if (type === blockTypes.section) return begin(input, block)
    if (!input.hasSection) return 'a block before the section header'
    if (type === blockTypes.interface) return this.#addInterface(input, block)
    if (type === blockTypes.packet) return this.#addPacket(input, block, nowMs, isNearLimit)
    if (type === blockTypes.statistics && block.length >= 24) return this.#addCounts(input, block)
    return undefined
  }

  #addCounts(input: MergeInput, block: Buffer): string | undefined {
    const counts = countsIn(block)
    if (typeof counts === 'string') return counts
    this.count(input, block.readUInt32LE(8), counts)
    return undefined
  }

  #addInterface(input: MergeInput, block: Buffer): string | undefined {
    if (block.length < 20 || block.length > interfaceBytesMax)
      return `an interface block of ${block.length} bytes`
    if (timeResolutionOf(block) !== 9) return 'an interface whose times are not in nanoseconds'
    if (this.#interfaces >= this.#limits.interfacesMax)
      return `more than ${this.#limits.interfacesMax} interfaces`
    this.#interfaceBytes += block.length
    if (this.#interfaceBytes > interfacesBytesMax) return 'interface blocks that nobody takes'
    const counts = { received: 0, lost: 0 }
    input.interfaces.push({
      id: this.#interfaces++,
      counts,
      waiting: 0,
      delivered: 0,
      lostInMerge: 0,
      reportedLost: 0,
    })
    this.#ready.push(Buffer.from(block))
    return undefined
  }

  #addPacket(
    input: MergeInput,
    block: Buffer,
    nowMs: number,
    isNearLimit: boolean,
  ): string | undefined {
    if (!holdsItsPacket(block)) return 'a packet that is longer than its block'
    const from = input.interfaces[block.readUInt32LE(8)]
    if (!from) return `a packet of interface ${block.readUInt32LE(8)}, of which there is no block`
    if (this.#heldBytes + block.length > this.#limits.bytesMax) {
      from.lostInMerge++
      this.#noteLoss(from)
      return undefined
    }
    block.writeUInt32LE(from.id, packetFields.interfaceId)
    const isFirst = input.head === undefined
    // A view keeps its whole chunk in memory: near the limit, where part of a chunk may be dropped,
    // the block is copied.
    const kept = isNearLimit ? Buffer.from(block) : block
    input.add({
      block: kept,
      high: block.readUInt32LE(packetFields.timeHigh),
      low: block.readUInt32LE(packetFields.timeLow),
      arrivedMs: nowMs,
      from,
    })
    from.waiting++
    this.#heldBytes += block.length
    if (!isFirst) return undefined
    this.#idleInputs--
    this.#waiting.add(input)
    return undefined
  }
}

function begin(input: MergeInput, block: Buffer): string | undefined {
  if (input.hasSection) return 'a second section'
  if (block.length < 28 || block.readUInt32LE(8) !== byteOrderMagic)
    return 'a section that is not little-endian'
  input.hasSection = true
  return undefined
}

/** The interface of the last packet, if only a part of it arrived. */
function tornIn({ reader: { rest }, interfaces }: MergeInput): MergedInterface | undefined {
  if (rest.length === 0 || (rest.length >= 4 && rest.readUInt32LE(0) !== blockTypes.packet))
    return undefined
  return rest.length >= 12
    ? interfaces[rest.readUInt32LE(8)]
    : interfaces.length === 1
      ? interfaces[0]
      : undefined
}

function lostOf(interfaces: readonly MergedInterface[]): number {
  return interfaces.reduce((sum, each) => sum + lostBy(each), 0)
}

function firstDefined<Item, Found>(
  items: readonly Item[],
  find: (item: Item) => Found | undefined,
): Found | undefined {
  for (const item of items) {
    const found = find(item)
    if (found !== undefined) return found
  }
  return undefined
}
