// Joins the live streams of several connections into one. Pure but for its memory. In: the bytes of
// each connection, pcapng with one section. Out: whole blocks of one section: a later connection's
// section header becomes a note of what is missing, and its interfaces get new numbers. Refuses, as
// a problem, bytes that are no blocks.
import { noteBlock } from '../../pcap/block.ts'
import { BlockReader } from '../../pcap/blockReader.ts'
import { blockTypes, packetFields } from '../../pcap/format.ts'

export type JoinedBytes = { readonly bytes: Buffer; readonly problem?: string }

export class JoinedStream {
  #reader = new BlockReader()
  #interfaces = 0
  #before = 0 // interfaces of the connections before
  #note: string | undefined
  #hasContent = false

  /** Whether this connection has had more than its section header. */
  get hasContent(): boolean {
    return this.#hasContent
  }

  add(chunk: Buffer): JoinedBytes {
    const { blocks, problem } = this.#reader.read(chunk)
    const bytes = Buffer.concat(blocks.map(block => this.#joined(block)))
    return { bytes, ...(problem !== undefined && { problem }) }
  }

  /** The connection has broken off: what it had of a block is left out, and the next one begins. */
  begin(note: string): void {
    this.#reader = new BlockReader()
    this.#before = this.#interfaces
    this.#note = note
    this.#hasContent = false
  }

  #joined(block: Buffer): Buffer {
    const type = block.readUInt32LE(0)
    if (type === blockTypes.section) return this.#note === undefined ? block : noteBlock(this.#note)
    this.#hasContent = true
    if (type === blockTypes.interface) this.#interfaces++
    const isNumbered = type === blockTypes.packet || type === blockTypes.statistics
    if (!isNumbered || this.#before === 0) return block
    const copy = Buffer.from(block)
    copy.writeUInt32LE(block.readUInt32LE(packetFields.interfaceId) + this.#before, packetFields.interfaceId) // biome-ignore format: one line
    return copy
  }
}
