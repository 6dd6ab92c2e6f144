// Makes one pcapng stream of many: one section, an interface block for each interface of each input, packets in time order.
// In: the inputs' bytes as they come (little-endian, nanoseconds, one section each; src/pcap/fileHeader.ts and native/ write such,
// and so does this), and the time. Out: the merged bytes, for the asking. Pure but for its memory, which is bounded.
//
// A packet goes out when every input has one that is not earlier; when it has waited for windowMs; or when more than
// windowBytes wait. Within one input the order stays as it is. When bytesMax wait, because nobody takes them, what comes is
// dropped and counted; a statistics block says so as soon as something is taken again, and each interface's last block when its
// input has ended. An input that makes no sense is ended, with the reason.
import { blockTypes, byteOrderMagic, packetFields } from '../pcap/format.ts'
import { Heap } from '../pcap/heap.ts'
import { type InterfaceCounts, isEarlier, lostBy, type MergedInterface, MergeInput, type Packet } from './mergeInput.ts'
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
const interfacesBytesMax = 4 * 1024 * 1024 // that nobody takes
const takeBytes = 262_144

export class Merge {
  readonly #limits: MergeLimits
  readonly #lanes = new Set<MergeInput>()
  readonly #waiting = new Heap<MergeInput>(isEarlier) // those that hold packets
  readonly #changed = new Set<MergedInterface>() // something was lost since their last statistics
  #said: Buffer[] // blocks that do not wait
  #silent = 0 // inputs that go on and hold nothing
  #interfaces = 0
  #heldBytes = 0
  #lostByGone = 0 // by interfaces of inputs that have ended
  #interfaceBytes = 0 // of interface blocks that were not taken yet

  constructor(section: Buffer, limits: Partial<MergeLimits> = {}) {
    this.#limits = { ...defaultMergeLimits, ...limits }
    this.#said = [section]
  }

  get heldBytes(): number {
    return this.#heldBytes
  }

