// A node's report as the controller keeps it. In: the object as the schema let it through, which asks for little. Out: every field
// is there and each capture has one row, so that what one node writes, of whatever version or intent, stops nobody's status.
import type { Report, ReportedCapture } from '../core/status/nodeReport.ts'
import type { KubeObject } from '../kube/informer.ts'
import { withoutManaged } from '../kube/stripManagedFields.ts'
import { listedFile, type WrittenFile } from './cachedNodeStatus.ts'

export type ListedReport = KubeObject & {
  readonly report: Pick<Report, 'captures' | 'address' | 'port' | 'certificateFingerprint'> & { readonly reportedAt: string }
}

/** The least that the schema of crds/nodecapturereport.yaml asks for. */
export type WrittenReport = KubeObject & {
  readonly report?: Partial<Omit<ListedReport['report'], 'captures'>> & { readonly captures?: readonly WrittenRow[] }
}
type WrittenRow = Partial<Omit<ReportedCapture, 'file'>> & { readonly file?: WrittenFile }

export function listedReport({ metadata, report = {} }: WrittenReport): ListedReport {
  const { reportedAt = '', captures = [], address = '', port = 0, certificateFingerprint } = report
  const where = { address, port, ...(certificateFingerprint !== undefined && { certificateFingerprint }) }
  const rows = captures.filter(row => row.uid !== undefined && row.file?.state !== undefined)
  const byUid = new Map(rows.map(row => [row.uid, rowOf(row, metadata.name)]))
  return withoutManaged({ metadata, report: { reportedAt, ...where, captures: [...byUid.values()] } })
}

function rowOf({ file: written = {}, ...row }: WrittenRow, node: string): ReportedCapture {
  const empty = { api: 'PacketCapture', namespace: '', name: '', uid: '', observedGeneration: 0, problems: [] } as const
  const file = listedFile(written)
  return { ...empty, isListed: file.endpoints.length > 0, isRejected: false, ...row, file: { ...file, node } }
}
