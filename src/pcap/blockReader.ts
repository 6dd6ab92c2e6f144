// Cuts a pcapng byte stream into whole blocks, however it was cut up on its way. A block is a view of the bytes that came,
// or a copy where it came in pieces. What cannot be a block is told as a problem: the stream cannot be followed beyond it.
import { recordBytesMax } from '../model/capture.ts'

export type Blocks = { readonly blocks: readonly Buffer[]; readonly problem?: string }

const headBytes = 8 // type and size
const blockBytesMin = 12

export class BlockReader {
  #torn: Buffer = Buffer.alloc(headBytes) // has room for the whole block as soon as its size is known
  #tornBytes = 0

  /** What came of a block that is not whole. */
  get rest(): Buffer {
    return this.#torn.subarray(0, this.#tornBytes)
  }

  read(chunk: Buffer): Blocks {
    const blocks: Buffer[] = []
    let at = 0 // up to here the chunk was used
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
        this.#torn = Buffer.alloc(size ?? headBytes)
      }
      at += this.#fill(chunk.subarray(at))
      if (this.#tornBytes < this.#torn.length) return { blocks }
      const problem = this.#torn.length === headBytes ? this.#makeRoom() : sizesDiffer(this.#torn, 0, this.#torn.length)
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

  // The size is known now.
  #makeRoom(): string | undefined {
    const size = this.#torn.readUInt32LE(4)
    const problem = problemOf(size)
    if (problem !== undefined) return problem
    const head = this.#torn
    this.#torn = Buffer.alloc(size)
    head.copy(this.#torn)
    return undefined
  }
}

function sizeAt(bytes: Buffer, at: number): number | undefined {
  return at + headBytes <= bytes.length ? bytes.readUInt32LE(at + 4) : undefined
}

function problemOf(size: number | undefined): string | undefined {
  if (size === undefined || (size >= blockBytesMin && size <= recordBytesMax && size % 4 === 0)) return undefined
  return `a block of ${size} bytes, expected a multiple of 4 from ${blockBytesMin} to ${recordBytesMax}`
}

// The size stands at the end of a block again.
function sizesDiffer(bytes: Buffer, at: number, size: number | undefined): string | undefined {
  if (size === undefined || at + size > bytes.length) return undefined
  return bytes.readUInt32LE(at + size - 4) === size ? undefined : 'two sizes in one block'
}
