// The time, and sleeping until a time of day. The only timers of the engine are here.
// A sleep that lies further away than a timer can hold is cut; a wall clock that is set, forwards or back, is noticed
// within a second, since a timer counts by another clock.
import { setTimeout } from 'node:timers/promises'
import { timerMs } from './schedule/timer.ts'

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number
  /** Resolves at that time of day, or when the signal aborts; never rejects. Infinity: only the signal ends it. */
  sleepUntil(atMs: number, signal: AbortSignal): Promise<void>
}

const lookMs = 1_000 // how late a step of the wall clock may be noticed

export const systemClock: Clock = {
  now: () => Date.now(),
  async sleepUntil(atMs, signal) {
    while (!signal.aborted && Date.now() < atMs) {
      const ms = timerMs(Math.min(atMs, Date.now() + lookMs), Date.now())
      await setTimeout(ms, undefined, { signal }).catch(() => {}) // aborted: the loop ends
    }
  },
}
