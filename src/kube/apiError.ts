// The API server answered, and not with 200; and how long to wait before asking again. In: the answer, how often it went
// wrong in a row. Out: an error with the server's own wish, and milliseconds with jitter: agents must not come back together.
import type { IncomingMessage } from 'node:http'
import { doubledMs } from '../model/backoff.ts'
import { ExpectedError } from '../model/errors.ts'
import { apiErrorMessage } from './request.ts'

const retryDelayMs = { first: 500, most: 30_000 } as const
const retryAfterMsMax = 300_000 // a server that wishes for more is asked all the same

export class ApiRefusal extends ExpectedError {
  override readonly name = 'Refused'
  readonly status: number
  readonly said: string
  readonly wishMs: number

  constructor({ status, said, path, retryAfter }: ApiRefusalOptions) {
    super(`Cannot read ${path}: the API server answered ${status}, ${said}`)
    this.status = status
    this.said = said
    this.wishMs = Math.max(0, Math.min(retryAfterMsMax, (Number(retryAfter) || 0) * 1_000))
  }

  /** That object is gone; not: nobody here knows of such objects. */
  isAbsenceOf(name: string): boolean {
    return this.status === 404 && this.said.includes(`"${name}" not found`)
  }

  /** What we saw lies in the future of this server: it was restored from a backup, or has not caught up. */
  get isFromFuture(): boolean {
    return this.status === 504 && /too large resource version/i.test(this.said)
  }
}

type ApiRefusalOptions = { readonly status: number; readonly said: string; readonly path: string; readonly retryAfter?: string | undefined }

export async function apiRefusalOf(response: IncomingMessage, path: string): Promise<ApiRefusal> {
  const retryAfter = response.headers['retry-after']
  return new ApiRefusal({ status: response.statusCode ?? 0, said: await apiErrorMessage(response), path, retryAfter })
}

/** `failures` so far, the first of them is 0; `random` is from 0 to 1. */
export function waitMsAfter(error: unknown, failures: number, random: number): number {
  const wishMs = error instanceof ApiRefusal ? error.wishMs : 0
  return wishMs + doubledMs(failures + 1, retryDelayMs) * random
}
