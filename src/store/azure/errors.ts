// Errors of Azure Blob Storage as text. In: an error of the SDK. Out: a StoreError that holds the
// error's code, never its message, which may show the signed URL.
import type { BlobTarget } from '../../model/output.ts'
import { isRetryableStatus, networkError, retryAfterMs } from '../errorText.ts'
import { permanentError, StoreError } from '../store.ts'

/** Uncommitted blocks are gone: the service removed them, or somebody else wrote the blob. */
export class BlocksGoneError extends StoreError {}

type SdkError = {
  readonly statusCode?: number
  readonly code?: string
  readonly response?: { readonly headers?: { get(name: string): string | undefined } }
}

/** 4xx after which a retry may succeed: bytes were lost or changed on the way. */
const passing = [
  'Md5Mismatch',
  'Crc64Mismatch',
  'InvalidOperation',
  'RequestBodyTooSmall',
  'OperationTimedOut',
] // the third: Azurite's

export function blobError(error: unknown, { secretName }: BlobTarget): StoreError {
  const { statusCode, code, response } = (
    typeof error === 'object' && error !== null ? error : {}
  ) as SdkError
  if (statusCode === undefined) return networkError(error) ?? new StoreError('the request failed')
  const given = response?.headers?.get('x-ms-error-code') ?? code ?? ''
  const name = /^[A-Za-z0-9]{1,64}$/.test(given) ? given : 'no code'
  const answer = `the store answered ${statusCode}, ${name}`
  if (name === 'InvalidBlockList') return new BlocksGoneError(answer, { isFinal: true })
  if (isRetryableStatus(statusCode) || passing.includes(name))
    return new StoreError(answer, { waitMs: retryAfterMs(response?.headers?.get('retry-after')) })
  const expected = expectation(name, statusCode, `blob-upload-url of Secret "${secretName}"`)
  return permanentError(expected === undefined ? answer : `${answer}: ${expected}`)
}

function expectation(name: string, status: number, field: string): string | undefined {
  if (name === 'ContainerNotFound' || name === 'ResourceNotFound' || name === 'InvalidResourceName')
    return `expected the URL of a container that is there in ${field}`
  if (status >= 300 && status < 400)
    return `expected the URL of the store itself in ${field}; redirects are not followed`
  if (status === 401 || status === 403)
    return `expected a URL in ${field} whose signature holds, has not expired, and allows to create and write blobs`
  return undefined
}
