// The interface of all stores. In: a file as a source. Out: its URL after it was sent and verified,
// or a failure as a value. A store never holds a whole file in memory, retries what may succeed,
// and resumes an unfinished upload. src/controller decides which files are uploaded, and when.
import { ExpectedError } from '../model/errors.ts'

/**
 * The file to send. It must not change during the upload: its checksum is compared with what was
 * sent.
 */
export type FileSource = {
  /** undefined: counted while it is read. */
  readonly bytes?: number
  /** Hexadecimal. undefined: computed while it is read. */
  readonly sha256?: string
  /** From that byte to the end. Called again, from where it broke off, when it fails. */
  read(
    fromByte: number,
    signal: AbortSignal,
  ): AsyncIterable<Uint8Array> | Promise<AsyncIterable<Uint8Array>>
}

/** `reason` names the field, its value and what was expected, and holds no secret. */
export type StoreFailure = {
  readonly ok: false
  /** A retry cannot help: the capture, its Secret, the settings or the store must change. */
  readonly isFinal: boolean
  readonly reason: string
}

/** `url` holds no secret. */
export type StoredFile = {
  readonly ok: true
  readonly url: string
  readonly bytes: number
  readonly sha256: string
}

export type FoundObject = { readonly bytes: number; readonly sha256?: string }

/**
 * Whether the store has this file already; only a source that names its checksum can be compared.
 */
export function isSameFile(
  found: FoundObject | undefined,
  { bytes, sha256 }: FileSource,
): found is Required<FoundObject> {
  return found?.sha256 !== undefined && found.sha256 === sha256 && found.bytes === bytes
}

export interface Store {
  /**
   * Resolves when the object is complete and verified. Does not send a file that the store has
   * already.
   */
  put(key: string, source: FileSource, signal: AbortSignal): Promise<StoredFile | StoreFailure>
  /** undefined: not there. */
  head(
    key: string,
    signal: AbortSignal,
  ): Promise<{ readonly ok: true; readonly found?: FoundObject } | StoreFailure>
  /** Removes what an unfinished upload has left. */
  discard(key: string, signal: AbortSignal): Promise<{ readonly ok: true } | StoreFailure>
  /** Idempotent. */
  close(): void
}

/** The values of a Secret by their keys, decoded. */
export type SecretValues = Readonly<Record<string, string>>

/** The parts, the retries and the time limit of one upload. */
export type RetryEffort = {
  readonly partBytes: number
  /** Parts being sent at the same time; one more is being read. */
  readonly partsAtOnce: number
  /** For each request. */
  readonly triesMax: number
  readonly firstWaitMs: number
  readonly longestWaitMs: number
  /** Time limit of one request. */
  readonly requestMs: number
}

export const defaultEffort: RetryEffort = Object.freeze({
  partBytes: 8 * 1024 * 1024,
  partsAtOnce: 2,
  triesMax: 6,
  firstWaitMs: 500,
  longestWaitMs: 20_000,
  requestMs: 180_000,
})

/** Ends an upload; the caller of the store gets it as a StoreFailure. */
export class StoreError extends ExpectedError {
  override readonly name = 'StoreError'
  readonly isFinal: boolean
  /** The server's Retry-After, if it sent one. */
  readonly waitMs: number | undefined

  constructor(
    reason: string,
    {
      isFinal = false,
      waitMs,
    }: { readonly isFinal?: boolean; readonly waitMs?: number | undefined } = {},
  ) {
    super(reason)
    this.isFinal = isFinal
    this.waitMs = waitMs
  }
}

/**
 * A connection that the policy refused. It has a code, because libraries that wrap errors keep only
 * the code and the text.
 */
export class RefusedError extends StoreError {
  readonly code = 'SELCAP_REFUSED'

  constructor(reason: string) {
    super(reason, { isFinal: true })
  }
}

export function permanentError(reason: string): StoreError {
  return new StoreError(reason, { isFinal: true })
}
