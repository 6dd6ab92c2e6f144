// Parses durations, sizes and times of a command line. In: the text. Out: seconds, bytes, RFC
// 3339. Refuses other text with commander's error, which names the option.
import { InvalidArgumentError } from 'commander'
import { readTime } from '../../api/packetcapture/time.ts'

const secondsOf = { s: 1, m: 60, h: 3_600, d: 86_400 } as const
const bytesOf = {
  '': 1,
  k: 1e3,
  m: 1e6,
  g: 1e9,
  t: 1e12,
  ki: 2 ** 10,
  mi: 2 ** 20,
  gi: 2 ** 30,
  ti: 2 ** 40,
} as const

/**
 * Whole seconds: "90s", "10m", "1h30m", "1.5h", "2d". A number without a unit is refused, because
 * 10 may mean minutes.
 */
export function readSeconds(text: string): number {
  const parts = (/^(\d+(\.\d+)?[smhd])+$/.test(text) && text.match(/[\d.]+[smhd]/g)) || []
  const seconds = parts.reduce(
    (sum, part) =>
      sum + Number(part.slice(0, -1)) * secondsOf[part.slice(-1) as keyof typeof secondsOf],
    0,
  )
  if (seconds > 0 && Number.isSafeInteger(seconds)) return seconds
  const unit = /^\d+$/.test(text)
    ? `Expected a duration with its unit: ${text}s, ${text}m or ${text}h?`
    : undefined
  throw new InvalidArgumentError(unit ?? 'Expected a duration, for example 90s, 10m, 1h30m or 2d.')
}

/** "1500", "64k", "10MB", "1GiB". */
export function readBytes(text: string): number {
  const [, number = '', unit = ''] = /^(\d+(?:\.\d+)?)([kmgt]?i?)b?$/i.exec(text) ?? []
  const factor = bytesOf[unit.toLowerCase() as keyof typeof bytesOf]
  const bytes = Math.round(Number(number) * factor)
  if (number !== '' && bytes > 0 && Number.isSafeInteger(bytes)) return bytes
  throw new InvalidArgumentError('Expected a size, for example 1500, 64k, 10MB or 1GiB.')
}

/** A time of day, or a duration from now. */
export type TimeOrSpan = { readonly atMs: number } | { readonly inSeconds: number }

/** RFC 3339, "now", or "+10m". */
export function readWhen(text: string): TimeOrSpan {
  if (text === 'now') return { inSeconds: 0 }
  if (text.startsWith('+')) return { inSeconds: readSeconds(text.slice(1)) }
  try {
    return { atMs: readTime(text) }
  } catch {
    throw new InvalidArgumentError(
      'Expected a time as in RFC 3339, for example 2026-08-26T12:00:00Z, or "now", or so long from now: "+10m".',
    )
  }
}

export function whenMs(when: TimeOrSpan, nowMs: number): number {
  return 'atMs' in when ? when.atMs : nowMs + when.inSeconds * 1_000
}

export function readCount(text: string): number {
  if (/^\d+$/.test(text) && Number(text) > 0 && Number.isSafeInteger(Number(text)))
    return Number(text)
  throw new InvalidArgumentError(`Expected a whole number from 1 to ${Number.MAX_SAFE_INTEGER}.`)
}

/**
 * Appends to the earlier values of an option that may be repeated or hold several values separated
 * by commas.
 */
export function readMore(text: string, before: readonly string[] = []): string[] {
  return [...before, ...text.split(',').map(each => each.trim())].filter(each => each !== '')
}
