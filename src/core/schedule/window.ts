// Whether a time is before, within or after a capture's window, and when that changes. Pure. In: a
// window and the time. A window is [start, end). Recurring windows are cut to it, and where they
// overlap they are one. No earlier state is used, so a clock that was set gets the answer of its
// new time.

import type { Window } from '../../model/capture.ts'
import { never } from '../../model/time.ts'
import { nextStart, previousStart } from './recurrence.ts'

export type WindowState =
  | { readonly kind: 'before'; readonly opensAtMs: number } // also between two recurring windows
  | { readonly kind: 'open'; readonly untilMs: number } // then recomputed: an overlapping window may continue
  | { readonly kind: 'after'; readonly closedAtMs: number } // -Infinity: it never was open

export function windowAt(window: Window, nowMs: number): WindowState {
  const { startMs = -never, endMs = never, schedule } = window
  if (schedule) return recurringAt({ startMs, endMs, schedule }, nowMs)
  if (nowMs >= endMs) return { kind: 'after', closedAtMs: endMs }
  return nowMs < startMs ? { kind: 'before', opensAtMs: startMs } : { kind: 'open', untilMs: endMs }
}

function recurringAt({ startMs, endMs, schedule }: Required<Window>, nowMs: number): WindowState {
  const atMs = Math.min(Math.max(nowMs, startMs), endMs - 1)
  const lastMs = previousStart(schedule, atMs)
  const untilMs = lastMs === undefined ? -never : Math.min(lastMs + schedule.durationMs, endMs)
  if (nowMs >= endMs) return { kind: 'after', closedAtMs: closedAt(untilMs, startMs) }
  if (atMs < untilMs)
    return nowMs < startMs ? { kind: 'before', opensAtMs: startMs } : { kind: 'open', untilMs }
  const nextMs = nextStart(schedule, atMs) ?? never
  return nextMs < endMs
    ? { kind: 'before', opensAtMs: nextMs }
    : { kind: 'after', closedAtMs: closedAt(untilMs, startMs) }
}

function closedAt(untilMs: number, startMs: number): number {
  return untilMs > startMs ? untilMs : -never
}
