// Unfinished multipart uploads of an object, and the parts that the server has of one. In: the
// object's place. Out: upload ids, the newest first found by unfinishedUpload(), and the parts by
// number.
import { ListMultipartUploadsCommand, ListPartsCommand } from '@aws-sdk/client-s3'
import type { DonePart, ObjectPlace } from './types.ts'
import { plainEtag } from './verify.ts'

const pagesMax = 100

/** The id of the newest one. */
export async function unfinishedUpload(
  place: ObjectPlace,
  signal: AbortSignal,
): Promise<string | undefined> {
  return (await unfinishedUploads(place, signal)).toSorted((a, b) => b.beganMs - a.beganMs)[0]
    ?.uploadId
}

export async function unfinishedUploads(
  { client, Bucket, Key }: ObjectPlace,
  abortSignal: AbortSignal,
) {
  const found: { readonly uploadId: string; readonly beganMs: number }[] = []
  let markers: { readonly KeyMarker?: string; readonly UploadIdMarker?: string } | undefined = {}
  for (let page = 0; markers && page < pagesMax; page++) {
    const answer: Awaited<ReturnType<typeof list>> = await list({ Bucket, Prefix: Key, ...markers })
    for (const { Key: key, UploadId, Initiated } of answer.Uploads ?? [])
      if (key === Key && UploadId)
        found.push({ uploadId: UploadId, beganMs: Initiated?.getTime() ?? 0 })
    const { IsTruncated, NextKeyMarker, NextUploadIdMarker } = answer
    markers =
      IsTruncated && NextKeyMarker
        ? {
            KeyMarker: NextKeyMarker,
            ...(NextUploadIdMarker && { UploadIdMarker: NextUploadIdMarker }),
          }
        : undefined
  }
  return found

  function list(input: ConstructorParameters<typeof ListMultipartUploadsCommand>[0]) {
    return client.send(new ListMultipartUploadsCommand(input), { abortSignal })
  }
}

export async function listedParts(
  { client, Bucket, Key }: ObjectPlace,
  UploadId: string,
  abortSignal: AbortSignal,
): Promise<ReadonlyMap<number, DonePart>> {
  const found = new Map<number, DonePart>()
  let PartNumberMarker: string | undefined
  for (let page = 0; page < pagesMax; page++) {
    const answer: Awaited<ReturnType<typeof list>> = await list({
      Bucket,
      Key,
      UploadId,
      ...(PartNumberMarker && { PartNumberMarker }),
    })
    for (const {
      PartNumber: number = 0,
      Size: bytes = 0,
      ETag: etag,
      ChecksumSHA256: sha256,
    } of answer.Parts ?? [])
      found.set(number, {
        number,
        bytes,
        ...(etag !== undefined && { etag }),
        ...(sha256 !== undefined && { sha256 }),
      })
    if (!answer.IsTruncated || !answer.NextPartNumberMarker) break
    PartNumberMarker = answer.NextPartNumberMarker
  }
  return found

  function list(input: ConstructorParameters<typeof ListPartsCommand>[0]) {
    return client.send(new ListPartsCommand(input), { abortSignal })
  }
}

/** Compares by the strongest checksum that the server has of the part. */
export function isSamePart(there: DonePart, ours: DonePart): boolean {
  if (there.bytes !== ours.bytes) return false
  return there.sha256 !== undefined
    ? there.sha256 === ours.sha256
    : plainEtag(there.etag) === ours.md5
}
