// Splits a source into parts of one size. In: a source. Out: parts with their checksums, and the
// checksum of all bytes. One part is read at a time; eachAtOnce() bounds how many are being sent. A
// source that breaks off is read again from where it ended. Refuses a source whose length or
// checksum is not the one it names.
import { createHash } from 'node:crypto'
import { type Attempts, attempt } from './retry.ts'
import { type FileSource, type RetryEffort, StoreError } from './store.ts'

export type Part = {
  /** From 0. */
  readonly index: number
  readonly bytes: Buffer
  readonly sha256: Buffer
  readonly md5: Buffer
}

const partsMost = 10_000 // of S3; Azure allows more
const mebibyte = 1024 * 1024

/** The same for the same file each time, so that an unfinished upload can be resumed. */
export function partBytesOf(
  { bytes }: FileSource,
  { partBytes }: Pick<RetryEffort, 'partBytes'>,
): number {
  if (bytes === undefined) return Math.max(partBytes, 16 * mebibyte)
  const least = Math.ceil(bytes / partsMost)
  return least <= partBytes ? partBytes : Math.ceil(least / mebibyte) * mebibyte
}

export class PartBuffer {
  readonly partBytes: number
  readonly #source: FileSource
  readonly #attempts: Attempts
  readonly #whole = createHash('sha256')
  readonly #free: Buffer[] = []
  #bytes = 0

  constructor(source: FileSource, attempts: Attempts) {
    this.#source = source
    this.#attempts = attempts
    this.partBytes = partBytesOf(source, attempts.effort)
  }

  /** Of all parts that were yielded. */
  get bytes(): number {
    return this.#bytes
  }

  /** At least one part, which may be empty; the last one may be shorter. */
  async *read(signal: AbortSignal): AsyncGenerator<Part> {
    let part = new FillingPart(0, this.#room())
    for await (const chunk of readSteadily(this.#source, 0, this.#attempts, signal)) {
      this.#whole.update(chunk)
      for (let rest = chunk; rest.length > 0; ) {
        rest = part.take(rest)
        if (!part.isFull) continue
        yield this.#give(part)
        part = new FillingPart(part.index + 1, this.#room())
      }
    }
    if (part.index === 0 || part.filled > 0) yield this.#give(part)
  }

  /**
   * Of all bytes, hexadecimal; to be called when all parts are read. Throws if the source names
   * another one.
   */
  digest(): string {
    const sha256 = this.#whole.copy().digest('hex')
    const expected = this.#source.sha256
    if (expected !== undefined && expected !== sha256)
      throw new StoreError(
        `the file has the SHA-256 ${sha256}, expected ${expected}: it has changed`,
      )
    return sha256
  }

  /**
   * Reuses a part's memory for the next one: an upload needs as many buffers as parts are being
   * sent.
   */
  free({ bytes }: Part): void {
    this.#free.push(Buffer.from(bytes.buffer))
  }

  #room(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(this.partBytes)
  }

  #give(part: FillingPart): Part {
    this.#bytes += part.filled
    return part.done()
  }
}

/**
 * A part that is being read; hashed chunk by chunk, so that hashing never blocks the process for
 * long.
 */
class FillingPart {
  readonly index: number
  readonly #bytes: Buffer
  readonly #sha256 = createHash('sha256')
  readonly #md5 = createHash('md5')
  #filled = 0

  constructor(index: number, bytes: Buffer) {
    this.index = index
    this.#bytes = bytes
  }

  get filled(): number {
    return this.#filled
  }

  get isFull(): boolean {
    return this.#filled === this.#bytes.length
  }

  /** Returns the bytes that did not fit. */
  take(chunk: Uint8Array): Uint8Array {
    const taken = chunk.subarray(0, this.#bytes.length - this.#filled)
    this.#bytes.set(taken, this.#filled)
    this.#filled += taken.length
    for (const hash of [this.#sha256, this.#md5]) hash.update(taken)
    return chunk.subarray(taken.length)
  }

  done(): Part {
    return {
      index: this.index,
      bytes: this.#bytes.subarray(0, this.#filled),
      sha256: this.#sha256.digest(),
      md5: this.#md5.digest(),
    }
  }
}

/**
 * All bytes from `from` on; resumes a source that breaks off. Throws if the source has another
 * length than it names.
 */
export async function* readSteadily(
  source: FileSource,
  from: number,
  attempts: Attempts,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const patient = {
    ...attempts,
    explain: (error: unknown) => new StoreError(`the file cannot be read: ${messageOf(error)}`),
  }
  let at = from
  let chunks: AsyncIterator<Uint8Array> | undefined // undefined: to be opened, at first and after it broke off
  const next = async () => {
    chunks ??= (await source.read(at, signal))[Symbol.asyncIterator]()
    try {
      return await chunks.next()
    } catch (error) {
      chunks = undefined
      throw error
    }
  }
  try {
    for (;;) {
      const { done, value } = await attempt(patient, signal, next)
      if (done) break
      at += value.length
      yield value
      attempts.sweeper.passed(value.length)
    }
  } finally {
    await chunks?.return?.()
  }
  if (source.bytes !== undefined && at !== source.bytes)
    throw new StoreError(`the file has ${at} bytes, expected ${source.bytes}: it has changed`)
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Calls `work` for each item, at most `atOnce` at the same time. Ends at the first failure. */
export async function eachAtOnce<T>(
  items: AsyncIterable<T>,
  atOnce: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const underWay = new Set<Promise<void>>()
  let failed: { readonly error: unknown } | undefined // the first one
  try {
    for await (const item of items) {
      const one = work(item).catch(error => {
        failed ??= { error }
      })
      underWay.add(one)
      void one.finally(() => underWay.delete(one))
      if (underWay.size >= atOnce) await Promise.race(underWay)
      if (failed) break
    }
  } finally {
    await Promise.all(underWay)
  }
  if (failed) throw failed.error
}
