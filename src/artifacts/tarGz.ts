// A .tar.gz that is written entry by entry. In: a file handle to write to; files and bodies under their names. Out: nothing but the
// bytes. Holds a few buffers, whatever the size: a reader that waits makes the writer wait.
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import type { Header, Pack } from 'tar-stream'
import { ExpectedError } from '../model/errors.ts'

const chunkBytes = 262_144

type TarEntry = ReturnType<Pack['entry']>
type NamedEntry = Partial<Header> & { readonly name: string }

export class TarGz {
  readonly #tar: Pack
  readonly #written: Promise<void>

  private constructor(tar: Pack, written: Promise<void>) {
    this.#tar = tar
    this.#written = written
  }

  static async open(output: FileHandle, signal: AbortSignal): Promise<TarGz> {
    const { pack } = await import('tar-stream') // loaded when it is needed: most agents never do
    const tar = pack()
    const written = pipeline(
      Readable.from(tar as AsyncIterable<Buffer>, { objectMode: false }),
      createGzip(),
      async (compressed: AsyncIterable<Buffer>) => {
        for await (const chunk of compressed) await output.writeFile(chunk)
      },
      { signal },
    )
    written.catch(error => tar.destroy(error)) // whoever adds meanwhile learns of it
    return new TarGz(tar, written)
  }

  /** As many bytes as the file has now. */
  async addFile(name: string, path: string): Promise<void> {
    await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
    const { size, mtime } = await file.stat()
    await this.#add({ name, size, mtime }, async entry => {
      for (let at = 0; at < size; ) {
        const { bytesRead, buffer } = await file.read({ buffer: Buffer.allocUnsafe(Math.min(chunkBytes, size - at)), position: at })
        if (bytesRead === 0) throw new ExpectedError(`Cannot read "${path}": it has become shorter than ${size} bytes`)
        at += bytesRead
        if (!entry.write(buffer.subarray(0, bytesRead))) await drain(entry)
      }
    })
  }

  async addBody(name: string, body: Buffer): Promise<void> {
    await this.#add({ name, size: body.length }, async entry => {
      if (body.length > 0 && !entry.write(body)) await drain(entry)
    })
  }

  /** Everything is written. */
  async end(): Promise<void> {
    this.#tar.finalize()
    await this.#written
  }

  /** Nobody will end it. */
  async abandon(): Promise<void> {
    this.#tar.destroy()
    await this.#written.catch(() => {})
  }

  async #add(header: NamedEntry, write: (entry: TarEntry) => Promise<void>): Promise<void> {
    const done = Promise.withResolvers<void>()
    done.promise.catch(() => {}) // told below, once the writing has ended
    const entry = this.#tar.entry({ ...header, mode: 0o640 }, error => (error ? done.reject(error) : done.resolve()))
    await write(entry)
    entry.end(null)
    await Promise.race([
      done.promise,
      this.#written.then(() => Promise.reject(new ExpectedError('Cannot add to an archive: it has ended'))),
    ])
  }
}

// An entry whose archive is given up is closed instead.
async function drain(entry: TarEntry): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const drain = (): void => resolve()
  const close = (): void => reject(new ExpectedError('Cannot write an archive: it was given up'))
  entry.once('drain', drain).once('close', close)
  await promise.finally(() => entry.off('drain', drain).off('close', close))
}
