// The window of a tap: it keeps packets whose kernel timestamp is fromMs or later and before
// untilMs. Missing: unbounded. A capture's duration limit ends the window too, once its start is
// known.

export type TapWindow = { readonly fromMs?: number; readonly untilMs?: number }

export function isWithin(
  { fromMs = Number.NEGATIVE_INFINITY, untilMs = Number.POSITIVE_INFINITY }: TapWindow,
  atMs: number,
): boolean {
  return fromMs <= atMs && atMs < untilMs
}

/** `beganAtMs`: when the capture first opened on this node; undefined: not yet. */
export function cutByLimit(
  window: TapWindow,
  beganAtMs: number | undefined,
  durationMs: number | undefined,
): TapWindow {
  if (beganAtMs === undefined || durationMs === undefined) return window
  return {
    ...window,
    untilMs: Math.min(window.untilMs ?? Number.POSITIVE_INFINITY, beganAtMs + durationMs),
  }
}

export function sameWindow(one: TapWindow, other: TapWindow): boolean {
  return one.fromMs === other.fromMs && one.untilMs === other.untilMs
}
