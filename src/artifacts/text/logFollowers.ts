// Prints packets to the log while their captures run: one follower a capture. In: after each turn,
// the running captures whose packets are to be printed. Out: lines in the log. Retries with
// exponential backoff. singleFile.ts prints what remains when a capture is over.

import { doubledMs } from '../../model/backoff.ts'
import type { FollowedCapture } from '../../model/decision.ts'
import { isExpected } from '../../model/errors.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Logger } from '../../runtime/log.ts'
import type { LinePrinter } from './stdoutWriter.ts'

export type LogFollowerDeps = {
  readonly clock: Clock
  readonly log: Logger
  readonly folderOf: (key: string, uid: string) => string | undefined // of the capture's files; undefined before a tap is open
  readonly print: LinePrinter
}

type LogFollower = { readonly stop: AbortController; readonly ended: Promise<void> }

const pollIntervalMs = 200
const quietMs = 30_000 // without a packet, until tcpdump is ended
const retryDelayMs = { first: 1_000, most: 60_000 } as const

export class LogFollowers implements AsyncDisposable {
  readonly #deps: LogFollowerDeps
  readonly #followers = new Map<string, LogFollower>() // by uid

  constructor(deps: LogFollowerDeps) {
    this.#deps = deps
  }

  /** Follows these captures and stops following all others. */
  follow(captures: readonly FollowedCapture[]): void {
    const wanted = new Set(captures.map(({ capture }) => capture.uid))
    for (const [uid, { stop }] of this.#followers) if (!wanted.has(uid)) stop.abort()
    for (const followed of captures)
      if (!this.#followers.has(followed.capture.uid)) this.#begin(followed)
  }

  /** Resolves when the capture's follower has ended. */
  async stop(uid: string): Promise<void> {
    const follower = this.#followers.get(uid)
    follower?.stop.abort()
    await follower?.ended
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#followers.keys()].map(uid => this.stop(uid)))
  }

  #begin(followed: FollowedCapture): void {
    const { uid } = followed.capture
    const stop = new AbortController()
    this.#followers.set(uid, {
      stop,
      ended: this.#run(followed, stop.signal).finally(() => this.#followers.delete(uid)),
    })
  }

  async #run({ key, capture }: FollowedCapture, signal: AbortSignal): Promise<void> {
    const { clock, log, folderOf, print } = this.#deps
    const { printPackets } = await import('./printPackets.ts') // loaded when it is needed, to save an agent's memory
    let failures = 0 // in a row
    const counted: LinePrinter = async (...text) => {
      await print(...text)
      failures = 0
    }
    const onUnsaved = (error: string) => log.warn({ capture: key, error }, 'print offset not saved')
    while (!signal.aborted) {
      const folder = folderOf(key, capture.uid)
      try {
        if (folder !== undefined)
          await printPackets({ folder, print: counted, signal, onUnsaved }, { clock, quietMs })
      } catch (error) {
        if (!isExpected(error)) throw error
        if (signal.aborted || folderOf(key, capture.uid) === undefined) continue
        if (failures++ === 0)
          log.warn({ capture: key, error: error.message }, 'packets not printed, tried again')
      }
      const waitMs = failures === 0 ? pollIntervalMs : doubledMs(failures, retryDelayMs)
      await clock.sleepUntil(clock.now() + waitMs, signal)
    }
  }
}
