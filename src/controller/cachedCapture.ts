// A capture as the controller caches it. In: the object as the schema allowed it; its status may
// come from another program or version, or be written by hand. Out: a capture whose status has
// every field, with its counts kept, so that the next status can build on it.

import type { KubeObject } from '../kube/informer.ts'
import { stripManagedFields } from '../kube/stripManagedFields.ts'
import type { PacketCaptureStatus } from '../model/status.ts'
import type { OtherCapture, PacketCapture } from '../model/world.ts'
import { cachedFile, type FileStatusObject, noCounts, waiting } from './cachedNodeStatus.ts'

type CachedOtherCapture = OtherCapture & KubeObject & { readonly status?: object }
type CachedPacketCapture = PacketCapture & KubeObject & { readonly status?: PacketCaptureStatus }

export type CachedCapture = CachedPacketCapture | CachedOtherCapture

/** No field of a status is required. */
type PacketCaptureObject = PacketCapture &
  KubeObject & {
    readonly status?: Partial<Omit<PacketCaptureStatus, 'files'>> & {
      readonly files?: readonly FileStatusObject[]
    }
  }

export type CaptureObject = PacketCaptureObject | CachedOtherCapture

export function cachedCapture(written: CaptureObject): CachedCapture {
  if (written.kind === 'PacketCapture') return cachedPacketCapture(written)
  const { metadata } = written
  return stripManagedFields({
    ...written,
    metadata: { ...metadata, namespace: metadata.namespace ?? '' },
  })
}

function cachedPacketCapture(written: PacketCaptureObject): CachedPacketCapture {
  const { status, ...capture } = stripManagedFields(written)
  if (status === undefined) return capture
  const whole = {
    observedGeneration: 0,
    nodes: 0,
    endpoints: 0,
    conditions: [],
    ...waiting,
    ...noCounts,
    ...status,
  }
  return { ...capture, status: { ...whole, files: (status.files ?? []).map(cachedFile) } }
}
