// How often a status is written: at once for a handful of nodes, less often the more of them there are, since each write
// is as long as there are nodes. Pure. In: a status of any kind, as written and as it is. Out: when the next one may go.
import { isDeepStrictEqual } from 'node:util'
import { withoutPacketCounts } from '../model/text.ts'

const perNodeMs = { state: 5, counts: 20 } as const
const mostMs = { state: 10_000, counts: 60_000 } as const
const leastMs = { state: 0, counts: 1_000 } as const

type ThrottledStatus = { readonly files?: readonly unknown[]; readonly captureFiles?: object }

export type ThrottleTimes = { readonly writtenAtMs: number; readonly nowMs: number }

/** Not before this time; Infinity: there is nothing to write. A time in the future, of a clock that was set back, holds nothing up. */
export function nextWriteAtMs(written: object | undefined, now: object, { writtenAtMs, nowMs }: ThrottleTimes): number {
  if (isDeepStrictEqual(written, now)) return Number.POSITIVE_INFINITY
  if (writtenAtMs > nowMs) return nowMs
  const kind = isDeepStrictEqual(withoutCounts(written), withoutCounts(now)) ? 'counts' : 'state'
  return writtenAtMs + Math.min(mostMs[kind], Math.max(leastMs[kind], nodesOf(now) * perNodeMs[kind]))
}

/** Nodes that a status tells of one by one. */
export function nodesOf(status: object | undefined): number {
  const { files, captureFiles } = (status ?? {}) as ThrottledStatus
  return files?.length ?? Object.keys(captureFiles ?? {}).length
}

/** How often a capture on so many nodes is looked at: folding costs as much as writing. */
export function writeIntervalMs(nodes: number): number {
  return Math.min(mostMs.state, nodes * perNodeMs.state)
}

// File names go with the counts: a busy capture rotates as it counts.
const countsOf: readonly string[] = ['packets', 'bytes', 'dropped', 'fileNames']

function withoutCounts(status: object | undefined): unknown {
  return JSON.parse(
    JSON.stringify(status ?? null, (name, value) => {
      if (countsOf.includes(name)) return undefined
      return name === 'message' ? withoutPacketCounts(value as string) : value
    }),
  )
}
