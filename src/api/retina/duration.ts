// Reads a duration as Go writes it ("1h30m", "1.5s", "500ms"). Pure. Out: milliseconds, rounded up,
// so that a short duration does not become no limit. Throws RangeError without the field's name.

const units: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
}
const part = /(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g
const longestMs = 100 * 365 * 24 * 3_600_000

export function readGoDuration(text: string): number {
  if (!/^(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+$/.test(text))
    throw new RangeError(
      `found ${JSON.stringify(text)}, expected a duration above zero, for example "1m30s"`,
    )
  const sumMs = Array.from(
    text.matchAll(part),
    ([, amount, unit = '']) => Number(amount) * (units[unit] ?? 0),
  ).reduce((a, b) => a + b, 0)
  const ms = Math.ceil(Number(sumMs.toFixed(6))) // to the nanosecond: 0.1 + 0.2 must not be one more
  if (ms < 1 || ms > longestMs)
    throw new RangeError(
      `found ${JSON.stringify(text)}, expected a duration above zero and below a hundred years`,
    )
  return ms
}
