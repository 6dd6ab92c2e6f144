// A node's report as the controller keeps it. In: the object as the schema let it through, which asks for little. Out: every field
// is there and each capture has one row, so that what one node writes, of whatever version or intent, stops nobody's status.
import type { NodeReportStatus, ReportedCapture } from '../core/status/nodeReport.ts'
import type { KubeObject } from '../kube/informer.ts'
import { stripManagedFields } from '../kube/stripManagedFields.ts'
import { cachedFile, type FileStatusObject } from './cachedNodeStatus.ts'

export type CachedReport = KubeObject & {
  readonly report: Pick<NodeReportStatus, 'captures' | 'address' | 'port' | 'certificateFingerprint'> & { readonly reportedAt: string }
}

/** The least that the schema of crds/nodecapturereport.yaml asks for. */
export type ReportObject = KubeObject & {
  readonly report?: Partial<Omit<CachedReport['report'], 'captures'>> & { readonly captures?: readonly ReportRow[] }
}
type ReportRow = Partial<Omit<ReportedCapture, 'file'>> & { readonly file?: FileStatusObject }

export function cachedReport({ metadata, report = {} }: ReportObject): CachedReport {
  const { reportedAt = '', captures = [], address = '', port = 0, certificateFingerprint } = report
  const where = { address, port, ...(certificateFingerprint !== undefined && { certificateFingerprint }) }
  const rows = captures.filter(row => row.uid !== undefined && row.file?.state !== undefined)
  const byUid = new Map(rows.map(row => [row.uid, rowOf(row, metadata.name)]))
  return stripManagedFields({ metadata, report: { reportedAt, ...where, captures: [...byUid.values()] } })
}

function rowOf({ file: written = {}, ...row }: ReportRow, node: string): ReportedCapture {
  const empty = { api: 'PacketCapture', namespace: '', name: '', uid: '', observedGeneration: 0, problems: [] } as const
  const file = cachedFile(written)
  return { ...empty, isListed: file.endpoints.length > 0, isRejected: false, ...row, file: { ...file, node } }
}
