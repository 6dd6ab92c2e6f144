// Which captures have something to upload, a few at a time. In: each turn's wishes. Out: what became of each file, for the status.
// Looks again when a node reports other files, and from time to time; what fails is tried again, less and less often. Nothing here
// outlives the process: whoever leads next finds in the status and in the stores what is done.

import type { UploadResults } from '../../api/reconciliation.ts'
import { doubledMs } from '../../model/backoff.ts'
import type { UploadStatus } from '../../model/status.ts'
import type { Logger } from '../../runtime/log.ts'
import { zeroUploadCounters } from '../metrics.ts'
import { fingerprintOf, type UploadRequest } from './request.ts'
import type { UploadDeps } from './types.ts'
import { runUpload } from './worker.ts'

export type UploadQueueDeps = UploadDeps & { readonly log: Logger; readonly onChange: () => void }

const atOnce = 2 // each takes three parts of memory
const pollIntervalMs = 60_000
const waitMs = 5_000 // while a pod is at work
const retryDelayMs = { first: 15_000, most: 600_000 } as const
const doneMax = 200 // of a node, as in the status
const storedMax = 20_000
const never = Number.POSITIVE_INFINITY

type KeptUpload = {
  readonly done: Map<string, UploadStatus[]> // by node
  failures: Map<string, string>
  missingSecrets: Set<string>
  readonly stored: Set<string>
  wish: UploadRequest
  signature: string // of what was looked at last
  isBusy: boolean
  isWaiting: boolean
  failed: number // goes in a row
  nextAtMs: number
}

export class UploadQueue {
  readonly #parts: UploadQueueDeps
  readonly #kept = new Map<string, KeptUpload>() // by uid
  readonly #waiting: KeptUpload[] = []
  readonly tally = zeroUploadCounters()
  #busy = 0

  constructor(parts: UploadQueueDeps) {
    this.#parts = parts
  }

  /** Begins what is due. Returns when to be asked again by itself. */
  sync(wish: UploadRequest, nowMs: number, signal: AbortSignal): number {
    const kept = this.#of(wish)
    if (kept.isBusy) return never // its end is a change
    const isOther = kept.wish.generation !== wish.generation // the user may have mended it
    const isNew = fingerprintOf(wish) !== kept.signature && (kept.failed === 0 || isOther)
    kept.wish = wish
    if (!isNew && nowMs < kept.nextAtMs) return kept.nextAtMs
    kept.isBusy = true
    this.#waiting.push(kept)
    this.#begin(signal)
    return never
  }

  of(uid: string): UploadResults | undefined {
    return this.#kept.get(uid)
  }

  /** Nothing is under way, and the last look found nothing left to do. */
  isSettled(wish: UploadRequest): boolean {
    const kept = this.#kept.get(wish.capture.uid)
    return kept !== undefined && !kept.isBusy && !kept.isWaiting && kept.failed === 0 && kept.signature === fingerprintOf(wish)
  }

  /** Forgets all but these. */
  retain(uids: ReadonlySet<string>): void {
    for (const [uid, { isBusy }] of this.#kept) if (!uids.has(uid) && !isBusy) this.#kept.delete(uid)
  }

  #of(wish: UploadRequest): KeptUpload {
    const known = this.#kept.get(wish.capture.uid)
    if (known) return known
    const made = {
      done: new Map(),
      failures: new Map(),
      missingSecrets: new Set<string>(),
      stored: new Set<string>(),
      wish,
      signature: '',
      isBusy: false,
      isWaiting: false,
      failed: 0,
      nextAtMs: 0,
    }
    this.#kept.set(wish.capture.uid, made)
    return made
  }

  #begin(signal: AbortSignal): void {
    while (this.#busy < atOnce && !signal.aborted) {
      const kept = this.#waiting.shift()
      if (!kept) return
      this.#busy++
      void this.#go(kept, signal).finally(() => {
        this.#busy--
        this.#begin(signal)
      })
    }
    if (signal.aborted) for (const kept of this.#waiting.splice(0)) kept.isBusy = false
  }

  async #go(kept: KeptUpload, signal: AbortSignal): Promise<void> {
    const { wish } = kept
    const failures = new Map<string, string>()
    const missingSecrets = new Set<string>()
    const memory = {
      stored: kept.stored,
      onDone: (node: string, upload: UploadStatus, isStored: boolean) => {
        const others = (kept.done.get(node) ?? []).filter(({ file, output }) => file !== upload.file || output !== upload.output)
        kept.done.set(node, [...others, upload].slice(-doneMax))
        this.#count(upload, isStored)
        this.#parts.onChange()
      },
      onFailure: (node: string, reason: string) => {
        if (!failures.has(node)) failures.set(node, reason)
      },
      onMissingSecret: (name: string) => void missingSecrets.add(name),
    }
    const outcome = await runUpload(this.#parts, wish, memory, signal)
    for (const mark of kept.stored) if (kept.stored.size > storedMax) kept.stored.delete(mark) // the oldest; asking the store tells as well
    const isOver = !signal.aborted
    kept.isBusy = false
    if (!isOver) return
    const nowMs = this.#parts.nowMs()
    kept.failures = failures
    kept.missingSecrets = missingSecrets
    kept.signature = fingerprintOf(wish)
    kept.failed = failures.size === 0 ? 0 : kept.failed + 1
    kept.isWaiting = outcome === 'waits'
    const isAllSeen = wish.nodes.length === 0 && missingSecrets.size === 0 // until there is something to send
    const soonMs = isAllSeen ? never : kept.isWaiting ? waitMs : pollIntervalMs
    kept.nextAtMs = nowMs + (kept.failed === 0 ? soonMs : doubledMs(kept.failed, retryDelayMs))
    const { namespace, name } = wish.capture
    for (const [node, reason] of failures) this.#parts.log.warn({ namespace, name, node, reason }, 'not uploaded')
    this.#parts.onChange()
  }

  #count({ bytes = 0 }: UploadStatus, isStored: boolean): void {
    this.tally.uploads[isStored ? 'stored' : 'failed']++
    if (isStored) this.tally.uploadBytes += bytes
  }
}
