// Reads recurring schedules strictly; core/schedule/recurrence.ts says when one begins. Pure. Throws
// RangeError that names `cron` or `timeZone`.
import { CronExpressionParser } from 'cron-parser'
import { IANAZone } from 'luxon'
import type { Window } from '../../model/capture.ts'

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
