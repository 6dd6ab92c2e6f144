// Converts wall-clock time to instants in an IANA time zone, across daylight-saving changes. Pure.
// A wall-clock time is a number: the milliseconds that the same digits would have in UTC. In autumn
// a time exists twice, in spring some do not exist: instantsOf() then follows the custom of cron.
import type { IANAZone } from 'luxon'

// Clock changes are further apart than this, and none is larger than half of it.
const nearMs = 3 * 3_600_000

export type Offsets = {
  readonly beforeMs: number
  readonly afterMs: number
  readonly minMs: number
  readonly maxMs: number
  readonly isSteady: boolean
}

/** The zone's offsets from UTC shortly before and after an instant. */
export function offsetsNear(zone: IANAZone, atMs: number): Offsets {
  const beforeMs = offsetMs(zone, atMs - nearMs)
  const afterMs = offsetMs(zone, atMs + nearMs)
  return {
    beforeMs,
    afterMs,
    minMs: Math.min(beforeMs, afterMs),
    maxMs: Math.max(beforeMs, afterMs),
    isSteady: beforeMs === afterMs,
  }
}

export function offsetsNearWall(zone: IANAZone, wallMs: number): Offsets {
  return offsetsNear(zone, wallMs - offsetMs(zone, wallMs))
}

/**
 * The instants at which the wall clock shows `wallMs`. A schedule of every hour ignores the clock
 * change: it runs twice in autumn, and not in the gap of spring. A schedule of certain hours runs
 * once a day: the first time in autumn, and in spring as much later as the clock jumped.
 */
export function instantsOf(zone: IANAZone, wallMs: number, runsEveryHour: boolean): number[] {
  const { beforeMs, afterMs, isSteady } = offsetsNearWall(zone, wallMs)
  if (isSteady) return [wallMs - beforeMs]
  const existing = [wallMs - beforeMs, wallMs - afterMs]
    .filter(atMs => atMs + offsetMs(zone, atMs) === wallMs)
    .toSorted((a, b) => a - b)
  if (existing.length === 0) return runsEveryHour ? [] : [wallMs - beforeMs]
  return runsEveryHour ? existing : existing.slice(0, 1)
}

function offsetMs(zone: IANAZone, atMs: number): number {
  return zone.offset(atMs) * 60_000
}
