// Reads RFC 3339 times and recurring schedules strictly. Pure. Throws RangeError without the
// field's name.
import { CronExpressionParser } from 'cron-parser'
import { DateTime, IANAZone } from 'luxon'
import type { Window } from '../../model/capture.ts'

const rfc3339 =
  /^\d{4}-\d{2}-\d{2}[Tt]([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)$/
const leapSecond = /[Tt]\d{2}:\d{2}:60/

/** Milliseconds since the epoch. */
export function readTime(value: unknown): number {
  const text = typeof value === 'string' ? value : ''
  const time = rfc3339.test(text)
    ? DateTime.fromISO(text.toUpperCase(), { setZone: true })
    : undefined
  if (time?.isValid) return time.toMillis()
  const detail = leapSecond.test(text) ? '; leap seconds cannot be told' : ''
  throw new RangeError(
    `found ${JSON.stringify(value) ?? String(value)}, expected a time as in RFC 3339, for example "2026-08-26T12:00:00Z"${detail}`,
  )
}

/** Five fields, minutes first, in a time zone of the IANA database. */
export function readSchedule(
  cron: unknown,
  timeZone: unknown,
  durationSeconds: number,
): NonNullable<Window['schedule']> {
  const zone = timeZone === undefined || timeZone === null ? 'UTC' : timeZone
  if (typeof zone !== 'string' || !IANAZone.isValidZone(zone))
    throw new RangeError(
      `timeZone: found ${JSON.stringify(zone)}, expected a name of the IANA database, for example "Europe/Berlin"`,
    )
  if (typeof cron !== 'string' || cron.trim().split(/\s+/).length !== 5)
    throw new RangeError(
      `cron: found ${JSON.stringify(cron)}, expected five fields: minute, hour, day of month, month, day of week; for @daily write 0 0 * * *`,
    )
  try {
    CronExpressionParser.parse(cron, { tz: zone })
  } catch (error) {
    throw new RangeError(
      `cron: found "${cron}", which is no schedule: ${(error as Error).message}`,
      { cause: error },
    )
  }
  return { cron, timeZone: zone, durationMs: durationSeconds * 1_000 }
}
