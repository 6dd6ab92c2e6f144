// Prints packets into the log while their captures run: one printer a capture, begun and ended as the turns say. In: the captures
// under way whose packets are to be printed. What fails is tried again, less and less often; what is left when a capture is over is
// printed like a file is made (singleFile.ts), and counts its attempts there.

import { doubledMs } from '../../model/backoff.ts'
import type { Followed } from '../../model/decision.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Logger } from '../../runtime/log.ts'
import { isExpected } from '../../tap/failure.ts'
import type { Print } from './stdoutWriter.ts'

export type PrinterParts = {
  readonly clock: Clock
  readonly log: Logger
  readonly folderOf: (key: string, uid: string) => string | undefined // of the capture's files; none before a tap is open
  readonly print: Print
}

type Printer = { readonly stop: AbortController; readonly ended: Promise<void> }

const lookMs = 200
const quietMs = 30_000 // tcpdump waits that long for another packet
const backOffMs = { first: 1_000, most: 60_000 } as const

export class LivePrinters implements AsyncDisposable {
  readonly #parts: PrinterParts
  readonly #printers = new Map<string, Printer>() // by uid

  constructor(parts: PrinterParts) {
    this.#parts = parts
  }

  /** These, and no others. */
  follow(captures: readonly Followed[]): void {
    const wanted = new Set(captures.map(({ capture }) => capture.uid))
    for (const [uid, { stop }] of this.#printers) if (!wanted.has(uid)) stop.abort()
    for (const followed of captures) if (!this.#printers.has(followed.capture.uid)) this.#begin(followed)
  }

  /** Resolves when nothing more of that capture is being printed. */
  async leave(uid: string): Promise<void> {
    const printer = this.#printers.get(uid)
    printer?.stop.abort()
    await printer?.ended
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#printers.keys()].map(uid => this.leave(uid)))
  }

  #begin(followed: Followed): void {
    const { uid } = followed.capture
    const stop = new AbortController()
    this.#printers.set(uid, { stop, ended: this.#run(followed, stop.signal).finally(() => this.#printers.delete(uid)) })
  }

  async #run({ key, capture }: Followed, signal: AbortSignal): Promise<void> {
    const { clock, log, folderOf, print } = this.#parts
    const { printPackets } = await import('./printPackets.ts') // not before it is needed: an agent's memory is counted
    let failures = 0 // in a row
    const counted: Print = async (...text) => {
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
      const waitMs = failures === 0 ? lookMs : doubledMs(failures, backOffMs)
      await clock.sleepUntil(clock.now() + waitMs, signal)
    }
  }
}
