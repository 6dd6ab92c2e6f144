// Reconciles one Capture of retina.sh: its status, Events, and whether it may be removed. Pure. In:
// the resource, its intent, each node's observation, the time. Out: the reconciliation. No
// finalizer holds a deleted capture: its nodes pack their files, and the controller sends them, out
// of memory. Finalizers of earlier versions are taken away.

import { firstReportMs } from '../../core/status/fold.ts'
import { withUploads } from '../../core/status/uploads.ts'
import { claimField, outputFields } from '../../model/output.ts'
import type { AgentlessNode } from '../../model/status.ts'
import { never } from '../../model/time.ts'
import { retinaFinalizer as finalizer } from '../../model/wellKnown.ts'
import type {
  NodeObservation,
  ReconcileInput,
  Reconciliation,
  UploadResults,
} from '../reconcilerTypes.ts'
import { retinaEventsFor } from './events.ts'
import {
  type RetinaCondition,
  type RetinaNode,
  type RetinaStatus,
  retinaStatus,
  stateOf,
} from './status.ts'

export function reconcileRetinaCapture({
  capture,
  read,
  rows,
  addresses,
  previous,
  uploads,
  quota,
  agentless = [],
  nowMs,
}: ReconcileInput): Reconciliation {
  const { metadata, spec } = capture
  const createdAtMs = Date.parse(metadata.creationTimestamp) || 0
  const listed = rows.filter(({ row }) => row.isListed)
  const found = listed.filter(
    ({ row }) => quota === undefined || quota.through.has(row.file.node) || hasBegun(row),
  )
  const answeredAtMs = createdAtMs + firstReportMs
  const before = previous as Partial<RetinaStatus> | undefined
  const { stores = [], claim } = (read.ok && read.output) || {}
  const outputs = [
    ...stores.map(({ kind }) => outputFields[kind]),
    ...(claim === undefined ? [] : [claimField]),
  ]
  const status = retinaStatus({
    createdAtMs,
    generation: metadata.generation,
    refusal: read.ok ? quota?.failure : read.message,
    exceeded: quota?.exceeded,
    nodes: found.map(row => nodeOf(row, uploads)),
    outputs,
    missingSecrets: [...(uploads?.missingSecrets ?? [])],
    namespace: metadata.namespace,
    isAwaited: nowMs < answeredAtMs && rows.length < addresses.size,
    missing:
      addresses.size > 0 && nowMs >= answeredAtMs
        ? missingOf(spec as Spec, metadata.namespace, listed, agentless)
        : undefined,
    agentless,
    notes: read.ok ? read.notes : [],
    previous: before,
    nowMs,
  })
  const stored = new Map(status.files.map(file => [file.node, file.uploads]))
  const state = ({ row }: NodeObservation) =>
    stateOf(
      { ...row.file, ...withUploads([], stored.get(row.file.node) ?? []) },
      row.artifact,
      outputs,
    )
  const isFlushed = !found.some(
    each => each.silentSinceMs === undefined && state(each) === 'active',
  )
  const finalizers = withoutHold(metadata.finalizers)
  const wakes = [answeredAtMs].filter(atMs => atMs > nowMs)
  return {
    status,
    events: retinaEventsFor(before, status),
    wakeAtMs: Math.min(never, ...wakes),
    expiresAtMs:
      mayBeRemoved(read, found, before?.conditions) && metadata.deletionTimestamp === undefined
        ? nowMs
        : never,
    isFlushed,
    ...(finalizers && { finalizers }),
  }
}

/**
 * As in Retina, once all nodes have succeeded; here also once no file is left on a node and the
 * status shows the completion.
 */
function mayBeRemoved(
  read: ReconcileInput['read'],
  found: readonly NodeObservation[],
  conditions: readonly RetinaCondition[] = [],
): boolean {
  const isWanted = read.ok && read.output?.isCleanedUp === true
  const isComplete = conditions.some(({ type, status }) => type === 'complete' && status === 'True')
  return (
    isWanted &&
    isComplete &&
    found.length > 0 &&
    found.every(({ row }) => row.artifact?.removed === true)
  )
}

type Spec = {
  readonly captureConfiguration?: {
    readonly captureTarget?: { readonly podNames?: readonly string[] | null }
  }
}

/** A node that began is reported and packs its files, even if the limit is lower now. */
function hasBegun({ artifact, file }: NodeObservation['row']): boolean {
  return artifact !== undefined || file.endpoints.some(({ startedAt }) => startedAt !== undefined)
}

function nodeOf(
  { row, silentSinceMs }: NodeObservation,
  uploads: UploadResults | undefined,
): RetinaNode {
  const { file, problems, artifact } = row
  const isSilent = silentSinceMs !== undefined
  const message = `Unknown: no report since ${new Date(silentSinceMs ?? 0).toISOString()}, these are its last figures`
  const done = {
    uploads: uploads?.done.get(file.node) ?? [],
    uploadFailure: uploads?.failures.get(file.node),
  }
  return {
    file: isSilent ? { ...file, message } : file,
    problems,
    isSilent,
    ...(artifact && { artifact }),
    ...done,
  }
}

/** In Retina's words. A pod that appears later is found in a later turn. */
function missingOf(
  spec: Spec,
  namespace: string,
  found: readonly NodeObservation[],
  agentless: readonly AgentlessNode[],
): string | undefined {
  const reported = found.flatMap(({ row }) => row.file.endpoints.map(({ pod }) => pod))
  const pods = new Set([...reported, ...agentless.flatMap(each => each.pods)])
  const missing = (spec.captureConfiguration?.captureTarget?.podNames ?? []).find(
    name => !pods.has(name),
  )
  if (missing !== undefined)
    return `failed to get pod ${missing} in namespace ${namespace}: no node has a running pod of that name`
  return found.length === 0
    ? 'no targets are selected by node selector, pod selector, or pod names'
    : undefined
}

/** undefined: no change. */
function withoutHold(finalizers: readonly string[] = []): readonly string[] | undefined {
  return finalizers.includes(finalizer) ? finalizers.filter(name => name !== finalizer) : undefined
}
