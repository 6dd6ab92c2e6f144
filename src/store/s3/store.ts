// Files to S3: small ones in one request, others in parts. Every request carries the SHA-256 of its bytes, which the server
// checks; the object that comes out is compared by length and checksum. An upload that a process left unfinished goes on: parts
// the server has, with the checksum of what would be sent, are not sent again.
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  HeadObjectCommand,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import type { S3Target } from '../../model/output.ts'
import { toFailure } from '../errorText.ts'
import { eachAtOnce, type Part, PartBuffer } from '../multipart.ts'
import { storeKey } from '../objectKey.ts'
import { type Attempts, attempt, ifAllowed } from '../retry.ts'
import {
  type FileSource,
  type FoundObject,
  type SecretValues,
  type Store,
  type StoredFile,
  StoreError,
  type StoreFailure,
} from '../store.ts'
import type { Bucket } from './client.ts'
import { isMissing, UploadGoneError } from './errors.ts'
import { type DonePart, isSamePart, listedParts, unfinishedUpload, unfinishedUploads } from './resume.ts'
import { agreesWith, ofParts } from './verify.ts'

export type S3Parts = {
  readonly target: S3Target
  readonly bucket: Bucket
  readonly secret: SecretValues
  readonly attempts: Attempts
  readonly close: () => void
}

export class S3Store implements Store {
  readonly #parts: S3Parts

  constructor(parts: S3Parts) {
    this.#parts = parts
  }

  async put(key: string, source: FileSource, signal: AbortSignal): Promise<StoredFile | StoreFailure> {
    try {
      const name = storeKey(this.#parts.target.path, key)
      const there = await ifAllowed(signal, this.#find(name, signal))
      if (there?.sha256 !== undefined && there.sha256 === source.sha256 && there.bytes === source.bytes)
        return this.#stored(name, there.bytes, there.sha256)
      const { bytes, sha256 } = await this.#send(name, source, signal).catch(error => {
        if (!(error instanceof UploadGoneError)) throw error
        return this.#send(name, source, signal) // somebody removed it under our hands: once more from the start
      })
      return this.#stored(name, bytes, sha256)
    } catch (error) {
      return this.#failure(error, `Cannot upload "${key}"`, signal)
    }
  }

  async head(key: string, signal: AbortSignal): Promise<{ readonly ok: true; readonly found?: FoundObject } | StoreFailure> {
    try {
      const found = await this.#find(storeKey(this.#parts.target.path, key), signal)
      return { ok: true, ...(found && { found }) }
    } catch (error) {
      return this.#failure(error, `Cannot look for "${key}"`, signal)
    }
  }

