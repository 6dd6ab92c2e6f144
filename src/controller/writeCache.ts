// What this process wrote of each capture and the watch has not shown yet, and which writes were refused. In: captures as the
// watch shows them, what became of each write. Out: the status to go on from, with the version to write over; when to try again.
// What anybody else writes, or a controller before this one wrote, is taken over as soon as the watch shows it.
import { doubledMs } from '../model/backoff.ts'

export type KnownCapture = {
  readonly metadata: { readonly uid: string; readonly resourceVersion: string }
  readonly status?: object
}

export type ObservedStatus = { readonly status: object | undefined; readonly version: string; readonly writtenAtMs: number }

type WrittenStatus = ObservedStatus & { readonly shown: string } // the version that the watch showed at that time
type RefusedWrite = { readonly atMs: number; readonly times: number }

const retryDelayMs = { first: 2_000, most: 60_000 } as const

export class WriteCache {
  readonly #written = new Map<string, WrittenStatus>() // by uid
  readonly #refused = new Map<string, RefusedWrite>()
  readonly #judged = new Map<string, number>()

  observed({ metadata, status }: KnownCapture): ObservedStatus {
    const written = this.#written.get(metadata.uid)
    if (written?.shown === metadata.resourceVersion) return written
    return { status, version: metadata.resourceVersion, writtenAtMs: written?.writtenAtMs ?? 0 }
  }

  recordWrite({ metadata }: KnownCapture, standing: ObservedStatus): void {
    this.#written.set(metadata.uid, { ...standing, shown: metadata.resourceVersion })
    this.#refused.delete(metadata.uid)
  }

  recordConflict(uid: string, nowMs: number): void {
    this.#refused.set(uid, { atMs: nowMs, times: (this.#refused.get(uid)?.times ?? 0) + 1 })
  }

  recordReconcile(uid: string, nowMs: number): void {
    this.#judged.set(uid, nowMs)
  }

  /** When it was last looked at; in the future after a clock was set back. */
  reconciledAtMs(uid: string): number {
    return this.#judged.get(uid) ?? Number.NEGATIVE_INFINITY
  }

  /** When the next attempt may be; in the past: at once. A clock that was set back holds nothing up. */
  retryAtMs(uid: string, nowMs: number): number {
    const refused = this.#refused.get(uid)
    if (!refused || refused.atMs > nowMs) return Number.NEGATIVE_INFINITY
    return refused.atMs + doubledMs(refused.times, retryDelayMs)
  }

  /** Forgets all but these. */
  retain(uids: ReadonlySet<string>): void {
    for (const map of [this.#written, this.#refused, this.#judged]) for (const uid of map.keys()) if (!uids.has(uid)) map.delete(uid)
  }

  clear(): void {
    this.#written.clear()
    this.#refused.clear()
    this.#judged.clear()
  }
}
