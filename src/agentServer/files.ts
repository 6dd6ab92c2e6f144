// The files of one capture as others may read them: whole records only, while they grow, are rotated or go.
// In: what the holder has. Out: a list, and one file opened: its length and identity fixed at that moment.
import { createHash } from 'node:crypto'
import { constants, createReadStream } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'

/** `bytes`: what may be read of it now. */
export type HeldFile = { readonly name: string; readonly bytes: number; readonly isActive: boolean }

/** A file at one moment; it stays readable when its name goes. */
export class OpenedFile implements AsyncDisposable {
  readonly bytes: number
  readonly etag: string
  readonly #handle: FileHandle

  private constructor(handle: FileHandle, bytes: number, etag: string) {
    this.#handle = handle
    this.bytes = bytes
    this.etag = etag
  }

  /** undefined: it has gone. `name` is one of the list, never a user's words. */
  static async open(directory: string, { name, bytes }: HeldFile): Promise<OpenedFile | undefined> {
    try {
      const handle = await open(join(directory, name), constants.O_RDONLY | constants.O_NOFOLLOW)
      const { size, ino, birthtimeMs } = await handle.stat()
      const length = Math.min(bytes, size)
      const etag = `"${createHash('sha256').update(`${ino} ${birthtimeMs}`).digest('hex').slice(0, 16)}-${length}"`
      return new OpenedFile(handle, length, etag)
    } catch (error) {
      if (['ENOENT', 'ELOOP'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined
      throw error
    }
  }

  /** The same file as it was when it had that tag: a file only grows. undefined: it is another one. */
  asOf(etag: string): { readonly bytes: number; readonly etag: string } | undefined {
    const [, mark, length] = /^"([0-9a-f]{16})-(\d+)"$/.exec(etag) ?? []
    return this.etag.startsWith(`"${mark}-`) && Number(length) <= this.bytes ? { bytes: Number(length), etag } : undefined
  }

  /** SHA-256 of the first bytes, base64. */
  async digest(bytes: number): Promise<string> {
    const hash = createHash('sha256')
    for await (const chunk of this.read(0, bytes)) hash.update(chunk as Buffer)
    return hash.digest('base64')
  }

  /** From `start`, up to but without `end`. The file stays open. */
  read(start: number, end: number): Readable {
    if (end <= start) return createReadStream('/dev/null')
    return createReadStream('', { fd: this.#handle, start, end: end - 1, autoClose: false, highWaterMark: 262_144 })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close()
  }
}
