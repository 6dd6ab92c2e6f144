// How often a status is written: at once for a few nodes, less often for many, because a write is
// as long as the number of nodes. Pure. In: the written status of any API, the new one. Out: when
// the new one may be written.
import { isDeepStrictEqual } from 'node:util'
import { sameButCounts } from '../core/status/counters.ts'

const perNodeMs = { state: 5, counts: 20 } as const
const mostMs = { state: 10_000, counts: 60_000 } as const
const leastMs = { state: 0, counts: 1_000 } as const

type ThrottledStatus = { readonly files?: readonly unknown[]; readonly captureFiles?: object }

export type ThrottleTimes = { readonly writtenAtMs: number; readonly nowMs: number }

/**
 * Infinity: there is nothing to write. A last write in the future, after the clock was set back,
 * delays nothing.
 */
export function nextWriteAtMs(
  written: object | undefined,
  now: object,
  { writtenAtMs, nowMs }: ThrottleTimes,
): number {
  if (isDeepStrictEqual(written, now)) return Number.POSITIVE_INFINITY
  if (writtenAtMs > nowMs) return nowMs
  const kind = sameButCounts(written, now) ? 'counts' : 'state'
  return (
    writtenAtMs + Math.min(mostMs[kind], Math.max(leastMs[kind], nodesOf(now) * perNodeMs[kind]))
  )
}

/** The number of nodes that a status lists. */
export function nodesOf(status: object | undefined): number {
  const { files, captureFiles } = (status ?? {}) as ThrottledStatus
  return files?.length ?? Object.keys(captureFiles ?? {}).length
}

/** How often a capture on so many nodes is reconciled: folding costs as much as writing. */
export function writeIntervalMs(nodes: number): number {
  return Math.min(mostMs.state, nodes * perNodeMs.state)
}
