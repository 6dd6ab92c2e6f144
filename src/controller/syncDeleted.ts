// Synchronizes one deleted capture: its archives are still sent to the stores that it named. In:
// the capture as it was, and a snapshot of what the nodes report. Out: when it is due again, or
// undefined: nothing is left to do. Writes nothing to the API server. A claim gets nothing any
// more, because the pod that writes into it asks for the capture.
import type { Intent } from '../model/capture.ts'
import type { CachedCapture } from './cachedCapture.ts'
import { reconcile } from './reconcile.ts'
import type { ClusterSnapshot, SyncDeps } from './syncCapture.ts'
import { syncUploads } from './uploads/sync.ts'

const graceMs = 15_000 // a node that has just begun may not have reported it

export async function syncDeleted(
  { clock, specs, uploads, writer, writes }: SyncDeps,
  capture: CachedCapture,
  { observations, addresses, reports }: ClusterSnapshot,
): Promise<number | undefined> {
  const nowMs = clock.now()
  const found = await specs.read(capture)
  if (!found.ok || !found.output || found.output.stores.length === 0) return undefined
  const { stores } = found.output
  const isPlaced = isPlacedOnNode(found)
  // What is on a node only to be sent is removed when it was sent: the node then forgets the capture.
  const read = { ...found, output: { stores, isCleanedUp: !isPlaced } }
  const rows = observations.get(capture.metadata.uid) ?? []
  const previous = writes.observed(capture).status
  const uploading = syncUploads(
    uploads,
    { read, rows, reports, previous, nowMs },
    writer.term.signal,
  )
  const { isFlushed = false } = reconcile({
    capture,
    read,
    rows,
    addresses,
    previous,
    uploads: uploading.uploads,
    nowMs,
  })
  const isRemoved = rows.every(
    ({ row: { artifact }, silentSinceMs }) =>
      silentSinceMs !== undefined || !artifact?.files.length || artifact.removed === true,
  )
  const isOver = isFlushed && (isPlaced || isRemoved)
  const deletedAtMs = Date.parse(capture.metadata.deletionTimestamp ?? '') || 0
  if (isOver && nowMs >= deletedAtMs + graceMs) return undefined
  return Math.min(isOver ? deletedAtMs + graceMs : nowMs + graceMs, uploading.wakeAtMs)
}

function isPlacedOnNode({ artifact }: Intent): boolean {
  return artifact?.kind === 'RetinaArchive' && artifact.place !== undefined
}
