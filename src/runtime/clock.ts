// The time, and sleeping until a time of day. The engine has no other timers. A sleep longer than a
// timer can hold is split. Timers count by a steady clock, so a sleep checks the wall clock each
// second: if it was set, forwards or back, the sleep ends and its caller reads the new time.
import { setTimeout } from 'node:timers/promises'
import { timerMs } from './timer.ts'

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number
  /**
   * Resolves at that time of day, when the wall clock is set back, or when the signal aborts; never
   * rejects. Infinity: only the signal or a clock set back ends it.
   */
  sleepUntil(atMs: number, signal: AbortSignal): Promise<void>
}

/** The clocks below; `steadyMs` is never set. */
export type ClockSources = {
  readonly wallMs: () => number
  readonly steadyMs: () => number
  readonly wait: (ms: number, signal: AbortSignal) => Promise<unknown>
}

const clockCheckMs = 1_000 // between two checks of the wall clock
const stepMs = 500 // a smaller difference is NTP's adjustment

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
