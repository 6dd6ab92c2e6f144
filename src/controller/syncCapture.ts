// Synchronizes one capture in five steps: observe, reconcile, expire, write metadata, write status.
// In: the capture and a snapshot of what the nodes report. Out: at most one status, its Events and
// results, or a removal; when the capture is due again.
import { setImmediate as yieldToTimers } from 'node:timers/promises'
import type { NodeObservation, Reconciliation } from '../api/reconcilerTypes.ts'
import type { EventRecorder } from '../kube/eventRecorder.ts'
import type { KubeObject } from '../kube/informer.ts'
import type { Labels } from '../model/labels.ts'
import type { AgentlessNode } from '../model/status.ts'
import { never } from '../model/time.ts'
import type { Clock } from '../runtime/clock.ts'
import type { AgentlessPods } from './agentlessPods.ts'
import {
  type ApiWriterDeps,
  removeCapture,
  writeMetadata,
  writeResults,
  writeStatus,
} from './apiWriter.ts'
import type { CachedCapture } from './cachedCapture.ts'
import type { CachedReport } from './cachedReport.ts'
import { isOver } from './isOver.ts'
import type { ControllerCounters } from './metrics.ts'
import type { Quotas } from './quota/quotas.ts'
import { reconcile } from './reconcile.ts'
import type { SpecCache } from './specCache.ts'
import { nextWriteAtMs, nodesOf, writeIntervalMs } from './statusThrottle.ts'
import type { UploadQueue } from './uploads/queue.ts'
import { syncUploads } from './uploads/sync.ts'
import type { ObservedStatus, WriteCache } from './writeCache.ts'

export type SyncDeps = {
  readonly writer: ApiWriterDeps
  readonly events: EventRecorder
  readonly clock: Clock
  readonly namespace: string // for results of captures that have no namespace
  readonly specs: SpecCache
  readonly quotas: Quotas
  readonly agentless: AgentlessPods
  readonly uploads: UploadQueue | undefined
  readonly writes: WriteCache
  readonly counters: ControllerCounters
}

/** What a turn's captures share. */
export type ClusterSnapshot = {
  readonly observations: ReadonlyMap<string, readonly NodeObservation[]> // by capture uid
  readonly addresses: ReadonlyMap<string, string> // by node, of all nodes that report
  readonly reports: readonly CachedReport[]
  readonly nodes: readonly KubeObject[]
}

/**
 * A step's result: done, with the time the capture is due again; or undefined, and the next step
 * runs.
 */
type StepResult = { readonly wakeAtMs: number } | undefined

type Sync = SyncDeps & {
  readonly capture: CachedCapture
  readonly observed: ObservedStatus
  readonly nowMs: number
}

type Desired = Reconciliation & {
  readonly annotations: Labels | undefined
  readonly uploadHoldMs: number
}

/** As the schema allows it. */
type StatusWithAgentless = {
  readonly withoutAgent?: readonly (Omit<AgentlessNode, 'kind'> & Partial<AgentlessNode>)[]
}

const retryDelayMs = 2_000

/** Returns when the capture is due again. */
export async function syncCapture(
  deps: SyncDeps,
  capture: CachedCapture,
  snapshot: ClusterSnapshot,
): Promise<number> {
  const nowMs = deps.clock.now()
  const notYet = postponed(deps, capture, nowMs)
  if (notYet) return notYet.wakeAtMs
  const sync: Sync = { ...deps, capture, nowMs, observed: deps.writes.observed(capture) }
  deps.writes.recordReconcile(capture.metadata.uid, nowMs)
  await yieldToTimers() // many captures on many nodes take long: the lease must be renewed meanwhile
  const desired = await desiredState(sync, snapshot)
  const done =
    (await expire(sync, desired)) ??
    (await updateMetadata(sync, desired)) ??
    (await updateStatus(sync, desired))
  return done.wakeAtMs
}

/** A failed write is retried later, and a capture on many nodes is reconciled less often. */
function postponed({ writes }: SyncDeps, capture: CachedCapture, nowMs: number): StepResult {
  const { uid } = capture.metadata
  const retryAtMs = writes.retryAtMs(uid, nowMs)
  if (retryAtMs > nowMs) return { wakeAtMs: retryAtMs }
  const reconciledAtMs = writes.reconciledAtMs(uid)
  const nextAtMs =
    reconciledAtMs > nowMs
      ? nowMs
      : reconciledAtMs + writeIntervalMs(nodesOf(writes.observed(capture).status))
  return nextAtMs > nowMs ? { wakeAtMs: nextAtMs } : undefined
}