  /** Packets that the stream lacks so far, wherever they were lost. */
  get lost(): number {
    return [...this.#lanes].reduce((sum, { interfaces }) => sum + lostOf(interfaces), this.#lostByGone)
  }

  /** Nothing is held, and nothing left to be said. */
  get isEmpty(): boolean {
    return this.#heldBytes === 0 && this.#said.length === 0 && this.#changed.size === 0
  }

  join(): MergeInput {
    const lane = new MergeInput()
    this.#lanes.add(lane)
    this.#silent++
    return lane
  }

  /** Takes the next bytes of an input and keeps them: they are written into. Returns why the input was ended, if it was. */
  push(lane: MergeInput, chunk: Buffer, nowMs: number): string | undefined {
    if (lane.isEnded) return undefined
    const { blocks, problem } = lane.reader.read(chunk)
    const isTight = this.#heldBytes + chunk.length > this.#limits.bytesMax
    const found = firstDefined(blocks, block => this.#take(lane, block, nowMs, isTight)) ?? problem
    if (found !== undefined) this.end(lane, nowMs)
    return found
  }

  /** What an input's source knows of one of its interfaces, by the input's own number. Counts never go backwards. */
  count(lane: MergeInput, index: number, { received, lost }: InterfaceCounts): void {
    const merged = lane.interfaces[index]
    if (!merged) return
    merged.counts = { received: Math.max(received, merged.counts.received), lost: Math.max(lost, merged.counts.lost) }
    this.#note(merged)
  }

  /** No more of this input. What it holds goes out in its order, then its statistics. */
  end(lane: MergeInput, nowMs: number): void {
    if (lane.isEnded) return
    lane.isEnded = true
    const torn = tornIn(lane)
    if (torn) torn.lostHere++
    if (lane.head) return
    this.#silent--
    this.#said.push(...this.#finish(lane, nowMs))
  }

  /** What may go out now, about 256 KiB at most; nothing: not before dueAtMs, or more is pushed. */
  take(nowMs: number): Buffer {
    const out = this.#said
    this.#said = []
    this.#interfaceBytes = 0
    const overdue = new Set([...this.#lanes].filter(lane => this.#isOverdue(lane, nowMs)))
    for (let bytes = 0; bytes < takeBytes; ) {
      const lane = this.#waiting.first
      const packet = lane?.head
      if (!lane || !packet || !this.#mayGo(overdue)) break
      out.push(packet.block)
      bytes += packet.block.length
      this.#deliver(lane, packet)
      if (overdue.has(lane) && !this.#isOverdue(lane, nowMs)) overdue.delete(lane)
      if (lane.isEnded && !lane.head) out.push(...this.#finish(lane, nowMs))
    }
    for (const merged of this.#changed) out.push(this.#state(merged, nowMs))
    return Buffer.concat(out)
  }

  /** When the packet that has waited longest has waited enough; Infinity: nothing waits. */
  get dueAtMs(): number {
    return Math.min(...[...this.#lanes].map(({ head }) => (head ? head.arrivedMs + this.#limits.windowMs : Number.POSITIVE_INFINITY)))
  }

  #mayGo(overdue: ReadonlySet<MergeInput>): boolean {
    return this.#silent === 0 || overdue.size > 0 || this.#heldBytes > this.#limits.windowBytes
  }

  // A time ahead of now is from before the clock was set back.
  #isOverdue({ head }: MergeInput, nowMs: number): boolean {
    return head !== undefined && (nowMs >= head.arrivedMs + this.#limits.windowMs || nowMs < head.arrivedMs)
  }

  #deliver(lane: MergeInput, { block, from }: Packet): void {
    this.#heldBytes -= block.length
    from.held--
    from.delivered++
    lane.shift()
    if (lane.head) return this.#waiting.sinkFirst()
    this.#waiting.removeFirst()
    if (!lane.isEnded) this.#silent++
  }

  #finish(lane: MergeInput, nowMs: number): Buffer[] {
    this.#lanes.delete(lane)
    this.#lostByGone += lostOf(lane.interfaces)
    return lane.interfaces.map(merged => this.#state(merged, nowMs))
  }

  #state(merged: MergedInterface, nowMs: number): Buffer {
    merged.statedLost = lostBy(merged)
    this.#changed.delete(merged)
    return statisticsBlock(merged, nowMs)
  }

  #note(merged: MergedInterface): void {
    if (lostBy(merged) !== merged.statedLost) this.#changed.add(merged)
  }

  // Returns a problem. Blocks of other kinds belong to the input's own section and are left out.
  #take(lane: MergeInput, block: Buffer, nowMs: number, isTight: boolean): string | undefined {
    const type = block.readUInt32LE(0)
    if (type === blockTypes.section) return begin(lane, block)
    if (!lane.hasSection) return 'a block before the section header'
    if (type === blockTypes.interface) return this.#addInterface(lane, block)
    if (type === blockTypes.packet) return this.#addPacket(lane, block, nowMs, isTight)
    if (type === blockTypes.statistics && block.length >= 24) this.count(lane, block.readUInt32LE(8), countsIn(block))
    return undefined
  }

  #addInterface(lane: MergeInput, block: Buffer): string | undefined {
    if (block.length < 20 || block.length > interfaceBytesMax) return `an interface block of ${block.length} bytes`
    if (timeResolutionOf(block) !== 9) return 'an interface whose times are not in nanoseconds'
    if (this.#interfaces >= this.#limits.interfacesMax) return `more than ${this.#limits.interfacesMax} interfaces`
    this.#interfaceBytes += block.length
    if (this.#interfaceBytes > interfacesBytesMax) return 'interface blocks that nobody takes'
    const told = { received: 0, lost: 0 }
    lane.interfaces.push({ id: this.#interfaces++, counts: told, held: 0, delivered: 0, lostHere: 0, statedLost: 0 })
    this.#said.push(Buffer.from(block))
    return undefined
  }

  #addPacket(lane: MergeInput, block: Buffer, nowMs: number, isTight: boolean): string | undefined {
    if (block.length < 32 || block.readUInt32LE(packetFields.captured) > block.length - 32) return 'a packet that is longer than its block'
    const from = lane.interfaces[block.readUInt32LE(8)]
    if (!from) return `a packet of interface ${block.readUInt32LE(8)}, of which there is no block`
    if (this.#heldBytes + block.length > this.#limits.bytesMax) {
      from.lostHere++
      this.#note(from)
      return undefined
    }
    block.writeUInt32LE(from.id, packetFields.interfaceId)
    const isFirst = lane.head === undefined
    // A view keeps all that came with it in memory: where not all of that is kept, it is copied.
    const kept = isTight ? Buffer.from(block) : block
    lane.add({
      block: kept,
      high: block.readUInt32LE(packetFields.timeHigh),
      low: block.readUInt32LE(packetFields.timeLow),
      arrivedMs: nowMs,
      from,
    })
    from.held++
    this.#heldBytes += block.length
    if (!isFirst) return undefined
    this.#silent--
    this.#waiting.add(lane)
    return undefined
  }
}

function begin(lane: MergeInput, block: Buffer): string | undefined {
  if (lane.hasSection) return 'a second section'
  if (block.length < 28 || block.readUInt32LE(8) !== byteOrderMagic) return 'a section that is not little-endian'
  lane.hasSection = true
  return undefined
}

/** The interface of a packet of which only a part came. */
function tornIn({ reader: { rest }, interfaces }: MergeInput): MergedInterface | undefined {
  if (rest.length === 0 || (rest.length >= 4 && rest.readUInt32LE(0) !== blockTypes.packet)) return undefined
  return rest.length >= 12 ? interfaces[rest.readUInt32LE(8)] : interfaces.length === 1 ? interfaces[0] : undefined
}

function lostOf(interfaces: readonly MergedInterface[]): number {
  return interfaces.reduce((sum, each) => sum + lostBy(each), 0)
}

function firstDefined<Item, Found>(items: readonly Item[], find: (item: Item) => Found | undefined): Found | undefined {
  for (const item of items) {
    const found = find(item)
    if (found !== undefined) return found
  }
  return undefined
}
