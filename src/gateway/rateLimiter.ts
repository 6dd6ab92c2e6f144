// How much at once, and how often, one user may ask: so that nobody keeps the others from their files. Pure but for its memory.
// In: a user's name and the time. Out: a place, to be given back; or how long to wait.
import type { RateLimitReason } from '../model/codes.ts'

export type RateLimits = { readonly atOncePerUser: number; readonly atOnce: number; readonly perMinute: number }

export type Permit = { readonly leave: () => void } | { readonly waitSeconds: number; readonly reason: RateLimitReason }

type UserRequests = { open: number; times: number[] }

export class RateLimiter {
  readonly #limits: RateLimits
  readonly #users = new Map<string, UserRequests>()
  #open = 0

  constructor(limits: RateLimits) {
    this.#limits = limits
  }

  admit(user: string, nowMs: number): Permit {
    const { atOncePerUser, atOnce, perMinute } = this.#limits
    const visits = this.#users.get(user) ?? { open: 0, times: [] }
    visits.times = visits.times.filter(atMs => atMs <= nowMs && nowMs - atMs < 60_000)
    if (visits.open >= atOncePerUser) return { waitSeconds: 5, reason: 'TooManyOfUser' }
    if (this.#open >= atOnce) return { waitSeconds: 5, reason: 'TooManyOfAll' }
    const [oldest = nowMs] = visits.times
    if (visits.times.length >= perMinute)
      return { waitSeconds: Math.max(1, Math.ceil((oldest + 60_000 - nowMs) / 1_000)), reason: 'TooOften' }
    visits.times.push(nowMs)
    visits.open++
    this.#open++
    this.#users.set(user, visits)
    this.#forget(nowMs)
    let isIn = true
    return {
      leave: () => {
        if (!isIn) return
        isIn = false
        visits.open--
        this.#open--
      },
    }
  }

  #forget(nowMs: number): void {
    if (this.#users.size < 1_000) return
    for (const [user, { open, times }] of this.#users)
      if (open === 0 && times.every(atMs => nowMs - atMs >= 60_000)) this.#users.delete(user)
  }
}
