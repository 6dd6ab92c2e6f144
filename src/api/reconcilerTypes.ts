// What every API's reconciler takes and returns: types only. In: a capture, its parsed spec, each
// node's observation, the previous status and the time. Out: the new status, Events, deadlines and
// changes of metadata.
import type { ReportedCapture } from '../core/status/nodeReport.ts'
import type { Intent, Rejection } from '../model/capture.ts'
import type { CaptureEvent } from '../model/event.ts'
import type { AgentlessNode, UploadStatus } from '../model/status.ts'
import type { CaptureDocument } from '../model/world.ts'

/**
 * One node's report of the capture. `silentSinceMs`: when its agent stopped reporting. `takenPort`:
 * the port that its agent cannot listen on.
 */
export type NodeObservation = {
  readonly row: ReportedCapture
  readonly silentSinceMs?: number
  readonly takenPort?: number
}

/**
 * Uploads of this capture's files, by node, since this process leads. `failures`: why some files
 * are not stored yet.
 */
export type UploadResults = {
  readonly done: ReadonlyMap<string, readonly UploadStatus[]>
  readonly missingSecrets: ReadonlySet<string>
  readonly failures: ReadonlyMap<string, string>
}

/**
 * `count` nodes are needed. `leftOut`: nodes without a place in a capture that runs; empty: the
 * capture does not begin.
 */
export type Exceeded = {
  readonly count: number
  readonly limit: number
  readonly leftOut: readonly string[]
}

/**
 * `through`: names of the nodes that may take part. `failure`: why the nodes could not be counted.
 */
export type QuotaState = {
  readonly through: ReadonlySet<string>
  readonly exceeded?: Exceeded
  readonly failure?: string
}

/** A ConfigMap with results, all but its namespace. */
export type Results = {
  readonly metadata: {
    readonly name: string
    readonly labels: object
    readonly ownerReferences: readonly object[]
  }
  readonly data: Readonly<Record<string, string>>
}

export type ReconcileInput = {
  readonly capture: CaptureDocument
  readonly read: Intent | Rejection
  readonly rows: readonly NodeObservation[] // of this capture's uid
  readonly addresses: ReadonlyMap<string, string> // by node, of all nodes that report
  readonly previous: object | undefined // the status as cachedCapture() completed it
  readonly uploads?: UploadResults | undefined
  readonly agentless?: readonly AgentlessNode[] // with pods that the capture matches
  readonly quota?: QuotaState | undefined // undefined: the number of nodes is not limited
  readonly nowMs: number
}

/**
 * `expiresAtMs`: the resource and its files are removed from then on. `finalizers`: the wanted
 * list; missing: no change. `isFlushed`: no node packs, and no archive waits for its upload.
 */
export type Reconciliation = {
  readonly status: object
  readonly events: readonly CaptureEvent[]
  readonly wakeAtMs: number
  readonly expiresAtMs: number
  readonly results?: Results // written before the status
  readonly finalizers?: readonly string[]
  readonly isFlushed?: boolean
}