  async discard(key: string, signal: AbortSignal): Promise<{ readonly ok: true } | StoreFailure> {
    try {
      const name = storeKey(this.#parts.target.path, key)
      const left = await this.#try(signal, abort => unfinishedUploads(this.#at(name), abort))
      for (const { uploadId } of left) await this.#abort(name, uploadId, signal)
      return { ok: true }
    } catch (error) {
      return this.#failure(error, `Cannot remove what is left of "${key}"`, signal)
    }
  }

  close(): void {
    this.#parts.bucket.client.destroy()
    this.#parts.close()
  }

  async #find(name: string, signal: AbortSignal): Promise<FoundObject | undefined> {
    const { client, Bucket } = this.#at(name)
    return this.#try(signal, async abortSignal => {
      try {
        const head = await client.send(new HeadObjectCommand({ Bucket, Key: name }), { abortSignal })
        const sha256 = head.Metadata?.sha256
        return { bytes: head.ContentLength ?? 0, ...(sha256 !== undefined && { sha256 }) }
      } catch (error) {
        if (isMissing(error)) return undefined
        throw error
      }
    })
  }

  async #send(name: string, source: FileSource, signal: AbortSignal): Promise<{ readonly bytes: number; readonly sha256: string }> {
    const parts = new PartBuffer(source, this.#parts.attempts)
    const read = parts.read(signal)
    const { value: first } = (await read.next()) as { readonly value: Part } // there is always one
    if (first.bytes.length < parts.partBytes) {
      const sha256 = parts.digest()
      await read.return(undefined)
      await this.#sendWhole(name, first, signal)
      return { bytes: first.bytes.length, sha256 }
    }
    const upload = await this.#begin(name, source, signal)
    const done: DonePart[] = []
    await eachAtOnce(from(first, read), this.#parts.attempts.effort.partsAtOnce, async part => {
      done.push(await this.#sendPart(name, upload, part, signal))
      parts.free(part)
    })
    const sha256 = parts.digest() // before it becomes an object: a file that changed under our hands does not
    await this.#finish(
      name,
      upload.uploadId,
      done.toSorted((a, b) => a.number - b.number),
      signal,
    )
    return { bytes: parts.bytes, sha256 }
  }

  async #sendWhole(name: string, { bytes, sha256, md5 }: Part, signal: AbortSignal): Promise<void> {
    const { client, Bucket } = this.#at(name)
    const Metadata = { sha256: sha256.toString('hex') }
    const answer = await this.#try(signal, abortSignal =>
      client.send(
        new PutObjectCommand({
          Bucket,
          Key: name,
          Body: bytes,
          ContentLength: bytes.length,
          ChecksumSHA256: sha256.toString('base64'),
          Metadata,
        }),
        { abortSignal },
      ),
    )
    await this.#verify(name, answer, { bytes: bytes.length, sha256: sha256.toString('base64'), etag: md5.toString('hex') }, signal)
  }

  async #begin(name: string, { sha256 }: FileSource, signal: AbortSignal) {
    const at = this.#at(name)
    const known = await ifAllowed(
      signal,
      this.#try(signal, abort => unfinishedUpload(at, abort)),
    )
    if (known !== undefined) return { uploadId: known, listed: await this.#try(signal, abort => listedParts(at, known, abort)) }
    const created = await this.#try(signal, abortSignal =>
      at.client.send(
        new CreateMultipartUploadCommand({
          Bucket: at.Bucket,
          Key: name,
          ChecksumAlgorithm: 'SHA256',
          ...(sha256 !== undefined && { Metadata: { sha256 } }),
        }),
        { abortSignal },
      ),
    )
    if (!created.UploadId) throw new StoreError('the store began an upload without naming it')
    return { uploadId: created.UploadId, listed: new Map<number, DonePart>() }
  }

  async #sendPart(
    name: string,
    { uploadId, listed }: { readonly uploadId: string; readonly listed: ReadonlyMap<number, DonePart> },
    { index, bytes, sha256, md5 }: Part,
    signal: AbortSignal,
  ): Promise<DonePart> {
    const made = { number: index + 1, bytes: bytes.length, sha256: sha256.toString('base64'), md5: md5.toString('hex') }
    const there = listed.get(made.number)
    if (there && isSamePart(there, made)) return { ...made, ...(there.etag !== undefined && { etag: there.etag }) }
    const { client, Bucket } = this.#at(name)
    const { ETag } = await this.#try(signal, abortSignal =>
      client.send(
        new UploadPartCommand({
          Bucket,
          Key: name,
          UploadId: uploadId,
          PartNumber: made.number,
          Body: bytes,
          ContentLength: bytes.length,
          ChecksumSHA256: made.sha256,
        }),
        { abortSignal },
      ),
    )
    return { ...made, ...(ETag !== undefined && { etag: ETag }) }
  }

  async #finish(name: string, uploadId: string, done: readonly DonePart[], signal: AbortSignal): Promise<void> {
    const { client, Bucket } = this.#at(name)
    const MultipartUpload = { Parts: done.map(({ number, etag, sha256 }) => ({ PartNumber: number, ETag: etag, ChecksumSHA256: sha256 })) }
    const expected = ofParts(done)
    const answer = await this.#try(signal, abortSignal =>
      client.send(new CompleteMultipartUploadCommand({ Bucket, Key: name, UploadId: uploadId, MultipartUpload }), { abortSignal }),
    ).catch(error => {
      if (!(error instanceof UploadGoneError)) throw error
      return {} // completed by a try whose answer was lost, or gone: what is there now tells
    })
    await this.#verify(name, answer, expected, signal).catch(error => {
      throw error instanceof StoreError && !('ETag' in answer) ? new UploadGoneError(error.message) : error
    })
  }

  /** By the answer to the last request, then by what the store says it has. Some keys may only write: then the answer has to do. */
  async #verify(name: string, answer: object, expected: Parameters<typeof agreesWith>[1], signal: AbortSignal): Promise<void> {
    const { client, Bucket } = this.#at(name)
    const request = new HeadObjectCommand({ Bucket, Key: name, ChecksumMode: 'ENABLED' })
    const head = await ifAllowed(
      signal,
      this.#try(signal, abortSignal =>
        client.send(request, { abortSignal }).catch(error => {
          throw isMissing(error) ? new StoreError('the store does not have what was sent') : error
        }),
      ),
    )
    const refused = agreesWith(head ?? { ...answer, ContentLength: expected.bytes }, expected)
    if (refused) throw new StoreError(refused)
  }

  #abort(name: string, UploadId: string, signal: AbortSignal): Promise<unknown> {
    const { client, Bucket } = this.#at(name)
    return this.#try(signal, abortSignal =>
      client.send(new AbortMultipartUploadCommand({ Bucket, Key: name, UploadId }), { abortSignal }),
    ).catch(error => {
      if (!(error instanceof UploadGoneError)) throw error
    })
  }

  #at(Key: string) {
    return { client: this.#parts.bucket.client, Bucket: this.#parts.target.bucket, Key }
  }

  #try<T>(signal: AbortSignal, request: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return attempt(this.#parts.attempts, signal, request)
  }

  #stored(name: string, bytes: number, sha256: string): StoredFile {
    return { ok: true, url: this.#parts.bucket.urlOf(name), bytes, sha256 }
  }

  #failure(error: unknown, doing: string, signal: AbortSignal): StoreFailure {
    const { target, secret } = this.#parts
    return toFailure(error, `${doing} in s3Upload.bucket "${target.bucket}"`, signal, secret)
  }
}

async function* from<T>(first: T, rest: AsyncIterable<T>): AsyncGenerator<T> {
  yield first
  yield* rest
}
