// What the files of this folder pass to each other.
import type { S3Client } from '@aws-sdk/client-s3'
import type { Attempts } from '../retry.ts'

/** One object, in the SDK's spelling. */
export type ObjectPlace = {
  readonly client: S3Client
  readonly Bucket: string
  readonly Key: string
}

/** All that a request about one object needs: each is retried, until the signal aborts. */
export type ObjectContext = {
  readonly place: ObjectPlace
  readonly attempts: Attempts
  readonly signal: AbortSignal
}

/** A part of a multipart upload that the server has. */
export type DonePart = {
  readonly number: number // from 1
  readonly bytes: number
  readonly etag?: string
  readonly sha256?: string // base64
  readonly md5?: string // hexadecimal; only of parts that this process hashed
}
