// Writes a .tar.gz entry by entry. In: a file handle to write to; files and bodies with their
// names. Out: the compressed bytes. Holds a few buffers, whatever the size: each write waits for
// the one before. Refuses a file that becomes shorter meanwhile.
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
    const { pack } = await import('tar-stream') // loaded when it is needed: most agents never need it
    const tar = pack()
    const written = pipeline(
      Readable.from(tar as AsyncIterable<Buffer>, { objectMode: false }),
      createGzip(),
      async (compressed: AsyncIterable<Buffer>) => {
        for await (const chunk of compressed) await output.writeFile(chunk)
      },
      { signal },
    )
    written.catch(error => tar.destroy(error)) // a running addFile() or addBody() fails with it
    return new TarGz(tar, written)
  }

  /** Adds as many bytes as the file has now. */
  async addFile(name: string, path: string): Promise<void> {
    await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
    const { size, mtime } = await file.stat()
    await this.#add({ name, size, mtime }, async entry => {
      for (let at = 0; at < size; ) {
        const { bytesRead, buffer } = await file.read({
          buffer: Buffer.allocUnsafe(Math.min(chunkBytes, size - at)),
          position: at,
        })
        if (bytesRead === 0)
          throw new ExpectedError(`Cannot read "${path}": it has become shorter than ${size} bytes`)
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

  /** Resolves when everything is written. */
  async end(): Promise<void> {
    this.#tar.finalize()
    await this.#written
  }

  /** Ends an archive that has failed. */
  async abandon(): Promise<void> {
    this.#tar.destroy()
    await this.#written.catch(() => {}) // the caller has the first error already
  }

  async #add(header: NamedEntry, write: (entry: TarEntry) => Promise<void>): Promise<void> {
    const done = Promise.withResolvers<void>()
    done.promise.catch(() => {}) // awaited below, after the writing
    const entry = this.#tar.entry({ ...header, mode: 0o640 }, error =>
      error ? done.reject(error) : done.resolve(),
    )
    await write(entry)
    entry.end(null)
    await Promise.race([
      done.promise,
      this.#written.then(() =>
        Promise.reject(new ExpectedError('Cannot add to an archive: it has ended')),
      ),
    ])
  }
}

// The entry of an abandoned archive emits close instead of drain.
async function drain(entry: TarEntry): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const drain = (): void => resolve()
  const close = (): void => reject(new ExpectedError('Cannot write an archive: it was given up'))
  entry.once('drain', drain).once('close', close)
  await promise.finally(() => entry.off('drain', drain).off('close', close))
}