async function desiredState(
  sync: Sync,
  { observations, addresses, reports, nodes }: ClusterSnapshot,
): Promise<Desired> {
  const { capture, counters, observed, nowMs, quotas, specs, uploads, writer } = sync
  const { signal } = writer.term
  counters.folds++
  const read = await specs.read(capture)
  const input = {
    read,
    rows: observations.get(capture.metadata.uid) ?? [],
    reports,
    previous: observed.status,
    nowMs,
  }
  const quota = await quotas.sync({ ...input, capture, nodes }, signal)
  const reported = new Set(input.rows.map(({ row }) => row.file.node))
  const { withoutAgent = [] } = (observed.status ?? {}) as StatusWithAgentless
  const told = {
    previous: withoutAgent.map((each): AgentlessNode => ({ kind: 'Linux', ...each })),
    isOver: isOver(capture, observed.status),
  }
  const readIn = (namespaceLabels: ReadonlyMap<string, Labels>) =>
    specs.readIn(capture, namespaceLabels)
  const agentless = await sync.agentless.matching({ read, readIn, reported, ...told }, signal)
  const uploading = syncUploads(uploads, input, signal)
  const reconciliation = reconcile({
    ...input,
    capture,
    addresses,
    uploads: uploading.uploads,
    quota: quota.state,
    agentless: agentless.nodes,
  })
  const wakeAtMs = Math.min(
    ...[reconciliation, uploading, quota, agentless].map(each => each.wakeAtMs),
  )
  return {
    ...reconciliation,
    wakeAtMs,
    annotations: quota.annotations,
    uploadHoldMs: uploading.holdMs,
  }
}

/** A capture whose ttl is over is removed, unless its files wait for their upload. */
async function expire(sync: Sync, { expiresAtMs, uploadHoldMs }: Desired): Promise<StepResult> {
  const { capture, counters, nowMs, observed, writer } = sync
  const isDue = expiresAtMs + uploadHoldMs <= nowMs // false for NaN: an unreadable time never removes a capture
  if (!isDue) return undefined
  if (!(await removeCapture(writer, capture, observed.version))) return retried(sync)
  counters.removals.capture++
  return { wakeAtMs: never }
}

/** The status waits until the watch shows the changed metadata. */
async function updateMetadata(
  sync: Sync,
  { finalizers, annotations }: Desired,
): Promise<StepResult> {
  const { capture, nowMs, observed, writer } = sync
  if (finalizers === undefined && annotations === undefined) return undefined
  const { kind } = await writeMetadata(
    writer,
    capture,
    { finalizers, annotations },
    observed.version,
  )
  return kind === 'failed' ? retried(sync) : { wakeAtMs: nowMs + retryDelayMs }
}

/**
 * Results and Events are written before the status: if this process dies in between, the next one
 * finds the same change.
 */
async function updateStatus(
  sync: Sync,
  { status, events, results, wakeAtMs }: Desired,
): Promise<NonNullable<StepResult>> {
  const { capture, counters, namespace, nowMs, observed, writer, writes } = sync
  const { version, writtenAtMs } = observed
  const dueAtMs = nextWriteAtMs(observed.status, status, { writtenAtMs, nowMs })
  if (dueAtMs > nowMs) return { wakeAtMs: Math.min(dueAtMs, wakeAtMs) }
  if (results && !(await writeResults(writer, namespace, results))) return retried(sync)
  for (const event of events) {
    const result = await sync.events.record(capture, event, { version, nowMs })
    if (result !== 'repeated') counters.eventWrites[result]++
  }
  const result = await writeStatus(writer, capture, status, version)
  counters.statusWrites[result.kind]++
  if (result.kind === 'failed') return retried(sync)
  if (result.kind === 'stale') return { wakeAtMs: nowMs + retryDelayMs }
  writes.recordWrite(capture, { status, version: result.version, writtenAtMs: nowMs })
  return { wakeAtMs }
}

function retried({ capture, nowMs, writes }: Sync): { readonly wakeAtMs: number } {
  const { uid } = capture.metadata
  writes.recordConflict(uid, nowMs)
  return { wakeAtMs: writes.retryAtMs(uid, nowMs) }
}
