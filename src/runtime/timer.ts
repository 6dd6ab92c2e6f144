// The delay of one timer towards a time that may be further away than a timer can hold.
// The caller reads the clock again afterwards: the delay may be shortened, or the clock set.
export const timerMsMax = 2 ** 31 - 1

/** Milliseconds for one setTimeout; undefined: nothing to wait for. */
export function timerMs(wakeAtMs: number, nowMs: number): number | undefined {
  if (wakeAtMs === Number.POSITIVE_INFINITY) return undefined
  // Rounded up: a timer that fires a fraction early would only be set again.
  return Math.min(timerMsMax, Math.max(0, Math.ceil(wakeAtMs - nowMs)))
}
