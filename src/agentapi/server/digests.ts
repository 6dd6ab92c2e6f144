// SHA-256 of capture files. In: an open file and a version of it. Out: the digest, base64. Each
// byte is hashed once although files grow: the hash so far is kept, and the next digest continues
// from there. One file at a time, because hashing is the only work here that takes the node's
// processor.
import { createHash, type Hash } from 'node:crypto'
import { type FileVersion, type OpenedFile, versionTagIn } from './captureFiles.ts'

const digestsMax = 256

export class Digests {
  readonly #known = new Map<string, string>() // by tag: the bytes up to there never change
  readonly #partial = new Map<string, { readonly hash: Hash; readonly bytes: number }>() // by the tag's identity
  #last: Promise<unknown> = Promise.resolve()
  #hashedBytes = 0

  /** Of all digests since the start. */
  get hashedBytes(): number {
    return this.#hashedBytes
  }

  /** Of the file as it was at that version, base64. */
  of(file: OpenedFile, version: FileVersion): Promise<string> {
    const digest = this.#last.then(() => this.#known.get(version.etag) ?? this.#make(file, version))
    this.#last = digest.catch(() => {}) // the caller gets the error; the next digest only waits
    return digest
  }

  async #make(file: OpenedFile, { bytes, etag }: FileVersion): Promise<string> {
    const identity = versionTagIn(etag) ?? ''
    const partial = this.#partial.get(identity)
    const from =
      partial && partial.bytes <= bytes ? partial : { hash: createHash('sha256'), bytes: 0 }
    const hash = from.hash.copy()
    for await (const chunk of file.read(from.bytes, bytes)) hash.update(chunk)
    this.#hashedBytes += bytes - from.bytes
    if ((partial?.bytes ?? 0) <= bytes) keep(this.#partial, identity, { hash: hash.copy(), bytes })
    const digest = hash.digest('base64')
    keep(this.#known, etag, digest)
    return digest
  }
}

/** Removes the oldest beyond the limit. */
function keep<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key)
  map.set(key, value)
  for (const old of map.keys()) if (map.size > digestsMax) map.delete(old)
}
