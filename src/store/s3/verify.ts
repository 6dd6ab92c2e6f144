// Whether the object that a store has is the one that was sent: by its length and by a checksum made of the parts' ones.
// In: what the store says, and what was sent. Out: what does not agree, or undefined.
import { createHash } from 'node:crypto'
import type { DonePart } from './resume.ts'

export type ExpectedObject = { readonly bytes: number; readonly sha256: string; readonly etag: string }
export type StoredObject = {
  readonly ContentLength?: number | undefined
  readonly ChecksumSHA256?: string | undefined
  readonly ETag?: string | undefined
}

/** S3 composes both from the parts' digests, and puts their number behind. */
export function ofParts(parts: readonly DonePart[]): ExpectedObject {
  const sha256 = createHash('sha256')
  const md5 = createHash('md5')
  for (const part of parts) {
    sha256.update(Buffer.from(part.sha256 ?? '', 'base64'))
    md5.update(Buffer.from(part.md5 ?? '', 'hex'))
  }
  const bytes = parts.reduce((sum, part) => sum + part.bytes, 0)
  return { bytes, sha256: `${sha256.digest('base64')}-${parts.length}`, etag: `${md5.digest('hex')}-${parts.length}` }
}

export function agreesWith(said: StoredObject, { bytes, sha256, etag }: ExpectedObject): string | undefined {
  if (said.ContentLength !== bytes) return `the store has ${said.ContentLength ?? 'no'} bytes, expected ${bytes}`
  if (said.ChecksumSHA256 !== undefined)
    return isSame(said.ChecksumSHA256, sha256) ? undefined : `the store has the SHA-256 ${said.ChecksumSHA256}, expected ${sha256}`
  return plainEtag(said.ETag) === etag
    ? undefined
    : `the store has no SHA-256 and the ETag ${plainEtag(said.ETag) ?? '(none)'}, expected ${etag}`
}

/** Some stores leave out the number of parts. */
function isSame(said: string, expected: string): boolean {
  return said === expected || said === expected.replace(/-\d+$/, '')
}

export function plainEtag(etag: string | undefined): string | undefined {
  return etag?.replaceAll('"', '')
}
