// Reads RFC 3339 times strictly. Pure. Throws RangeError without the field's name.
import { DateTime } from 'luxon'

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
