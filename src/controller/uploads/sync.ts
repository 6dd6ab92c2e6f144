// Syncs one capture's uploads in a turn. In: its intent, each node's observation, the reports with
// the agents' addresses, the status. Out: each file's result, when to sync again, how long a ttl
// waits for files that are not stored yet.

import type { NodeObservation, UploadResults } from '../../api/reconcilerTypes.ts'
import { nameIn } from '../../core/status/uploads.ts'
import type { Intent, Rejection } from '../../model/capture.ts'
import type { Output } from '../../model/output.ts'
import type { FileStatus, PacketCaptureStatus } from '../../model/status.ts'
import type { CachedReport } from '../cachedReport.ts'
import type { UploadQueue } from './queue.ts'
import type { NodeUpload, UploadRequest } from './request.ts'

export type UploadSyncInput = {
  readonly read: Intent | Rejection
  readonly rows: readonly NodeObservation[]
  readonly reports: Iterable<CachedReport>
  readonly previous: object | undefined
  readonly nowMs: number
}
export type UploadSync = {
  readonly wakeAtMs: number
  readonly holdMs: number
  readonly uploads?: UploadResults | undefined
}

const nothing: UploadSync = { wakeAtMs: Number.POSITIVE_INFINITY, holdMs: 0 }
const holdMs = 3_600_000 // of a ttl, while files are not stored yet

export function syncUploads(
  uploads: UploadQueue | undefined,
  input: UploadSyncInput,
  signal: AbortSignal,
): UploadSync {
  const { read } = input
  if (!uploads || !read.ok || !read.output || hasNoOutput(read.output)) return nothing
  const request = uploadRequestOf(read, input)
  const done = uploads.of(request.capture.uid)
  const isEmpty = request.nodes.length === 0
  if (isEmpty && request.output.stores.length === 0) return { ...nothing, uploads: done }
  const wakeAtMs = uploads.sync(request, input.nowMs, signal)
  return { wakeAtMs, holdMs: isEmpty || uploads.isComplete(request) ? 0 : holdMs, uploads: done }
}

function hasNoOutput({ stores, claim }: Output): boolean {
  return stores.length === 0 && claim === undefined
}

function uploadRequestOf(
  {
    capture,
    createdAtMs,
    generation,
    artifact,
    output = { stores: [], isCleanedUp: false },
  }: Intent,
  { rows, reports, previous }: UploadSyncInput,
): UploadRequest {
  const places = new Map(
    [...reports].map(({ metadata: { name: node }, report }) => [node, { ...report, node }]),
  )
  const before = (previous as Partial<PacketCaptureStatus> | undefined)?.files ?? []
  const known = new Map(before.map((file: FileStatus) => [file.node, file.uploads ?? []]))
  const nodes = rows.flatMap(({ row, silentSinceMs }): NodeUpload[] => {
    const { node, fileNames, state } = row.file
    const place = places.get(node)
    const only = artifact && (row.artifact?.files ?? []).map(({ path }) => nameIn(path))
    const isEmpty = (only ?? fileNames).length === 0 || row.artifact?.removed === true
    if (!place?.certificateFingerprint || silentSinceMs !== undefined || !row.isListed || isEmpty)
      return []
    const { address, port, certificateFingerprint } = place
    const isFinished = state === 'Finished' && row.observedGeneration === generation
    const there = {
      node,
      place: { node, address, port, certificateFingerprint },
      fileNames,
      known: known.get(node) ?? [],
    }
    return [{ ...there, isFinished, ...(only && { only }) }]
  })
  return { capture, createdAtMs, generation, output, nodes }
}
