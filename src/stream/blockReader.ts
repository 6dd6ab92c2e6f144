// Cuts a pcapng byte stream into whole blocks, however it was cut up on its way. A block is a view of the bytes that came,
// or a copy where it came in pieces. What cannot be a block is told as a problem: the stream cannot be followed beyond it.
export type Blocks = { readonly blocks: readonly Buffer[]; readonly problem?: string }

const headBytes = 8 // type and length
export const blockBytesMin = 12
export const blockBytesMax = 1_048_576 // a packet of the longest snap length takes a quarter

export class BlockReader {
  #rest: Buffer = Buffer.alloc(0) // of a block that is not whole yet

  /** What came of a block that is not whole. */
  get rest(): Buffer {
    return this.#rest
  }

  read(chunk: Buffer): Blocks {
    const blocks: Buffer[] = []
    let at = 0 // up to here the chunk was used
    for (let size = 0; at < chunk.length || this.#rest.length > 0; at += size) {
      if (this.#rest.length > 0) at += this.#complete(chunk.subarray(at))
      const block = this.#rest.length > 0 ? this.#rest : chunk.subarray(at)
      size = block.length < headBytes ? headBytes : block.readUInt32LE(4)
      const problem = block.length < headBytes ? undefined : problemOf(size)
      if (problem !== undefined) return { blocks, problem }
      if (block.length < size) {
        this.#rest = block === this.#rest ? block : Buffer.from(block)
        return { blocks }
      }
      if (block.readUInt32LE(size - 4) !== size) return { blocks, problem: 'two sizes in one block' }
      blocks.push(block.subarray(0, size))
      if (block !== this.#rest) continue
      this.#rest = Buffer.alloc(0)
      size = 0
    }
    return { blocks }
  }

  /** Takes what the torn block lacks, its length first; returns how much that was. */
  #complete(chunk: Buffer): number {
    const head = chunk.subarray(0, Math.max(0, headBytes - this.#rest.length))
    if (head.length > 0) this.#rest = Buffer.concat([this.#rest, head])
    if (this.#rest.length < headBytes) return head.length
    const size = this.#rest.readUInt32LE(4)
    if (problemOf(size) !== undefined) return head.length
    const body = chunk.subarray(head.length, head.length + size - this.#rest.length)
    this.#rest = Buffer.concat([this.#rest, body])
    return head.length + body.length
  }
}

function problemOf(size: number): string | undefined {
  if (size >= blockBytesMin && size <= blockBytesMax && size % 4 === 0) return undefined
  return `a block of ${size} bytes, expected a multiple of 4 from ${blockBytesMin} to ${blockBytesMax}`
}
