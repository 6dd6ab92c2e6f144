// Texts of errors without secrets. In: an error of any library. Out: a StoreError or a failure that
// holds the error's code, never the library's message, which may hold URLs and keys.
import { storeErrorIn } from './retry.ts'
import { RefusedError, type SecretValues, StoreError, type StoreFailure } from './store.ts'
import { tlsError } from './tlsErrors.ts'

/** Failed or broken connections; a retry may succeed after each of these. */
const networkCodes: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'the connection was refused',
  ECONNRESET: 'the connection was cut',
  EPIPE: 'the connection was cut',
  ETIMEDOUT: 'no answer came',
  EHOSTUNREACH: 'there is no way to the host',
  ENETUNREACH: 'there is no way to the network',
  ENOTFOUND: 'the host is not known',
  EAI_AGAIN: 'the host could not be looked up',
}

/** undefined: not a network error. */
export function networkError(error: unknown): StoreError | undefined {
  const code = codeIn(error)
  if (code === undefined) return undefined
  if (code === 'SELCAP_REFUSED')
    return new RefusedError(error instanceof Error ? error.message : code)
  if (code in networkCodes) return new StoreError(`${networkCodes[code]} (${code})`)
  const ofTls = tlsError(code)
  if (ofTls) return ofTls
  return /^(E[A-Z]+|ERR_[A-Z_]+)$/.test(code)
    ? new StoreError(`the connection failed (${code})`)
    : undefined
}

function codeIn(error: unknown, depth = 0): string | undefined {
  if (typeof error !== 'object' || error === null || depth > 4) return undefined
  const { code, cause, errors } = error as {
    readonly code?: unknown
    readonly cause?: unknown
    readonly errors?: readonly unknown[]
  }
  return typeof code === 'string' ? code : codeIn(cause ?? errors?.[0], depth + 1)
}

/** Whether a retry may succeed after this HTTP status. */
export function isRetryableStatus(status: number): boolean {
  return status >= 500 || status === 408 || status === 429
}

/** `Retry-After` in milliseconds; undefined for a date. */
export function retryAfterMs(header: string | undefined): number | undefined {
  return header !== undefined && /^\d{1,4}$/.test(header) ? Number(header) * 1_000 : undefined
}

/** Makes a thrown error a value. `doing` begins the text. Throws a bug on. */
export function toFailure(
  error: unknown,
  doing: string,
  signal: AbortSignal,
  secret: SecretValues,
): StoreFailure {
  if (signal.aborted) return { ok: false, isFinal: false, reason: `${doing}: stopped` }
  const known = storeErrorIn(error)
  if (!known) throw error
  return {
    ok: false,
    isFinal: known.isFinal,
    reason: withoutSecrets(`${doing}: ${known.message}`, secret),
  }
}

const secretLengthMin = 6 // shorter values also occur in ordinary words

/**
 * The last barrier: removes the Secret's values and the signatures of signed URLs, although no text
 * should hold one.
 */
export function withoutSecrets(text: string, secret: SecretValues): string {
  const values = Object.values(secret).flatMap(value => [value, value.trim(), ...signatures(value)])
  return values
    .filter(value => value.length >= secretLengthMin)
    .reduce((rest, value) => rest.replaceAll(value, '***'), text)
}

function signatures(value: string): string[] {
  const found = Array.from(
    value.matchAll(/[?&]sig=([^&"'\s]+)/g),
    ([, signature = '']) => signature,
  )
  return found.flatMap(signature => [signature, decodedOr(signature)])
}

/** The text itself if it is not percent-encoded. */
function decodedOr(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
