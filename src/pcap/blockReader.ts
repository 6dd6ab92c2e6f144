// Cuts a pcapng byte stream into whole blocks. In: chunks of any size. Out: blocks; a block is a
// view of its chunk, or a copy where it arrived in several chunks. Refuses, as a problem, bytes
// that cannot be a block: the reader cannot find the next block after them.
import { blockHeaderBytes, blockLengthAt, blockLengthExpected, isBlockLength } from './format.ts'

export type Blocks = { readonly blocks: readonly Buffer[]; readonly problem?: string }

export class BlockReader {
  #torn: Buffer = Buffer.alloc(blockHeaderBytes) // of the block's length as soon as that is known
  #tornBytes = 0

  /** The bytes so far of a block that is not complete. */
  get rest(): Buffer {
    return this.#torn.subarray(0, this.#tornBytes)
  }

  read(chunk: Buffer): Blocks {
    const blocks: Buffer[] = []
    let at = 0 // bytes of the chunk that were consumed
    while (at < chunk.length) {
      if (this.#tornBytes === 0) {
        const size = sizeAt(chunk, at)
        const problem = problemOf(size) ?? sizesDiffer(chunk, at, size)
        if (problem !== undefined) return { blocks, problem }
        if (size !== undefined && at + size <= chunk.length) {
          blocks.push(chunk.subarray(at, at + size))
          at += size
          continue
        }
        this.#torn = Buffer.alloc(size ?? blockHeaderBytes)
      }
      at += this.#fill(chunk.subarray(at))
      if (this.#tornBytes < this.#torn.length) return { blocks }
      const problem =
        this.#torn.length === blockHeaderBytes
          ? this.#makeRoom()
          : sizesDiffer(this.#torn, 0, this.#torn.length)
      if (problem !== undefined) return { blocks, problem }
      if (this.#tornBytes < this.#torn.length) continue
      blocks.push(this.#torn)
      this.#tornBytes = 0
    }
    return { blocks }
  }

  #fill(bytes: Buffer): number {
    const copied = bytes.copy(this.#torn, this.#tornBytes)
    this.#tornBytes += copied
    return copied
  }

  // Called when the header is complete.
  #makeRoom(): string | undefined {
    const size = blockLengthAt(this.#torn, 0)
    const problem = problemOf(size)
    if (problem !== undefined) return problem
    const head = this.#torn
    this.#torn = Buffer.alloc(size)
    head.copy(this.#torn)
    return undefined
  }
}

function sizeAt(bytes: Buffer, at: number): number | undefined {
  return at + blockHeaderBytes <= bytes.length ? blockLengthAt(bytes, at) : undefined
}

function problemOf(size: number | undefined): string | undefined {
  return size === undefined || isBlockLength(size)
    ? undefined
    : `a block of ${size} bytes, expected ${blockLengthExpected}`
}

// A block ends with its length again.
function sizesDiffer(bytes: Buffer, at: number, size: number | undefined): string | undefined {
  if (size === undefined || at + size > bytes.length) return undefined
  return bytes.readUInt32LE(at + size - 4) === size ? undefined : 'two sizes in one block'
}
