// Errors of S3 as text. In: an error of the SDK. Out: a StoreError that names the wrong field or
// may be retried. It holds the error's code, never its message.
import type { S3Target } from '../../model/output.ts'
import { isRetryableStatus, networkError, retryAfterMs } from '../errorText.ts'
import { permanentError, StoreError } from '../store.ts'

/** The unfinished upload does not exist: it was completed, aborted or removed. */
export class UploadGoneError extends StoreError {}

type SdkError = {
  readonly name?: string
  readonly $metadata?: { readonly httpStatusCode?: number }
  readonly $response?: {
    readonly statusCode?: number
    readonly headers?: Readonly<Record<string, string>>
  }
}

/** 4xx after which a retry may succeed: bytes were lost or changed on the way. */
const passing = [
  'RequestTimeout',
  'BadDigest',
  'IncompleteBody',
  'XAmzContentSHA256Mismatch',
  'XAmzContentChecksumMismatch',
  'OperationAborted',
]

/** Whether the object of the request does not exist. */
export function isMissing(error: unknown): boolean {
  return (error as SdkError).$metadata?.httpStatusCode === 404
}

export function s3Error(error: unknown, target: S3Target): StoreError {
  const {
    name = '',
    $metadata,
    $response,
  } = (typeof error === 'object' && error !== null ? error : {}) as SdkError
  const status = $metadata?.httpStatusCode ?? $response?.statusCode
  if (status === undefined) return networkError(error) ?? new StoreError('the request failed')
  const code = /^[A-Za-z0-9.]{1,64}$/.test(name) ? name : 'no code'
  const answer = `the store answered ${status}, ${code}`
  if (name === 'NoSuchUpload') return new UploadGoneError(answer)
  if (isRetryableStatus(status) || passing.includes(name))
    return new StoreError(answer, { waitMs: retryAfterMs($response?.headers?.['retry-after']) })
  const expected = expectation(name, status, target)
  return permanentError(expected === undefined ? answer : `${answer}: ${expected}`)
}

function expectation(
  name: string,
  status: number,
  { bucket, region, secretName }: S3Target,
): string | undefined {
  const keys = `s3-access-key-id and s3-secret-access-key of Secret "${secretName}"`
  if (name === 'NoSuchBucket')
    return `expected a bucket that is there in s3Upload.bucket, found "${bucket}"`
  if (/^(InvalidAccessKeyId|SignatureDoesNotMatch|XAdminUserNotFound)$/.test(name))
    return `expected keys that the store knows in ${keys}`
  if (name === 'RequestTimeTooSkewed') return "expected this cluster's clock to be right"
  if (name === 'AuthorizationHeaderMalformed' || (status >= 300 && status < 400))
    return `expected the bucket "${bucket}" at this endpoint and in the region "${region ?? 'auto'}"; redirects are not followed`
  if (status === 401 || status === 403)
    return `expected that the keys in ${keys} may write to the bucket "${bucket}"`
  return undefined
}
