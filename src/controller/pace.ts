// How often a status is written: at once for a handful of nodes, less often the more of them there are, since each write
// is as long as there are nodes. Pure. In: the status as written and as it is. Out: when the next one may go.
import type { PacketCaptureStatus } from '../status/types.ts'

const perNodeMs = { state: 5, counts: 20 } as const
const mostMs = { state: 10_000, counts: 60_000 } as const
const leastMs = { state: 0, counts: 1_000 } as const

/** Not before this time; Infinity: there is nothing to write. */
export function dueAtMs(written: PacketCaptureStatus | undefined, now: PacketCaptureStatus, writtenAtMs: number): number {
  if (JSON.stringify(written) === JSON.stringify(now)) return Number.POSITIVE_INFINITY
  const kind = JSON.stringify(withoutCounts(written)) === JSON.stringify(withoutCounts(now)) ? 'counts' : 'state'
  return writtenAtMs + Math.min(mostMs[kind], Math.max(leastMs[kind], now.files.length * perNodeMs[kind]))
}

function withoutCounts(status: PacketCaptureStatus | undefined): unknown {
  return JSON.parse(JSON.stringify(status ?? null, (name, value) => (['packets', 'bytes', 'dropped'].includes(name) ? undefined : value)))
}
