// The queue of uploads: a few captures at a time. In: each turn's upload requests. Out: each file's
// result, for the status. A capture is uploaded again when a node reports other files, and
// periodically; failures are retried with back-off. Nothing is persisted: the next leader finds in
// the status and in the stores which files are there.

import type { UploadResults } from '../../api/reconcilerTypes.ts'
import { doubledMs } from '../../model/backoff.ts'
import type { UploadStatus } from '../../model/status.ts'
import { never } from '../../model/time.ts'
import type { Logger } from '../../runtime/log.ts'
import { zeroUploadCounters } from '../metrics.ts'
import { fingerprintOf, type UploadRequest } from './request.ts'
import type { UploadDeps } from './types.ts'
import { runUpload } from './worker.ts'

export type UploadQueueDeps = UploadDeps & { readonly log: Logger; readonly onChange: () => void }

const atOnce = 2 // each takes three multipart buffers
const pollIntervalMs = 60_000
const waitMs = 5_000 // while a pod copies
const retryDelayMs = { first: 15_000, most: 600_000 } as const
const doneMax = 200 // of a node, as in the status
const storedMax = 20_000

type KeptUpload = {
  readonly done: Map<string, UploadStatus[]> // by node
  failures: Map<string, string>
  missingSecrets: Set<string>
  readonly stored: Set<string>
  request: UploadRequest
  fingerprint: string // of the request of the last run
  isBusy: boolean
  isWaiting: boolean
  failed: number // consecutive failed runs
  nextAtMs: number
}

export class UploadQueue {
  readonly #deps: UploadQueueDeps
  readonly #kept = new Map<string, KeptUpload>() // by uid
  readonly #waiting: KeptUpload[] = []
  readonly tally = zeroUploadCounters()
  #busy = 0

  constructor(deps: UploadQueueDeps) {
    this.#deps = deps
  }

  /** Starts an upload that is due. Returns when to call again. */
  sync(request: UploadRequest, nowMs: number, signal: AbortSignal): number {
    const kept = this.#of(request)
    if (kept.isBusy) return never // its end calls onChange
    const isOther = kept.request.generation !== request.generation // the user may have corrected the spec
    const isNew = fingerprintOf(request) !== kept.fingerprint && (kept.failed === 0 || isOther)
    kept.request = request
    if (!isNew && nowMs < kept.nextAtMs) return kept.nextAtMs
    kept.isBusy = true
    this.#waiting.push(kept)
    this.#startNext(signal)
    return never
  }

  of(uid: string): UploadResults | undefined {
    return this.#kept.get(uid)
  }

  /** No upload is running, and the last run left nothing to do. */
  isComplete(request: UploadRequest): boolean {
    const kept = this.#kept.get(request.capture.uid)
    return (
      kept !== undefined &&
      !kept.isBusy &&
      !kept.isWaiting &&
      kept.failed === 0 &&
      kept.fingerprint === fingerprintOf(request)
    )
  }

  /** Forgets captures of all other uids, except running ones. */
  retain(uids: ReadonlySet<string>): void {
    for (const [uid, { isBusy }] of this.#kept)
      if (!uids.has(uid) && !isBusy) this.#kept.delete(uid)
  }

  #of(request: UploadRequest): KeptUpload {
    const known = this.#kept.get(request.capture.uid)
    if (known) return known
    const created = {
      done: new Map(),
      failures: new Map(),
      missingSecrets: new Set<string>(),
      stored: new Set<string>(),
      request,
      fingerprint: '',
      isBusy: false,
      isWaiting: false,
      failed: 0,
      nextAtMs: 0,
    }
    this.#kept.set(request.capture.uid, created)
    return created
  }

  #startNext(signal: AbortSignal): void {
    while (this.#busy < atOnce && !signal.aborted) {
      const kept = this.#waiting.shift()
      if (!kept) return
      this.#busy++
      void this.#run(kept, signal).finally(() => {
        this.#busy--
        this.#startNext(signal)
      })
    }
    if (signal.aborted) for (const kept of this.#waiting.splice(0)) kept.isBusy = false
  }

  async #run(kept: KeptUpload, signal: AbortSignal): Promise<void> {
    const { request } = kept
    const failures = new Map<string, string>()
    const missingSecrets = new Set<string>()
    const progress = {
      stored: kept.stored,
      onDone: (node: string, upload: UploadStatus, isStored: boolean) => {
        const others = (kept.done.get(node) ?? []).filter(
          ({ file, output }) => file !== upload.file || output !== upload.output,
        )
        kept.done.set(node, [...others, upload].slice(-doneMax))
        this.#count(upload, isStored)
        this.#deps.onChange()
      },
      onFailure: (node: string, reason: string) => {
        if (!failures.has(node)) failures.set(node, reason)
      },
      onMissingSecret: (name: string) => void missingSecrets.add(name),
    }
    const outcome = await runUpload(this.#deps, request, progress, signal)
    for (const tag of kept.stored) if (kept.stored.size > storedMax) kept.stored.delete(tag) // the oldest first; the store is asked again for those
    const isOver = !signal.aborted
    kept.isBusy = false
    if (!isOver) return
    const nowMs = this.#deps.nowMs()
    kept.failures = failures
    kept.missingSecrets = missingSecrets
    kept.fingerprint = fingerprintOf(request)
    kept.failed = failures.size === 0 ? 0 : kept.failed + 1
    kept.isWaiting = outcome === 'waits'
    const isAllSeen = request.nodes.length === 0 && missingSecrets.size === 0 // nothing to upload yet
    const soonMs = isAllSeen ? never : kept.isWaiting ? waitMs : pollIntervalMs
    kept.nextAtMs = nowMs + (kept.failed === 0 ? soonMs : doubledMs(kept.failed, retryDelayMs))
    const { namespace, name } = request.capture
    for (const [node, reason] of failures)
      this.#deps.log.warn({ namespace, name, node, reason }, 'not uploaded')
    this.#deps.onChange()
  }

  #count({ bytes = 0 }: UploadStatus, isStored: boolean): void {
    this.tally.uploads[isStored ? 'stored' : 'failed']++
    if (isStored) this.tally.uploadBytes += bytes
  }
}
