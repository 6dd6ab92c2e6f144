// The statuses that this process wrote and the watch has not shown yet, and the writes that failed.
// In: captures as the watch shows them, the result of each write. Out: the status and version to
// base the next write on; when a failed write is retried. A change by anyone else is taken over as
// soon as the watch shows it.
import { doubledMs } from '../model/backoff.ts'

export type KnownCapture = {
  readonly metadata: { readonly uid: string; readonly resourceVersion: string }
  readonly status?: object
}

export type ObservedStatus = {
  readonly status: object | undefined
  readonly version: string
  readonly writtenAtMs: number
}

type WrittenStatus = ObservedStatus & { readonly shown: string } // resourceVersion that the watch showed at the time of the write
type FailedWrite = { readonly atMs: number; readonly times: number }

const retryDelayMs = { first: 2_000, most: 60_000 } as const

export class WriteCache {
  readonly #written = new Map<string, WrittenStatus>() // by uid
  readonly #failed = new Map<string, FailedWrite>()
  readonly #reconciledAtMs = new Map<string, number>()

  observed({ metadata, status }: KnownCapture): ObservedStatus {
    const written = this.#written.get(metadata.uid)
    if (written?.shown === metadata.resourceVersion) return written
    return { status, version: metadata.resourceVersion, writtenAtMs: written?.writtenAtMs ?? 0 }
  }

  recordWrite({ metadata }: KnownCapture, status: ObservedStatus): void {
    this.#written.set(metadata.uid, { ...status, shown: metadata.resourceVersion })
    this.#failed.delete(metadata.uid)
  }

  recordConflict(uid: string, nowMs: number): void {
    this.#failed.set(uid, { atMs: nowMs, times: (this.#failed.get(uid)?.times ?? 0) + 1 })
  }

  recordReconcile(uid: string, nowMs: number): void {
    this.#reconciledAtMs.set(uid, nowMs)
  }

  /** When it was last reconciled; in the future after the clock was set back. */
  reconciledAtMs(uid: string): number {
    return this.#reconciledAtMs.get(uid) ?? Number.NEGATIVE_INFINITY
  }

  /**
   * When the next write may be tried; in the past: now. A clock that was set back delays nothing.
   */
  retryAtMs(uid: string, nowMs: number): number {
    const failed = this.#failed.get(uid)
    if (!failed || failed.atMs > nowMs) return Number.NEGATIVE_INFINITY
    return failed.atMs + doubledMs(failed.times, retryDelayMs)
  }

  /** Forgets captures of all other uids. */
  retain(uids: ReadonlySet<string>): void {
    for (const map of [this.#written, this.#failed, this.#reconciledAtMs])
      for (const uid of map.keys()) if (!uids.has(uid)) map.delete(uid)
  }

  clear(): void {
    this.#written.clear()
    this.#failed.clear()
    this.#reconciledAtMs.clear()
  }
}
