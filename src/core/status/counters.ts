// Counts of packets and bytes: sums that stay exact integers and never decrease. Pure.
import type { Counts } from '../../model/status.ts'

export const noCounts: Counts = Object.freeze({ packets: 0, bytes: 0, dropped: 0 })

export function addCounts(all: readonly Counts[]): Counts {
  return all.reduce(
    (sum, { packets, bytes, dropped }) => eachCount((name, value) => value + { packets, bytes, dropped }[name], sum),
    noCounts,
  )
}

/** The larger of both: a node that lost its state file does not make a count decrease. */
export function noLess(now: Counts, before: Counts | undefined): Counts {
  return eachCount((name, value) => Math.max(value, before?.[name] ?? 0), now)
}

function eachCount(change: (name: keyof Counts, value: number) => number, { packets, bytes, dropped }: Counts): Counts {
  const clamp = (value: number) => Math.min(Number.MAX_SAFE_INTEGER, Math.max(0, Math.trunc(value)))
  return { packets: clamp(change('packets', packets)), bytes: clamp(change('bytes', bytes)), dropped: clamp(change('dropped', dropped)) }
}
