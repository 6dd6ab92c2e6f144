// A capture as the controller keeps it. In: the object as the schema let it through; its status may be another program's, of another
// version or written by hand. Out: the status has every field, so that the next one can go on from it; its counts are kept.

import type { KubeObject } from '../kube/informer.ts'
import { stripManagedFields } from '../kube/stripManagedFields.ts'
import type { PacketCaptureStatus } from '../model/status.ts'
import type { ForeignCapture, PacketCapture } from '../model/world.ts'
import { cachedFile, type FileStatusObject, noCounts, waiting } from './cachedNodeStatus.ts'

type CachedOtherCapture = ForeignCapture & KubeObject & { readonly status?: object }
type CachedPacketCapture = PacketCapture & KubeObject & { readonly status?: PacketCaptureStatus }

export type CachedCapture = CachedPacketCapture | CachedOtherCapture

/** No field of a status is required. */
type PacketCaptureObject = PacketCapture &
  KubeObject & { readonly status?: Partial<Omit<PacketCaptureStatus, 'files'>> & { readonly files?: readonly FileStatusObject[] } }

export type CaptureObject = PacketCaptureObject | CachedOtherCapture

export function cachedCapture(written: CaptureObject): CachedCapture {
  if (written.kind === 'PacketCapture') return cachedPacketCapture(written)
  const { metadata } = written
  return stripManagedFields({ ...written, metadata: { ...metadata, namespace: metadata.namespace ?? '' } })
}

function cachedPacketCapture(written: PacketCaptureObject): CachedPacketCapture {
  const { status, ...capture } = stripManagedFields(written)
  if (status === undefined) return capture
  const whole = { observedGeneration: 0, nodes: 0, endpoints: 0, conditions: [], ...waiting, ...noCounts, ...status }
  return { ...capture, status: { ...whole, files: (status.files ?? []).map(cachedFile) } }
}
