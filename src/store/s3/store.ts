// Files to S3: small ones in one request, others in parts. In: a key and a source. Out: the URL,
// the length and the SHA-256 of the object. Every request carries the SHA-256 of its bytes, which
// the server checks; the object is then compared by length and checksum. Refuses as a value what
// the store, the Secret or the network refused.
import { HeadObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import type { S3Target } from '../../model/output.ts'
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
  type StoreFailure,
} from '../store.ts'
import type { Bucket } from './client.ts'
import { isMissing, UploadGoneError } from './errors.ts'
import { abortUploads, MultipartUpload } from './multipartUpload.ts'
import type { ObjectContext } from './types.ts'
import { verifyObject } from './verify.ts'

export type S3StoreDeps = {
  readonly target: S3Target
  readonly bucket: Bucket
  readonly secret: SecretValues
  readonly attempts: Attempts
  readonly close: () => void
}

type SentFile = { readonly bytes: number; readonly sha256: string }

export class S3Store implements Store {
  readonly #deps: S3StoreDeps

  constructor(deps: S3StoreDeps) {
    this.#deps = deps
  }

  async put(
    key: string,
    source: FileSource,
    signal: AbortSignal,
  ): Promise<StoredFile | StoreFailure> {
    try {
      const context = this.#contextOf(key, signal)
      const found = await ifAllowed(signal, find(context))
      const sent = isSameFile(found, source) ? found : await this.#send(context, source)
      return {
        ok: true,
        url: this.#deps.bucket.urlOf(context.place.Key),
        bytes: sent.bytes,
        sha256: sent.sha256,
      }
    } catch (error) {
      return this.#failure(error, `Cannot upload "${key}"`, signal)
    }
  }

  async head(
    key: string,
    signal: AbortSignal,
  ): Promise<{ readonly ok: true; readonly found?: FoundObject } | StoreFailure> {
    try {
      const found = await find(this.#contextOf(key, signal))
      return { ok: true, ...(found && { found }) }
    } catch (error) {
      return this.#failure(error, `Cannot look for "${key}"`, signal)
    }
  }

  async discard(key: string, signal: AbortSignal): Promise<{ readonly ok: true } | StoreFailure> {
    try {
      await abortUploads(this.#contextOf(key, signal))
      return { ok: true }
    } catch (error) {
      return this.#failure(error, `Cannot remove what is left of "${key}"`, signal)
    }
  }

  close(): void {
    this.#deps.bucket.client.destroy()
    this.#deps.close()
  }

  /** A second time from the start if somebody removed the unfinished upload meanwhile. */
  #send(context: ObjectContext, source: FileSource): Promise<SentFile> {
    return send(context, source).catch(error => {
      if (!(error instanceof UploadGoneError)) throw error
      return send(context, source)
    })
  }

  #contextOf(key: string, signal: AbortSignal): ObjectContext {
    const { target, bucket, attempts } = this.#deps
    return {
      place: { client: bucket.client, Bucket: target.bucket, Key: storeKey(target.path, key) },
      attempts,
      signal,
    }
  }

  #failure(error: unknown, doing: string, signal: AbortSignal): StoreFailure {
    const { target, secret } = this.#deps
    return toFailure(error, `${doing} in s3Upload.bucket "${target.bucket}"`, signal, secret)
  }
}

async function find({ place, attempts, signal }: ObjectContext): Promise<FoundObject | undefined> {
  const { client, Bucket, Key } = place
  return attempt(attempts, signal, async abortSignal => {
    try {
      const head = await client.send(new HeadObjectCommand({ Bucket, Key }), { abortSignal })
      const sha256 = head.Metadata?.sha256
      return { bytes: head.ContentLength ?? 0, ...(sha256 !== undefined && { sha256 }) }
    } catch (error) {
      if (isMissing(error)) return undefined
      throw error
    }
  })
}

async function send(context: ObjectContext, source: FileSource): Promise<SentFile> {
  const { attempts, signal } = context
  const parts = new PartBuffer(source, attempts)
  const read = parts.read(signal)
  const { value: first } = (await read.next()) as { readonly value: Part } // there is always one
  if (first.bytes.length < parts.partBytes) {
    const sha256 = parts.digest()
    await read.return(undefined)
    await sendWhole(context, first)
    return { bytes: first.bytes.length, sha256 }
  }
  const upload = await MultipartUpload.begin(context, source)
  await eachAtOnce(from(first, read), attempts.effort.partsAtOnce, async part => {
    await upload.sendPart(part)
    parts.free(part)
  })
  const sha256 = parts.digest() // before the upload becomes an object: a file that changed meanwhile does not
  await upload.complete()
  return { bytes: parts.bytes, sha256 }
}

async function sendWhole(context: ObjectContext, { bytes, sha256, md5 }: Part): Promise<void> {
  const { place, attempts, signal } = context
  const { client, Bucket, Key } = place
  const checksum = sha256.toString('base64')
  const Metadata = { sha256: sha256.toString('hex') }
  const input = {
    Bucket,
    Key,
    Body: bytes,
    ContentLength: bytes.length,
    ChecksumSHA256: checksum,
    Metadata,
  }
  const answer = await attempt(attempts, signal, abortSignal =>
    client.send(new PutObjectCommand(input), { abortSignal }),
  )
  await verifyObject(context, answer, {
    bytes: bytes.length,
    sha256: checksum,
    etag: md5.toString('hex'),
  })
}

async function* from<T>(first: T, rest: AsyncIterable<T>): AsyncGenerator<T> {
  yield first
  yield* rest
}
