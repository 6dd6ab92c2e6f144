// One multipart upload of one object. In: the object's place and its parts. Out: the object,
// complete and verified. It resumes an upload that an earlier process left: a part that the server
// has with the same checksum is not sent again. Refuses with UploadGoneError when somebody else
// removed the upload.
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import type { Part } from '../multipart.ts'
import { attempt, ifAllowed } from '../retry.ts'
import { type FileSource, StoreError } from '../store.ts'
import { UploadGoneError } from './errors.ts'
import { isSamePart, listedParts, unfinishedUpload, unfinishedUploads } from './resume.ts'
import type { DonePart, ObjectContext } from './types.ts'
import { ofParts, verifyObject } from './verify.ts'

export class MultipartUpload {
  readonly #context: ObjectContext
  readonly #uploadId: string
  readonly #listed: ReadonlyMap<number, DonePart> // on the server before this process began
  readonly #done: DonePart[] = []

  private constructor(
    context: ObjectContext,
    uploadId: string,
    listed: ReadonlyMap<number, DonePart>,
  ) {
    this.#context = context
    this.#uploadId = uploadId
    this.#listed = listed
  }

  /** Resumes the newest unfinished upload of the object, or creates one. */
  static async begin(
    context: ObjectContext,
    { sha256 }: Pick<FileSource, 'sha256'>,
  ): Promise<MultipartUpload> {
    const { place, attempts, signal } = context
    const known = await ifAllowed(
      signal,
      attempt(attempts, signal, abort => unfinishedUpload(place, abort)),
    )
    if (known !== undefined)
      return new MultipartUpload(
        context,
        known,
        await attempt(attempts, signal, abort => listedParts(place, known, abort)),
      )
    const { client, Bucket, Key } = place
    const metadata = sha256 === undefined ? {} : { Metadata: { sha256 } }
    const created = await attempt(attempts, signal, abortSignal =>
      client.send(
        new CreateMultipartUploadCommand({ Bucket, Key, ChecksumAlgorithm: 'SHA256', ...metadata }),
        { abortSignal },
      ),
    )
    if (!created.UploadId) throw new StoreError('the store began an upload without naming it')
    return new MultipartUpload(context, created.UploadId, new Map())
  }

  async sendPart({ index, bytes, sha256, md5 }: Part): Promise<void> {
    const part = {
      number: index + 1,
      bytes: bytes.length,
      sha256: sha256.toString('base64'),
      md5: md5.toString('hex'),
    }
    const listed = this.#listed.get(part.number)
    const etag = listed && isSamePart(listed, part) ? listed.etag : await this.#upload(part, bytes)
    this.#done.push({ ...part, ...(etag !== undefined && { etag }) })
  }

  /** Makes the object of the parts. */
  async complete(): Promise<void> {
    const { place, attempts, signal } = this.#context
    const { client, Bucket, Key } = place
    const done = this.#done.toSorted((a, b) => a.number - b.number)
    const Parts = done.map(({ number, etag, sha256 }) => ({
      PartNumber: number,
      ETag: etag,
      ChecksumSHA256: sha256,
    }))
    const command = () =>
      new CompleteMultipartUploadCommand({
        Bucket,
        Key,
        UploadId: this.#uploadId,
        MultipartUpload: { Parts },
      })
    const answer = await attempt(attempts, signal, abortSignal =>
      client.send(command(), { abortSignal }),
    ).catch(error => {
      if (!(error instanceof UploadGoneError)) throw error
      return {} // a try whose answer was lost may have completed it: the object itself shows which
    })
    await verifyObject(this.#context, answer, ofParts(done)).catch(error => {
      throw error instanceof StoreError && !('ETag' in answer)
        ? new UploadGoneError(error.message)
        : error
    })
  }

  async #upload({ number, sha256 }: DonePart, bytes: Buffer): Promise<string | undefined> {
    const { place, attempts, signal } = this.#context
    const { client, Bucket, Key } = place
    const input = {
      Bucket,
      Key,
      UploadId: this.#uploadId,
      PartNumber: number,
      ContentLength: bytes.length,
      ChecksumSHA256: sha256,
    }
    const { ETag } = await attempt(attempts, signal, abortSignal =>
      client.send(new UploadPartCommand({ ...input, Body: bytes }), { abortSignal }),
    )
    return ETag
  }
}

/** Aborts every unfinished upload of the object. */
export async function abortUploads({ place, attempts, signal }: ObjectContext): Promise<void> {
  const { client, Bucket, Key } = place
  const unfinished = await attempt(attempts, signal, abort => unfinishedUploads(place, abort))
  for (const { uploadId: UploadId } of unfinished) {
    await attempt(attempts, signal, abortSignal =>
      client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }), { abortSignal }),
    ).catch(error => {
      if (!(error instanceof UploadGoneError)) throw error
    })
  }
}
