// A clock that a test moves by hand, and a list of the requests that were sent meanwhile and are no
// mere reads, each with the time of that clock. The requests are real: time stands still until they are answered.
import { setImmediate as afterOthers } from 'node:timers/promises'
import type { Kube } from '../../src/kube/request.ts'
import type { Clock } from '../../src/runtime/clock.ts'

export type Sent = {
  readonly atMs: number
  readonly status: number | undefined
  readonly body: string
}

const stepMs = 50

export class HandClock implements Clock {
  readonly sent: Sent[] = []
  readonly #startMs: number
  readonly #sleepers = new Set<{ readonly atMs: number; readonly wake: () => void }>()
  #nowMs: number
  #pending = 0

  constructor(startMs: number) {
    this.#startMs = this.#nowMs = startMs
  }

  now(): number {
    return this.#nowMs
  }

  sleepUntil(atMs: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted || atMs <= this.#nowMs) return Promise.resolve()
    return new Promise(resolve => {
      const sleeper = {
        atMs,
        wake: () => {
          this.#sleepers.delete(sleeper)
          resolve()
        },
      }
      this.#sleepers.add(sleeper)
      signal.addEventListener('abort', sleeper.wake, { once: true })
    })
  }

  /** The same requests, noted. */
  through(kube: Kube): Kube {
    return async request => {
      const atMs = this.#nowMs - this.#startMs
      const note = (status: number | undefined) => {
        const { method = 'GET', body = '' } = request
        if (method !== 'GET') this.sent.push({ atMs, status, body })
      }
      this.#pending++
      try {
        const response = await kube(request)
        note(response.statusCode)
        return response
      } catch (error) {
        note(undefined)
        throw error
      } finally {
        this.#pending--
      }
    }
  }

  /** Lets time pass, and all that follows from it happen. */
  async pass(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms
    await this.#settle()
    while (this.#nowMs < endMs) {
      this.#nowMs = Math.min(endMs, this.#nowMs + stepMs)
      for (const { atMs, wake } of [...this.#sleepers]) if (atMs <= this.#nowMs) wake()
      await this.#settle()
    }
  }

  /**
   * As somebody sets a clock: those who sleep wake when it goes back, or when their time has come.
   */
  set(ms: number): void {
    const isBack = ms < 0
    this.#nowMs += ms
    for (const { atMs, wake } of [...this.#sleepers]) if (isBack || atMs <= this.#nowMs) wake()
  }

  async #settle(): Promise<void> {
    for (let quiet = 0; quiet < 5; quiet++) {
      await afterOthers()
      if (this.#pending > 0) quiet = 0
    }
  }
}
