// A capture as the controller keeps it. In: the object as the schema let it through; its status may be another program's, of another
// version or written by hand. Out: the status has every field, so that the next one can go on from it; its counts are kept.
import type { PacketCapture } from '../model/world.ts'
import type { EndpointStatus, FileStatus, PacketCaptureStatus } from '../status/types.ts'
import type { KubeObject } from '../world/listWatch.ts'

export type ListedCapture = PacketCapture & KubeObject & { readonly status?: PacketCaptureStatus }

type WrittenFile = Partial<Omit<FileStatus, 'endpoints'>> & { readonly endpoints?: readonly Partial<EndpointStatus>[] }

/** No field of a status is required. */
export type WrittenCapture = PacketCapture &
  KubeObject & { readonly status?: Partial<Omit<PacketCaptureStatus, 'files'>> & { readonly files?: readonly WrittenFile[] } }

const noCounts = { packets: 0, bytes: 0, dropped: 0 } as const
const waiting = { state: 'WaitingForTraffic' } as const

export function listedCapture({ status, ...capture }: WrittenCapture): ListedCapture {
  const metadata = { ...capture.metadata, managedFields: undefined }
  if (status === undefined) return { ...capture, metadata }
  const whole = { observedGeneration: 0, nodes: 0, endpoints: 0, conditions: [], ...waiting, ...noCounts, ...status }
  return { ...capture, metadata, status: { ...whole, files: (status.files ?? []).map(fileOf) } }
}

function fileOf({ endpoints = [], ...file }: WrittenFile): FileStatus {
  const rows = endpoints.map((row): EndpointStatus => ({ pod: '', uid: '', gaps: [], ...waiting, ...noCounts, ...row }))
  return { node: '', directory: '', fileNames: [], ...waiting, ...noCounts, ...file, endpoints: rows }
}
