// What earlier uploads of an object left on the server, and which of its parts are the ones we would send.
import { ListMultipartUploadsCommand, ListPartsCommand, type S3Client } from '@aws-sdk/client-s3'
import { plainEtag } from './verify.ts'

export type UploadPlace = { readonly client: S3Client; readonly Bucket: string; readonly Key: string }

export type DonePart = {
  /** From 1. */
  readonly number: number
  readonly bytes: number
  readonly etag?: string
  /** Base64. */
  readonly sha256?: string
  /** Hexadecimal; only of our own. */
  readonly md5?: string
}

const pagesMax = 100

/** The newest one's name. */
export async function unfinishedUpload(place: UploadPlace, signal: AbortSignal): Promise<string | undefined> {
  return (await unfinishedUploads(place, signal)).toSorted((a, b) => b.beganMs - a.beganMs)[0]?.uploadId
}

export async function unfinishedUploads({ client, Bucket, Key }: UploadPlace, abortSignal: AbortSignal) {
  const found: { readonly uploadId: string; readonly beganMs: number }[] = []
  let markers: { readonly KeyMarker?: string; readonly UploadIdMarker?: string } | undefined = {}
  for (let page = 0; markers && page < pagesMax; page++) {
    const answer: Awaited<ReturnType<typeof list>> = await list({ Bucket, Prefix: Key, ...markers })
    for (const { Key: key, UploadId, Initiated } of answer.Uploads ?? [])
      if (key === Key && UploadId) found.push({ uploadId: UploadId, beganMs: Initiated?.getTime() ?? 0 })
    const { IsTruncated, NextKeyMarker, NextUploadIdMarker } = answer
    markers =
      IsTruncated && NextKeyMarker
        ? { KeyMarker: NextKeyMarker, ...(NextUploadIdMarker && { UploadIdMarker: NextUploadIdMarker }) }
        : undefined
  }
  return found

  function list(input: ConstructorParameters<typeof ListMultipartUploadsCommand>[0]) {
    return client.send(new ListMultipartUploadsCommand(input), { abortSignal })
  }
}

export async function listedParts(
  { client, Bucket, Key }: UploadPlace,
  UploadId: string,
  abortSignal: AbortSignal,
): Promise<ReadonlyMap<number, DonePart>> {
  const found = new Map<number, DonePart>()
  let PartNumberMarker: string | undefined
  for (let page = 0; page < pagesMax; page++) {
    const answer: Awaited<ReturnType<typeof list>> = await list({ Bucket, Key, UploadId, ...(PartNumberMarker && { PartNumberMarker }) })
    for (const { PartNumber: number = 0, Size: bytes = 0, ETag: etag, ChecksumSHA256: sha256 } of answer.Parts ?? [])
      found.set(number, { number, bytes, ...(etag !== undefined && { etag }), ...(sha256 !== undefined && { sha256 }) })
    if (!answer.IsTruncated || !answer.NextPartNumberMarker) break
    PartNumberMarker = answer.NextPartNumberMarker
  }
  return found

  function list(input: ConstructorParameters<typeof ListPartsCommand>[0]) {
    return client.send(new ListPartsCommand(input), { abortSignal })
  }
}

/** By the strongest checksum the server has of it. */
export function isSamePart(there: DonePart, ours: DonePart): boolean {
  if (there.bytes !== ours.bytes) return false
  return there.sha256 !== undefined ? there.sha256 === ours.sha256 : plainEtag(there.etag) === ours.md5
}
