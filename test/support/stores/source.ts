// Files to upload in tests: bytes that are made when they are read, any number of them, the same
// each time.
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import type { DestinationPolicy } from '../../../src/store/destinationPolicy.ts'
import type { FileSource, RetryEffort } from '../../../src/store/store.ts'

const blockBytes = 65_536

/** `asked`: the offsets it was read from. `seed` makes another file. */
export type MadeSource = FileSource & {
  readonly bytes: number
  readonly sha256: string
  readonly asked: number[]
}

export function madeSource(bytes: number, seed = 'a'): MadeSource {
  const hash = createHash('sha256')
  for (const block of blocks(bytes, seed, 0)) hash.update(block)
  const asked: number[] = []
  return {
    bytes,
    sha256: hash.digest('hex'),
    asked,
    async *read(fromByte) {
      asked.push(fromByte)
      yield* blocks(bytes, seed, fromByte)
    },
  }
}

/** What is known of a file before it is read: nothing. */
export function unknownSource({ read }: FileSource): FileSource {
  return { read }
}

export async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer)
  return hash.digest('hex')
}

/** The loopback by plain HTTP, for servers of the tests. */
export const testPolicy: DestinationPolicy = {
  isHttpAllowed: true,
  hostsAllowed: [],
  addressesAllowed: ['127.0.0.0/8'],
}

/** Small parts and short waits: tests upload little. */
export const testEffort: Partial<RetryEffort> = {
  partBytes: 5 * 1024 * 1024,
  triesMax: 5,
  firstWaitMs: 50,
  longestWaitMs: 2_000,
}

function* blocks(bytes: number, seed: string, from: number): Generator<Buffer> {
  for (let at = from - (from % blockBytes); at < bytes; at += blockBytes) {
    const block = blockAt(seed, at / blockBytes)
    yield block.subarray(Math.max(0, from - at), Math.min(blockBytes, bytes - at))
  }
}

/** Each one different, and quick to make. */
function blockAt(seed: string, index: number): Buffer {
  const pattern = createHash('sha512').update(`${seed} ${index}`).digest()
  return Buffer.alloc(blockBytes, pattern)
}
