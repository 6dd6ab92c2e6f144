// The span of time from which a capture's packets are wanted: drivers compare it with a packet's
// time. Pure. In: a window, and a time at which it is open. Out: the span around that time, and
// when to recompute it if its end is not known yet. Recurring windows that touch or overlap form
// one span. Its end is left out when it lies beyond other starts: windows of an hour that start
// each minute have no end that could be computed.

import type { Window } from '../../model/capture.ts'
import type { TapWindow } from '../../model/tapWindow.ts'
import { never } from '../../model/time.ts'
import { nextStart, previousStart } from './recurrence.ts'

type Span = { readonly window: TapWindow; readonly wakeAtMs: number }

const horizonMs = 10_000

export function spanAt(window: Window, atMs: number): Span {
  const { startMs = -never, endMs = never, schedule } = window
  const lastMs = schedule && previousStart(schedule, atMs)
  if (!schedule || lastMs === undefined) return { window: spanOf(startMs, endMs), wakeAtMs: never }
  const recurring = { startMs, endMs, schedule }
  const { untilMs, wakeAtMs } = endOf(recurring, lastMs, atMs)
  return { window: spanOf(beginOf(recurring, lastMs, atMs), untilMs), wakeAtMs }
}

type Recurring = Required<Window>

function beginOf({ startMs, schedule }: Recurring, lastMs: number, atMs: number): number {
  for (let firstMs = lastMs; firstMs > startMs; ) {
    const beforeMs = previousStart(schedule, firstMs - 1)
    if (beforeMs === undefined || beforeMs + schedule.durationMs < firstMs) return firstMs
    if (beforeMs < atMs - horizonMs) return -never
    firstMs = beforeMs
  }
  return startMs
}

function endOf(
  { endMs, schedule }: Recurring,
  lastMs: number,
  atMs: number,
): { readonly untilMs: number; readonly wakeAtMs: number } {
  for (let fromMs = lastMs; ; ) {
    const untilMs = fromMs + schedule.durationMs
    if (untilMs >= endMs) return { untilMs: endMs, wakeAtMs: never }
    const nextMs = nextStart(schedule, fromMs)
    if (nextMs === undefined || nextMs > untilMs) return { untilMs, wakeAtMs: never }
    if (untilMs > atMs + horizonMs) return { untilMs: never, wakeAtMs: untilMs - horizonMs / 2 }
    fromMs = nextMs
  }
}

function spanOf(fromMs: number, untilMs: number): TapWindow {
  return {
    ...(Number.isFinite(fromMs) && { fromMs }),
    ...(Number.isFinite(untilMs) && { untilMs }),
  }
}
