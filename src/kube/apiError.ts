// The error for an API answer other than 200, with Retry-After, and the jittered backoff. In: the
// answer, the number of failures in a row. Out: an error, or milliseconds. Jitter keeps agents
// from returning together.
import type { IncomingMessage } from 'node:http'
import { doubledMs } from '../model/backoff.ts'
import { ExpectedError } from '../model/errors.ts'
import { apiErrorMessage } from './request.ts'

const retryDelayMs = { first: 500, most: 30_000 } as const
const retryAfterMsMax = 300_000 // the longest Retry-After that is honoured

export class ApiRefusal extends ExpectedError {
  override readonly name = 'Refused'
  readonly status: number
  readonly said: string
  readonly retryAfterMs: number

  constructor({ status, said, path, retryAfter }: ApiRefusalOptions) {
    super(`Cannot read ${path}: the API server answered ${status}, ${said}`)
    this.status = status
    this.said = said
    this.retryAfterMs = Math.max(0, Math.min(retryAfterMsMax, (Number(retryAfter) || 0) * 1_000))
  }

  /** The object is missing. A 404 without details means that the resource itself is not served. */
  isAbsenceOf(name: string): boolean {
    return this.status === 404 && this.said.includes(`"${name}" not found`)
  }

  /**
   * The requested version is newer than the server's: it was restored from a backup, or lags
   * behind.
   */
  get isFromFuture(): boolean {
    return this.status === 504 && /too large resource version/i.test(this.said)
  }
}

type ApiRefusalOptions = {
  readonly status: number
  readonly said: string
  readonly path: string
  readonly retryAfter?: string | undefined
}

export async function apiRefusalOf(response: IncomingMessage, path: string): Promise<ApiRefusal> {
  const retryAfter = response.headers['retry-after']
  return new ApiRefusal({
    status: response.statusCode ?? 0,
    said: await apiErrorMessage(response),
    path,
    retryAfter,
  })
}

/** `failures` so far, the first of them is 0; `random` is from 0 to 1. */
export function waitMsAfter(error: unknown, failures: number, random: number): number {
  const retryAfterMs = error instanceof ApiRefusal ? error.retryAfterMs : 0
  return retryAfterMs + doubledMs(failures + 1, retryDelayMs) * random
}
