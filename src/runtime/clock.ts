// The time, and sleeping until a time of day. The only timers of the engine are here.
// A sleep that lies further away than a timer can hold is cut into short ones; a wall clock that is set, forwards or back, is
// noticed within a second, since a timer counts by another clock: whoever sleeps is woken and looks at the new time.
import { setTimeout } from 'node:timers/promises'
import { timerMs } from './timer.ts'

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number
  /**
   * Resolves at that time of day, when the wall clock was set back, or when the signal aborts; never rejects.
   * Infinity: only the signal or such a step ends it.
   */
  sleepUntil(atMs: number, signal: AbortSignal): Promise<void>
}

/** What a clock is made of; `steadyMs` never steps. */
export type ClockSources = {
  readonly wallMs: () => number
  readonly steadyMs: () => number
  readonly wait: (ms: number, signal: AbortSignal) => Promise<unknown>
}

const clockCheckMs = 1_000 // how late a step of the wall clock may be noticed
const stepMs = 500 // less is a clock that is kept right, not one that is set

export function clockOf({ wallMs, steadyMs, wait }: ClockSources): Clock {
  return {
    now: wallMs,
    async sleepUntil(atMs, signal) {
      let isSetBack = false
      while (!signal.aborted && wallMs() < atMs && !isSetBack) {
        const offsetMs = wallMs() - steadyMs()
        const ms = timerMs(Math.min(atMs, wallMs() + clockCheckMs), wallMs()) ?? clockCheckMs
        await wait(ms, signal).catch(() => {}) // aborted: the loop ends
        isSetBack = wallMs() - steadyMs() < offsetMs - stepMs
      }
    },
  }
}

export const systemClock: Clock = clockOf({
  wallMs: () => Date.now(),
  steadyMs: () => performance.now(),
  wait: (ms, signal) => setTimeout(ms, undefined, { signal }),
})
