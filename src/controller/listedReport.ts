// A node's report as the controller keeps it. In: the object as the schema let it through, which asks for little. Out: every field
// is there and each capture has one row, so that what one node writes, of whatever version or intent, stops nobody's status.
import type { Report, ReportedCapture } from '../publish/nodeReport.ts'
import type { EndpointStatus, FileStatus } from '../status/types.ts'
import type { KubeObject } from '../world/listWatch.ts'

export type ListedReport = KubeObject & { readonly report: Pick<Report, 'captures'> & { readonly reportedAt: string } }

/** The least that the schema of crds/nodecapturereport.yaml asks for. */
export type WrittenReport = KubeObject & {
  readonly report?: { readonly reportedAt?: string; readonly captures?: readonly WrittenRow[] }
}
type WrittenRow = Partial<Omit<ReportedCapture, 'file'>> & {
  readonly file?: Partial<Omit<FileStatus, 'endpoints'>> & { readonly endpoints?: readonly Partial<EndpointStatus>[] }
}

const noCounts = { packets: 0, bytes: 0, dropped: 0 } as const

export function listedReport({ metadata, report = {} }: WrittenReport): ListedReport {
  const { reportedAt = '', captures = [] } = report
  const rows = captures.filter(row => row.uid !== undefined && row.file?.state !== undefined)
  const byUid = new Map(rows.map(row => [row.uid, rowOf(row, metadata.name)]))
  return {
    metadata: { ...metadata, managedFields: undefined } as KubeObject['metadata'],
    report: { reportedAt, captures: [...byUid.values()] },
  }
}

function rowOf({ file = {}, ...row }: WrittenRow, node: string): ReportedCapture {
  const empty = { api: 'PacketCapture', namespace: '', name: '', uid: '', observedGeneration: 0, problems: [] } as const
  const endpoints = (file.endpoints ?? []).map(
    (endpoint): EndpointStatus => ({ pod: '', uid: '', state: 'WaitingForTraffic', gaps: [], ...noCounts, ...endpoint }),
  )
  return {
    ...empty,
    isListed: endpoints.length > 0,
    isRejected: false,
    ...row,
    file: { directory: '', fileNames: [], state: 'WaitingForTraffic', ...noCounts, ...file, node, endpoints },
  }
}
