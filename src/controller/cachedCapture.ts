// A capture as the controller keeps it. In: the object as the schema let it through; its status may be another program's, of another
// version or written by hand. Out: the status has every field, so that the next one can go on from it; its counts are kept.

import type { KubeObject } from '../kube/informer.ts'
import { withoutManaged } from '../kube/stripManagedFields.ts'
import type { PacketCaptureStatus } from '../model/status.ts'
import type { ForeignCapture, PacketCapture } from '../model/world.ts'
import { listedFile, noCounts, type WrittenFile, waiting } from './cachedNodeStatus.ts'

type ListedForeign = ForeignCapture & KubeObject & { readonly status?: object }
type ListedPacketCapture = PacketCapture & KubeObject & { readonly status?: PacketCaptureStatus }

export type ListedCapture = ListedPacketCapture | ListedForeign

/** No field of a status is required. */
type WrittenPacketCapture = PacketCapture &
  KubeObject & { readonly status?: Partial<Omit<PacketCaptureStatus, 'files'>> & { readonly files?: readonly WrittenFile[] } }

export type WrittenCapture = WrittenPacketCapture | ListedForeign

export function listedCapture(written: WrittenCapture): ListedCapture {
  if (written.kind === 'PacketCapture') return listedPacketCapture(written)
  const { metadata } = written
  return withoutManaged({ ...written, metadata: { ...metadata, namespace: metadata.namespace ?? '' } })
}

function listedPacketCapture(written: WrittenPacketCapture): ListedPacketCapture {
  const { status, ...capture } = withoutManaged(written)
  if (status === undefined) return capture
  const whole = { observedGeneration: 0, nodes: 0, endpoints: 0, conditions: [], ...waiting, ...noCounts, ...status }
  return { ...capture, status: { ...whole, files: (status.files ?? []).map(listedFile) } }
}
