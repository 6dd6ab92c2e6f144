// Whether the object that a store has is the one that was sent: by its length and by a checksum
// made of the parts' checksums. In: what the store answers, and what was sent. Out: what does not
// agree, or undefined. verifyObject() throws it.
import { createHash } from 'node:crypto'
import { HeadObjectCommand } from '@aws-sdk/client-s3'
import { attempt, ifAllowed } from '../retry.ts'
import { StoreError } from '../store.ts'
import { isMissing } from './errors.ts'
import type { DonePart, ObjectContext } from './types.ts'

export type ExpectedObject = {
  readonly bytes: number
  readonly sha256: string
  readonly etag: string
}
export type StoredObject = {
  readonly ContentLength?: number | undefined
  readonly ChecksumSHA256?: string | undefined
  readonly ETag?: string | undefined
}

/**
 * By a HEAD of the object, or by the answer to the last request if the key pair may only write.
 * Throws a StoreError that says what differs.
 */
export async function verifyObject(
  { place, attempts, signal }: ObjectContext,
  answer: object,
  expected: ExpectedObject,
): Promise<void> {
  const { client, Bucket, Key } = place
  const request = new HeadObjectCommand({ Bucket, Key, ChecksumMode: 'ENABLED' })
  const head = await ifAllowed(
    signal,
    attempt(attempts, signal, abortSignal =>
      client.send(request, { abortSignal }).catch(error => {
        throw isMissing(error) ? new StoreError('the store does not have what was sent') : error
      }),
    ),
  )
  const difference = agreesWith(head ?? { ...answer, ContentLength: expected.bytes }, expected)
  if (difference) throw new StoreError(difference)
}

/** S3 makes both from the parts' digests, followed by the number of parts. */
export function ofParts(parts: readonly DonePart[]): ExpectedObject {
  const sha256 = createHash('sha256')
  const md5 = createHash('md5')
  for (const part of parts) {
    sha256.update(Buffer.from(part.sha256 ?? '', 'base64'))
    md5.update(Buffer.from(part.md5 ?? '', 'hex'))
  }
  const bytes = parts.reduce((sum, part) => sum + part.bytes, 0)
  return {
    bytes,
    sha256: `${sha256.digest('base64')}-${parts.length}`,
    etag: `${md5.digest('hex')}-${parts.length}`,
  }
}

export function agreesWith(
  stored: StoredObject,
  { bytes, sha256, etag }: ExpectedObject,
): string | undefined {
  if (stored.ContentLength !== bytes)
    return `the store has ${stored.ContentLength ?? 'no'} bytes, expected ${bytes}`
  if (stored.ChecksumSHA256 !== undefined)
    return isSame(stored.ChecksumSHA256, sha256)
      ? undefined
      : `the store has the SHA-256 ${stored.ChecksumSHA256}, expected ${sha256}`
  return plainEtag(stored.ETag) === etag
    ? undefined
    : `the store has no SHA-256 and the ETag ${plainEtag(stored.ETag) ?? '(none)'}, expected ${etag}`
}

/** Some stores omit the number of parts. */
function isSame(stored: string, expected: string): boolean {
  return stored === expected || stored === expected.replace(/-\d+$/, '')
}

export function plainEtag(etag: string | undefined): string | undefined {
  return etag?.replaceAll('"', '')
}
