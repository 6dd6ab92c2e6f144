// An element of status.files as the controller caches it, from a capture's status or a node's
// report. In: the element as the schema allowed it, which requires little. Out: an element with
// every field.
import type { EndpointStatus, FileStatus, UploadStatus } from '../model/status.ts'

export type FileStatusObject = Partial<Omit<FileStatus, 'endpoints' | 'uploads'>> & {
  readonly endpoints?: readonly Partial<EndpointStatus>[]
  readonly uploads?: readonly Partial<UploadStatus>[]
}

export const noCounts = { packets: 0, bytes: 0, dropped: 0 } as const
export const waiting = { state: 'WaitingForTraffic' } as const

export function cachedFile({ endpoints = [], uploads, ...file }: FileStatusObject): FileStatus {
  const rows = endpoints.map(
    (row): EndpointStatus => ({ pod: '', uid: '', gaps: [], ...waiting, ...noCounts, ...row }),
  )
  return {
    node: '',
    directory: '',
    fileNames: [],
    ...waiting,
    ...noCounts,
    ...file,
    ...(uploads && { uploads: uploads.map(cachedUpload) }),
    endpoints: rows,
  }
}

function cachedUpload(written: Partial<UploadStatus>): UploadStatus {
  return { file: '', output: '', at: '', ...written }
}
