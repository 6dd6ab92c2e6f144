// What a capture wants uploaded, of each node that reports something of it and can be asked. Pure.
import type { Intent } from '../../model/capture.ts'
import type { FileStatus, PacketCaptureStatus } from '../../status/types.ts'
import type { ListedReport } from '../listedReport.ts'
import type { NodeRow } from '../verdict.ts'
import type { NodeWish, UploadWish } from './wish.ts'

export function wishOf(
  { capture, createdAtMs, generation, output = { stores: [], isCleanedUp: false } }: Intent,
  rows: readonly NodeRow[],
  reports: readonly ListedReport[],
  previous: object | undefined,
): UploadWish {
  const places = new Map(reports.map(({ metadata: { name: node }, report }) => [node, { ...report, node }]))
  const before = (previous as Partial<PacketCaptureStatus> | undefined)?.files ?? []
  const known = new Map(before.map((file: FileStatus) => [file.node, file.uploads ?? []]))
  const nodes = rows.flatMap(({ row, silentSinceMs }): NodeWish[] => {
    const { node, fileNames, state } = row.file
    const place = places.get(node)
    if (!place?.certificateFingerprint || silentSinceMs !== undefined || !row.isListed || fileNames.length === 0) return []
    const { address, port, certificateFingerprint } = place
    const isFinished = state === 'Finished' && row.observedGeneration === generation
    return [{ node, place: { node, address, port, certificateFingerprint }, fileNames, isFinished, known: known.get(node) ?? [] }]
  })
  return { capture, createdAtMs, generation, output, nodes }
}
