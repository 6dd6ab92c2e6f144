// A node's report as the controller caches it. In: the object as the schema allowed it, which
// requires little. Out: a report with every field and one row a capture, so that a report of
// another version, or a hostile one, breaks no other node's status.
import type { NodeReportStatus, ReportedCapture } from '../core/status/nodeReport.ts'
import type { KubeObject } from '../kube/informer.ts'
import { stripManagedFields } from '../kube/stripManagedFields.ts'
import { cachedFile, type FileStatusObject } from './cachedNodeStatus.ts'

export type CachedReport = KubeObject & {
  readonly report: Pick<
    NodeReportStatus,
    'captures' | 'address' | 'port' | 'certificateFingerprint'
  > & { readonly reportedAt: string }
}

/** What the schema of crds/nodecapturereport.yaml requires. */
export type ReportObject = KubeObject & {
  readonly report?: Partial<Omit<CachedReport['report'], 'captures'>> & {
    readonly captures?: readonly ReportRow[]
  }
}
type ReportRow = Partial<Omit<ReportedCapture, 'file'>> & { readonly file?: FileStatusObject }

export function cachedReport({ metadata, report = {} }: ReportObject): CachedReport {
  const { reportedAt = '', captures = [], address = '', port = 0, certificateFingerprint } = report
  const where = {
    address,
    port,
    ...(certificateFingerprint !== undefined && { certificateFingerprint }),
  }
  const rows = captures.filter(row => row.uid !== undefined && row.file?.state !== undefined)
  const byUid = new Map(rows.map(row => [row.uid, rowOf(row, metadata.name)]))
  return stripManagedFields({
    metadata,
    report: { reportedAt, ...where, captures: [...byUid.values()] },
  })
}

function rowOf({ file: written = {}, ...row }: ReportRow, node: string): ReportedCapture {
  const empty = {
    api: 'PacketCapture',
    namespace: '',
    name: '',
    uid: '',
    observedGeneration: 0,
    problems: [],
  } as const
  const file = cachedFile(written)
  return {
    ...empty,
    isListed: file.endpoints.length > 0,
    isRejected: false,
    ...row,
    file: { ...file, node },
  }
}
