// Files to Azure Blob Storage, in blocks that are committed together. In: a key and a source. Out:
// the URL, the length and the SHA-256 of the blob. Every block carries its MD5, which the service
// checks. Its name is its index and SHA-256, so a resumed upload sends no block twice, and commits
// no other bytes. Refuses as a value what the service, the Secret or the network refused.
import type { BlockBlobClient } from '@azure/storage-blob'
import type { BlobTarget } from '../../model/output.ts'
import { toFailure } from '../errorText.ts'
import { eachAtOnce, type Part, PartBuffer } from '../multipart.ts'
import { storeKey } from '../objectKey.ts'
import { type Attempts, attempt, ifAllowed } from '../retry.ts'
import {
  type FileSource,
  type FoundObject,
  isSameFile,
  type SecretValues,
  type Store,
  type StoredFile,
  StoreError,
  type StoreFailure,
} from '../store.ts'
import type { Container } from './client.ts'
import { BlocksGoneError } from './errors.ts'

export type BlobStoreDeps = {
  readonly target: BlobTarget
  readonly container: Container
  readonly secret: SecretValues
  readonly attempts: Attempts
  readonly close: () => void
}

export class BlobStore implements Store {
  readonly #deps: BlobStoreDeps

  constructor(deps: BlobStoreDeps) {
    this.#deps = deps
  }

  async put(
    key: string,
    source: FileSource,
    signal: AbortSignal,
  ): Promise<StoredFile | StoreFailure> {
    try {
      const name = storeKey(undefined, key)
      const blob = this.#deps.container.blob(name)
      const resend = (error: unknown) => {
        if (error instanceof BlocksGoneError) return this.#send(blob, source, signal) // lists the blocks anew
        throw error
      }
      const found = await ifAllowed(signal, this.#find(blob, signal))
      const sent = isSameFile(found, source)
        ? found
        : await this.#send(blob, source, signal).catch(resend)
      const { bytes, sha256 } = sent
      return { ok: true, url: this.#deps.container.urlOf(name), bytes, sha256 }
    } catch (error) {
      return toFailure(error, `Cannot upload "${key}" to blobUpload`, signal, this.#deps.secret)
    }
  }

  async head(
    key: string,
    signal: AbortSignal,
  ): Promise<{ readonly ok: true; readonly found?: FoundObject } | StoreFailure> {
    try {
      const found = await this.#find(this.#deps.container.blob(storeKey(undefined, key)), signal)
      return { ok: true, ...(found && { found }) }
    } catch (error) {
      return toFailure(error, `Cannot look for "${key}" in blobUpload`, signal, this.#deps.secret)
    }
  }

  /**
   * Does nothing: the service has no request for it, and removes uncommitted blocks after a week.
   */
  async discard(): Promise<{ readonly ok: true }> {
    return { ok: true }
  }

  close(): void {
    this.#deps.close()
  }

  async #find(blob: BlockBlobClient, signal: AbortSignal): Promise<FoundObject | undefined> {
    return (await this.#properties(blob, signal)).found
  }

  #properties(
    blob: BlockBlobClient,
    signal: AbortSignal,
  ): Promise<{ readonly found?: FoundObject }> {
    return this.#try(signal, async abortSignal => {
      try {
        const { contentLength = 0, metadata } = await blob.getProperties({ abortSignal })
        return {
          found: {
            bytes: contentLength,
            ...(metadata?.sha256 !== undefined && { sha256: metadata.sha256 }),
          },
        }
      } catch (error) {
        if ((error as { readonly statusCode?: number }).statusCode === 404) return {}
        throw error
      }
    })
  }

  async #send(
    blob: BlockBlobClient,
    source: FileSource,
    signal: AbortSignal,
  ): Promise<{ readonly bytes: number; readonly sha256: string }> {
    const parts = new PartBuffer(source, this.#deps.attempts)
    const there = await this.#blocksThere(blob, signal)
    const ids: string[] = []
    await eachAtOnce(parts.read(signal), this.#deps.attempts.effort.partsAtOnce, async part => {
      const id = blockId(part)
      ids[part.index] = id
      if (part.bytes.length > 0 && there.get(id) !== part.bytes.length)
        await this.#sendBlock(blob, id, part, signal)
      if (part.bytes.length === 0) ids.length = 0 // an empty file has no blocks
      parts.free(part)
    })
    const sha256 = parts.digest() // before the commit: a file that changed meanwhile does not become a blob
    await this.#try(signal, abortSignal =>
      blob.commitBlockList(ids, {
        abortSignal,
        metadata: { sha256 },
        blobHTTPHeaders: { blobContentType: 'application/octet-stream' },
      }),
    )
    await this.#verify(blob, { ids, bytes: parts.bytes, sha256 }, signal)
    return { bytes: parts.bytes, sha256 }
  }

  /** A signature that only allows writing cannot list them: all blocks are sent then. */
  async #blocksThere(
    blob: BlockBlobClient,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, number>> {
    const list = await ifAllowed(
      signal,
      this.#try(signal, abortSignal => blob.getBlockList('uncommitted', { abortSignal })), // 404: there is none
    )
    return new Map((list?.uncommittedBlocks ?? []).map(({ name, size }) => [name, size]))
  }

  async #sendBlock(
    blob: BlockBlobClient,
    id: string,
    { bytes, md5 }: Part,
    signal: AbortSignal,
  ): Promise<void> {
    await this.#try(signal, abortSignal =>
      blob.stageBlock(id, bytes, bytes.length, { abortSignal, transactionalContentMD5: md5 }),
    )
  }

  /**
   * The service checked each block. This checks that the blob is made of these blocks, as far as
   * the signature allows reading.
   */
  async #verify(
    blob: BlockBlobClient,
    sent: { readonly ids: readonly string[]; readonly bytes: number; readonly sha256: string },
    signal: AbortSignal,
  ) {
    const list = await ifAllowed(
      signal,
      this.#try(signal, abortSignal => blob.getBlockList('committed', { abortSignal })),
    )
    const properties = await ifAllowed(signal, this.#properties(blob, signal))
    const ids = list?.committedBlocks?.map(({ name }) => name)
    if (ids && ids.join() !== sent.ids.join())
      throw new StoreError('the store has other blocks than were sent')
    if (!properties) return
    const { bytes, sha256 } = properties.found ?? { bytes: 0, sha256: undefined }
    if (bytes !== sent.bytes || sha256 !== sent.sha256)
      throw new StoreError(
        `the store has ${bytes} bytes with the SHA-256 ${sha256 ?? '(none)'}, expected ${sent.bytes} with ${sent.sha256}`,
      )
  }

  #try<T>(signal: AbortSignal, request: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return attempt(this.#deps.attempts, signal, request)
  }
}

/** All ids have one length, as the service requires. */
function blockId({ index, sha256 }: Part): string {
  const place = Buffer.alloc(4)
  place.writeUInt32BE(index)
  return Buffer.concat([place, sha256]).toString('base64')
}
