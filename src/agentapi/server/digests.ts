// SHA-256 of files, each byte hashed once though the file grows: what was hashed is kept, and the next digest goes on from there.
// One file at a time: digests are the one thing here that costs a node's processor, and many may be asked for at once.
import { createHash, type Hash } from 'node:crypto'
import { type FileVersion, type OpenedFile, versionTagIn } from './captureFiles.ts'

const digestsMax = 256

export class Digests {
  readonly #known = new Map<string, string>() // by tag: of bytes that never change
  readonly #begun = new Map<string, { readonly hash: Hash; readonly bytes: number }>() // by the file's mark
  #last: Promise<unknown> = Promise.resolve()
  #hashedBytes = 0

  /** All that was ever hashed. */
  get hashedBytes(): number {
    return this.#hashedBytes
  }

  /** Of the file as it was at that version, base64. */
  of(file: OpenedFile, version: FileVersion): Promise<string> {
    const digest = this.#last.then(() => this.#known.get(version.etag) ?? this.#make(file, version))
    this.#last = digest.catch(() => {}) // told to whoever asked for it
    return digest
  }

  async #make(file: OpenedFile, { bytes, etag }: FileVersion): Promise<string> {
    const mark = versionTagIn(etag) ?? ''
    const begun = this.#begun.get(mark)
    const from = begun && begun.bytes <= bytes ? begun : { hash: createHash('sha256'), bytes: 0 }
    const hash = from.hash.copy()
    for await (const chunk of file.read(from.bytes, bytes)) hash.update(chunk)
    this.#hashedBytes += bytes - from.bytes
    if ((begun?.bytes ?? 0) <= bytes) keep(this.#begun, mark, { hash: hash.copy(), bytes })
    const digest = hash.digest('base64')
    keep(this.#known, etag, digest)
    return digest
  }
}

/** The oldest go. */
function keep<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key)
  map.set(key, value)
  for (const old of map.keys()) if (map.size > digestsMax) map.delete(old)
}
