// What all stores have in common: a file goes in, by pieces and checked, and its URL comes out. Expected failure is a value.
// A store never holds a file in memory, tries again what may pass by itself, and goes on where an earlier upload ended.
// Which files, whose, when and how often: not known here (src/controller).
import { ExpectedError } from '../model/errors.ts'

/** The file to send. It must not change meanwhile: its checksum is compared with what was sent. */
export type FileSource = {
  /** undefined: found out on the way. */
  readonly bytes?: number
  /** Hexadecimal. undefined: made on the way. */
  readonly sha256?: string
  /** From that byte to the end. Asked again, from where it broke off, when it fails. */
  read(fromByte: number, signal: AbortSignal): AsyncIterable<Uint8Array> | Promise<AsyncIterable<Uint8Array>>
}

/** What went wrong: the field and its value, and what was expected. Holds no secret. */
export type StoreFailure = {
  readonly ok: false
  /** Only a change of the capture, its Secret, the settings or the store can help. */
  readonly isFinal: boolean
  readonly reason: string
}

/** `url` holds no secret. */
export type StoredFile = { readonly ok: true; readonly url: string; readonly bytes: number; readonly sha256: string }

export type FoundObject = { readonly bytes: number; readonly sha256?: string }

/** Whether the store has this file already; only a source that names its checksum can be compared. */
export function isSameFile(found: FoundObject | undefined, { bytes, sha256 }: FileSource): found is Required<FoundObject> {
  return found?.sha256 !== undefined && found.sha256 === sha256 && found.bytes === bytes
}

export interface Store {
  /** Whole and checked on the other side, or a failure. Sends nothing that is already there. */
  put(key: string, source: FileSource, signal: AbortSignal): Promise<StoredFile | StoreFailure>
  /** undefined: not there. */
  head(key: string, signal: AbortSignal): Promise<{ readonly ok: true; readonly found?: FoundObject } | StoreFailure>
  /** Drops what an upload that never ended has left there. */
  discard(key: string, signal: AbortSignal): Promise<{ readonly ok: true } | StoreFailure>
  /** Idempotent. */
  close(): void
}

/** The values of a Secret's keys, as they are used. */
export type SecretValues = Readonly<Record<string, string>>

/** How much of a store one upload takes, and how patient it is. */
export type RetryEffort = {
  readonly partBytes: number
  /** Parts under way at the same time; one more is being read. */
  readonly partsAtOnce: number
  /** For each request. */
  readonly triesMax: number
  readonly firstWaitMs: number
  readonly longestWaitMs: number
  /** One request must be done within it. */
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

/** Ends an upload with a failure that its caller gets as a value. */
export class StoreError extends ExpectedError {
  override readonly name = 'StoreError'
  readonly isFinal: boolean
  /** What the other side asked for, if it did. */
  readonly waitMs: number | undefined

  constructor(reason: string, { isFinal = false, waitMs }: { readonly isFinal?: boolean; readonly waitMs?: number | undefined } = {}) {
    super(reason)
    this.isFinal = isFinal
    this.waitMs = waitMs
  }
}

/** Of a connection that was not made. Libraries that wrap errors keep a code and the text, and no more. */
export class RefusedError extends StoreError {
  readonly code = 'SELCAP_REFUSED'

  constructor(reason: string) {
    super(reason, { isFinal: true })
  }
}

export function permanentError(reason: string): StoreError {
  return new StoreError(reason, { isFinal: true })
}
