// What a status says, in the form in which it is audited. In: the element of one node. Out: a claim.
import type { FileStatus } from '../../src/model/status.ts'
import type { CaptureClaim } from './target.ts'

export function claimOf(uid: string, file: FileStatus): CaptureClaim {
  const rows = file.endpoints.map(({ pod, packets, dropped, lost = 0, gaps, state, message }) => {
    const told = gaps.map(({ from, to, reason }) => ({
      fromMs: Date.parse(from),
      toMs: to === undefined ? undefined : Date.parse(to),
      reason,
    }))
    return [pod, { packets, dropped, lost, gaps: told, state, message }] as const
  })
  return { uid, rows: new Map(rows) }
}
