// How long one timer may sleep towards a time that may lie further away than a timer can hold.
// Whoever sleeps looks at the clock again afterwards: the timer may have been cut, or the clock set.
export const timerMsMax = 2 ** 31 - 1

/** Milliseconds for one setTimeout; undefined: nothing to wait for. */
export function timerMs(wakeAtMs: number, nowMs: number): number | undefined {
  if (wakeAtMs === Number.POSITIVE_INFINITY) return undefined
  // Rounded up: a timer that fires a fraction early would look at the clock for nothing.
  return Math.min(timerMsMax, Math.max(0, Math.ceil(wakeAtMs - nowMs)))
}
