// Per-user concurrency and rate limits, so that one user cannot starve the others. Pure but for its
// memory. In: a user's name and the time. Out: a permit, to be returned; or how long to wait, and
// why.
import type { RateLimitReason } from '../model/codes.ts'

export type RateLimits = {
  readonly atOncePerUser: number
  readonly atOnce: number
  readonly perMinute: number
}

export type Permit =
  | { readonly leave: () => void }
  | { readonly waitSeconds: number; readonly reason: RateLimitReason }

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
    const requests = this.#users.get(user) ?? { open: 0, times: [] }
    requests.times = requests.times.filter(atMs => atMs <= nowMs && nowMs - atMs < 60_000)
    if (requests.open >= atOncePerUser) return { waitSeconds: 5, reason: 'TooManyOfUser' }
    if (this.#open >= atOnce) return { waitSeconds: 5, reason: 'TooManyOfAll' }
    const [oldest = nowMs] = requests.times
    if (requests.times.length >= perMinute)
      return {
        waitSeconds: Math.max(1, Math.ceil((oldest + 60_000 - nowMs) / 1_000)),
        reason: 'TooOften',
      }
    requests.times.push(nowMs)
    requests.open++
    this.#open++
    this.#users.set(user, requests)
    this.#removeIdle(nowMs)
    let isOpen = true
    return {
      leave: () => {
        if (!isOpen) return
        isOpen = false
        requests.open--
        this.#open--
      },
    }
  }

  #removeIdle(nowMs: number): void {
    if (this.#users.size < 1_000) return
    for (const [user, { open, times }] of this.#users)
      if (open === 0 && times.every(atMs => nowMs - atMs >= 60_000)) this.#users.delete(user)
  }
}
