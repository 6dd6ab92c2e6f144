// Whether a node has work left with a capture that was deleted: its archive is not made, or waits
// for its upload. Pure. In: the deleted resource, what the node holds of it. Out: yes or no.
import type { ActualCapture } from '../../model/actualState.ts'
import { outputFields } from '../../model/output.ts'
import type { CaptureDocument } from '../../model/world.ts'
import { retryAtMs } from '../schedule/artifactRetry.ts'

export function isDeletedCaptureNeeded(
  { kind, metadata, spec }: CaptureDocument,
  actual: ActualCapture | undefined,
): boolean {
  const isHeld = actual?.uid === metadata.uid && actual.firstOpenedAtMs !== undefined
  if (kind !== 'Capture' || !isHeld) return false // only Retina's packs what it has when it is deleted
  const { artifact } = actual
  if (artifact === undefined || retryAtMs(artifact) !== undefined) return true
  return artifact.files.length > 0 && artifact.isRemoved !== true && namesStore(spec)
}

function namesStore(spec: Readonly<Record<string, unknown>>): boolean {
  const outputs = (spec.outputConfiguration ?? {}) as Readonly<Record<string, unknown>>
  return Object.values(outputFields).some(field => (outputs[field] ?? undefined) !== undefined)
}
