// From when to when exactly the packets of a capture are wanted: drivers tell by a packet's time. In: a window and a time at
// which it is open. Out: the stretch that time lies in, and when to ask again, where its end is not to be seen yet.
// Recurring windows that touch or overlap are one stretch. An end of it that lies far off, beyond other starts, is left out:
// a window of an hour each minute has none that could be walked to.
import type { Window } from '../../model/capture.ts'
import type { TapWindow } from '../../model/tapWindow.ts'
import { nextStart, previousStart } from './recurrence.ts'

type Span = { readonly window: TapWindow; readonly lookAtMs: number }

const never = Number.POSITIVE_INFINITY
const sightMs = 10_000

export function spanAt(window: Window, atMs: number): Span {
  const { startMs = -never, endMs = never, schedule } = window
  const lastMs = schedule && previousStart(schedule, atMs)
  if (!schedule || lastMs === undefined) return { window: spanOf(startMs, endMs), lookAtMs: never }
  const recurring = { startMs, endMs, schedule }
  const { untilMs, lookAtMs } = endOf(recurring, lastMs, atMs)
  return { window: spanOf(beginOf(recurring, lastMs, atMs), untilMs), lookAtMs }
}

type Recurring = Required<Window>

function beginOf({ startMs, schedule }: Recurring, lastMs: number, atMs: number): number {
  for (let firstMs = lastMs; firstMs > startMs; ) {
    const beforeMs = previousStart(schedule, firstMs - 1)
    if (beforeMs === undefined || beforeMs + schedule.durationMs < firstMs) return firstMs
    if (beforeMs < atMs - sightMs) return -never
    firstMs = beforeMs
  }
  return startMs
}

function endOf({ endMs, schedule }: Recurring, lastMs: number, atMs: number): { readonly untilMs: number; readonly lookAtMs: number } {
  for (let fromMs = lastMs; ; ) {
    const untilMs = fromMs + schedule.durationMs
    if (untilMs >= endMs) return { untilMs: endMs, lookAtMs: never }
    const nextMs = nextStart(schedule, fromMs)
    if (nextMs === undefined || nextMs > untilMs) return { untilMs, lookAtMs: never }
    if (untilMs > atMs + sightMs) return { untilMs: never, lookAtMs: untilMs - sightMs / 2 }
    fromMs = nextMs
  }
}

function spanOf(fromMs: number, untilMs: number): TapWindow {
  return { ...(Number.isFinite(fromMs) && { fromMs }), ...(Number.isFinite(untilMs) && { untilMs }) }
}
