// Whose packets a tap takes: those whose time, as the kernel took it, is fromMs or later and before untilMs. Missing: no such end.
// A capture's limit in time ends it too, once it is known when that began to run.

export type TapWindow = { readonly fromMs?: number; readonly untilMs?: number }

export function isWithin({ fromMs = Number.NEGATIVE_INFINITY, untilMs = Number.POSITIVE_INFINITY }: TapWindow, atMs: number): boolean {
  return fromMs <= atMs && atMs < untilMs
}

/** `beganAtMs`: when the capture first was open on this node; undefined: not yet. */
export function cutByLimit(window: TapWindow, beganAtMs: number | undefined, durationMs: number | undefined): TapWindow {
  if (beganAtMs === undefined || durationMs === undefined) return window
  return { ...window, untilMs: Math.min(window.untilMs ?? Number.POSITIVE_INFINITY, beganAtMs + durationMs) }
}

export function sameWindow(one: TapWindow, other: TapWindow): boolean {
  return one.fromMs === other.fromMs && one.untilMs === other.untilMs
}
