// Formats a span of time as kubectl prints ages: two units while the first is small, one unit when
// it is large. Pure.

const units = { s: 1, m: 60, h: 3_600, d: 86_400, y: 31_536_000 } as const
type AgeUnit = keyof typeof units

// For spans below this number of seconds: the unit, and the smaller unit beside it.
const scale: readonly (readonly [secondsBelow: number, unit: AgeUnit, beside?: AgeUnit])[] = [
  [2 * units.m, 's'],
  [10 * units.m, 'm', 's'],
  [3 * units.h, 'm'],
  [8 * units.h, 'h', 'm'],
  [48 * units.h, 'h'],
  [8 * units.d, 'd', 'h'],
  [2 * units.y, 'd'],
  [8 * units.y, 'y', 'd'],
  [Number.POSITIVE_INFINITY, 'y'],
]

export function ageOf(spanMs: number): string {
  // A clock behind the API server's would give a negative age.
  const seconds = Math.max(0, Math.trunc(spanMs / 1_000))
  const [, unit, beside] = scale.find(([secondsBelow]) => seconds < secondsBelow) ?? [0, 'y']
  const large = `${Math.floor(seconds / units[unit])}${unit}`
  const small = beside ? Math.floor((seconds % units[unit]) / units[beside]) : 0
  return small > 0 ? `${large}${small}${beside}` : large
}
