// The starts of a recurring window: the last one up to a time, and the next one after it. Pure. In:
// a cron expression and a time zone. Out: instants. cron-parser walks the wall clock as if it were
// UTC, and timeZone.ts converts wall-clock times to instants: the package's own walk across a clock
// change contradicts itself. The work is one step of cron, and an hour of steps on days with a
// clock change.
import { type CronExpression, CronExpressionParser } from 'cron-parser'
import { IANAZone } from 'luxon'
import { instantsOf, offsetsNear, offsetsNearWall } from './timeZone.ts'

export type Recurrence = { readonly cron: string; readonly timeZone: string }

/** The latest start at or before `nowMs`; undefined if there is none. */
export function previousStart({ cron, timeZone }: Recurrence, nowMs: number): number | undefined {
  const zone = IANAZone.create(timeZone)
  const walk = walkFrom(cron, nowMs + offsetsNear(zone, nowMs).maxMs + 1)
  for (let found: number | undefined; ; ) {
    const wallMs = stepOf(() => walk.prev())
    if (wallMs === undefined) return found
    const { minMs, isSteady } = offsetsNearWall(zone, wallMs)
    if (found !== undefined && wallMs - minMs < found) return found // no earlier wall-clock time can be a later instant
    const past = instantsOf(zone, wallMs, runsEveryHour(walk)).filter(atMs => atMs <= nowMs)
    if (past.length > 0) found = Math.max(found ?? Number.NEGATIVE_INFINITY, ...past)
    if (found !== undefined && isSteady) return found
  }
}

/** The earliest start after `nowMs`; undefined if there is none. */
export function nextStart({ cron, timeZone }: Recurrence, nowMs: number): number | undefined {
  const zone = IANAZone.create(timeZone)
  const walk = walkFrom(cron, nowMs + offsetsNear(zone, nowMs).minMs)
  for (let found: number | undefined; ; ) {
    const wallMs = stepOf(() => walk.next())
    if (wallMs === undefined) return found
    const { maxMs, isSteady } = offsetsNearWall(zone, wallMs)
    if (found !== undefined && wallMs - maxMs > found) return found // no later wall-clock time can be an earlier instant
    const coming = instantsOf(zone, wallMs, runsEveryHour(walk)).filter(atMs => atMs > nowMs)
    if (coming.length > 0) found = Math.min(found ?? Number.POSITIVE_INFINITY, ...coming)
    if (found !== undefined && isSteady) return found
  }
}

function walkFrom(cron: string, wallMs: number): CronExpression {
  return CronExpressionParser.parse(cron, { tz: 'UTC', currentDate: new Date(wallMs) })
}

function runsEveryHour(walk: CronExpression): boolean {
  return walk.fields.hour.values.length === 24
}

// An expression that parses may name no day at all (30 February): the package then throws, which
// means that there is no start.
function stepOf(step: () => { getTime(): number }): number | undefined {
  try {
    return step().getTime()
  } catch {
    return undefined
  }
}
