// The client for one bucket. In: a target, its Secret, what the administrator allows. Out: the
// SDK's client, which connects through the guard and never retries by itself. Refuses a target that
// cannot work, with its field.
import { S3Client } from '@aws-sdk/client-s3'
import type { S3Target } from '../../model/output.ts'
import { blockedHostReason, type DestinationPolicy, readStoreUrl } from '../destinationPolicy.ts'
import type { EgressGuard } from '../egressGuard.ts'
import { permanentError, type SecretValues } from '../store.ts'

export type Bucket = {
  readonly client: S3Client
  /** Of an object, for messages and status. */
  readonly urlOf: (key: string) => string
}

export function openBucket(
  target: S3Target,
  secret: SecretValues,
  policy: DestinationPolicy,
  guard: EgressGuard,
): Bucket {
  const {
    bucket,
    endpoint,
    region = 'auto',
    isPathStyle = endpoint !== undefined,
    secretName,
  } = target
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]$/.test(bucket))
    throw permanentError(`Cannot use s3Upload.bucket "${bucket}": expected a bucket's name`)
  if (!/^[a-z0-9-]{1,63}$/.test(region))
    throw permanentError(
      `Cannot use s3Upload.region "${region}": expected a region such as "eu-central-1"`,
    )
  if (endpoint === undefined && target.region === undefined)
    throw permanentError('Cannot use s3Upload: expected an endpoint or a region, found neither')
  const base =
    endpoint === undefined
      ? amazon(region, policy)
      : readStoreUrl('s3Upload.endpoint', endpoint, policy)
  if (base.search !== '' || base.hash !== '')
    throw permanentError(
      `Cannot use s3Upload.endpoint "${base.origin}${base.pathname}": expected nothing behind the path`,
    )
  const client = new S3Client({
    endpoint: base.href,
    region,
    forcePathStyle: isPathStyle,
    credentials: {
      accessKeyId: keyOf(secret, 's3-access-key-id', secretName),
      secretAccessKey: keyOf(secret, 's3-secret-access-key', secretName),
    },
    maxAttempts: 1, // retry.ts retries, for all stores
    requestChecksumCalculation: 'WHEN_REQUIRED', // each part is sent with its own checksum
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: { httpAgent: guard.http, httpsAgent: guard.https, connectionTimeout: 15_000 },
  })
  return { client, urlOf: key => objectUrl(base, { bucket, key, isPathStyle }) }
}

/** Explicit, so that no variable of the environment sets another endpoint. */
function amazon(region: string, policy: DestinationPolicy): URL {
  const url = new URL(`https://s3.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`)
  const refused = blockedHostReason(url.hostname, policy)
  if (refused) throw permanentError(`Cannot use s3Upload.region "${region}": ${refused}`)
  return url
}

function keyOf(secret: SecretValues, key: string, secretName: string): string {
  const value = secret[key]
  if (!value) throw permanentError(`Cannot use Secret "${secretName}": expected the key ${key}`)
  // Keys are sent in a header: a character that is not printable is a mistake in the Secret, mostly
  // a line end.
  if (!/^[\x21-\x7e]+$/.test(value))
    throw permanentError(
      `Cannot use ${key} of Secret "${secretName}": expected no spaces and no end of line in it`,
    )
  return value
}

function objectUrl(
  base: URL,
  {
    bucket,
    key,
    isPathStyle,
  }: { readonly bucket: string; readonly key: string; readonly isPathStyle: boolean },
): string {
  const path = [...(isPathStyle ? [bucket] : []), ...key.split('/')]
    .map(encodeURIComponent)
    .join('/')
  const host = isPathStyle ? base.host : `${bucket}.${base.host}`
  return `${base.protocol}//${host}${base.pathname.replace(/\/$/, '')}/${path}`
}
