// Prints packets into the log while their captures run: one printer a capture, begun and ended as the turns say. In: the captures
// under way whose packets are to be printed. What fails is tried again, less and less often; what is left when a capture is over is
// printed like a file is made (singleFile.ts), and counts its attempts there.

import { doubledMs } from '../../model/backoff.ts'
import type { FollowedCapture } from '../../model/decision.ts'
import { isExpected } from '../../model/errors.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Logger } from '../../runtime/log.ts'
import type { LinePrinter } from './stdoutWriter.ts'

export type LogFollowerDeps = {
  readonly clock: Clock
  readonly log: Logger
  readonly folderOf: (key: string, uid: string) => string | undefined // of the capture's files; none before a tap is open
  readonly print: LinePrinter
}

type LogFollower = { readonly stop: AbortController; readonly ended: Promise<void> }

const pollIntervalMs = 200
const quietMs = 30_000 // tcpdump waits that long for another packet
const retryDelayMs = { first: 1_000, most: 60_000 } as const

export class LogFollowers implements AsyncDisposable {
  readonly #parts: LogFollowerDeps
  readonly #printers = new Map<string, LogFollower>() // by uid

  constructor(parts: LogFollowerDeps) {
    this.#parts = parts
  }

  /** These, and no others. */
  follow(captures: readonly FollowedCapture[]): void {
    const wanted = new Set(captures.map(({ capture }) => capture.uid))
    for (const [uid, { stop }] of this.#printers) if (!wanted.has(uid)) stop.abort()
    for (const followed of captures) if (!this.#printers.has(followed.capture.uid)) this.#begin(followed)
  }

  /** Resolves when nothing more of that capture is being printed. */
  async stop(uid: string): Promise<void> {
    const printer = this.#printers.get(uid)
    printer?.stop.abort()
    await printer?.ended
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#printers.keys()].map(uid => this.stop(uid)))
  }

  #begin(followed: FollowedCapture): void {
    const { uid } = followed.capture
    const stop = new AbortController()
    this.#printers.set(uid, { stop, ended: this.#run(followed, stop.signal).finally(() => this.#printers.delete(uid)) })
  }

  async #run({ key, capture }: FollowedCapture, signal: AbortSignal): Promise<void> {
    const { clock, log, folderOf, print } = this.#parts
    const { printPackets } = await import('./printPackets.ts') // not before it is needed: an agent's memory is counted
    let failures = 0 // in a row
    const counted: LinePrinter = async (...text) => {
      await print(...text)
      failures = 0
    }
    while (!signal.aborted) {
      const folder = folderOf(key, capture.uid)
      try {
        if (folder !== undefined) await printPackets({ folder, print: counted, signal }, { clock, quietMs })
      } catch (error) {
        if (!isExpected(error)) throw error
        if (signal.aborted || folderOf(key, capture.uid) === undefined) continue
        if (failures++ === 0) log.warn({ capture: key, error: error.message }, 'packets not printed, tried again')
      }
      const waitMs = failures === 0 ? pollIntervalMs : doubledMs(failures, retryDelayMs)
      await clock.sleepUntil(clock.now() + waitMs, signal)
    }
  }
}
