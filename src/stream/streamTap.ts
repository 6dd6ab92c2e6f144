// One tap of a live stream: a driver's tap that writes into a pipe, and the pipe's reading end. In:
// the spec of the files' tap. Out: records as they arrive, and the counts of received and lost
// packets. A full pipe makes the driver's tap refuse and count packets. Refuses with TapError or
// the error of a system call.
import { Socket } from 'node:net'
import type { Driver, DriverTap, TapCounters } from '../driver/driver.ts'
import { recordOptionsOf, type TapSpec } from '../model/tap.ts'
import { sameWindow } from '../model/tapWindow.ts'
import type { InterfaceMatch } from '../netdev/interfaceResolver.ts'

export type StreamTapDeps = {
  readonly driver: Driver
  readonly spec: TapSpec
  readonly match: InterfaceMatch
  readonly ringBytes: number
  readonly pipeBytes: number
  readonly onLost: () => void // the interface is gone or is another one
}

export type Reader = { readonly onBytes: (bytes: Buffer) => void; readonly onEnd: () => void }

/**
 * Both ends of the pipe; destroy() closes one. The driver's tap writes into `write`, the stream
 * reads from `read`.
 */
type PipeEnds = { readonly read: Socket; readonly write: Socket }

const unlimitedBytes = 1e15

export class StreamTap {
  #spec: TapSpec
  readonly match: InterfaceMatch
  readonly #tap: DriverTap
  readonly #ends: PipeEnds
  #closed: Promise<TapCounters> | undefined

  private constructor({ spec, match }: StreamTapDeps, tap: DriverTap, ends: PipeEnds) {
    this.#spec = spec
    this.match = match
    this.#tap = tap
    this.#ends = ends
  }

  static async open(deps: StreamTapDeps): Promise<StreamTap> {
    const { driver, spec, match, ringBytes, pipeBytes, onLost } = deps
    const { vantage: _, ...source } = match
    const { readFd, writeFd } = driver.pipe(pipeBytes)
    const ends = {
      read: new Socket({ fd: readFd, writable: false }),
      write: new Socket({ fd: writeFd, readable: false }),
    }
    const sink = { fd: writeFd, bytesLeft: unlimitedBytes, isEmpty: true, device: undefined }
    const driverSpec = {
      ...source,
      ...recordOptionsOf(spec),
      format: 'pcapng',
      ringBytes,
      group: undefined,
      sink,
      window: spec.window,
    } as const
    try {
      const tap = await driver.open(
        driverSpec,
        event => event.kind === 'down' && event.state !== 'down' && onLost(),
      )
      return new StreamTap(deps, tap, ends)
    } catch (error) {
      for (const end of [ends.write, ends.read]) end.destroy()
      throw error
    }
  }

  /**
   * Reads from now on, after close() up to the end. An error ends it too: what did not arrive is
   * lost.
   */
  read({ onBytes, onEnd }: Reader): void {
    this.#ends.read.on('data', onBytes)
    this.#ends.read.once('error', onEnd)
    this.#ends.read.once('end', onEnd)
  }

  get spec(): TapSpec {
    return this.#spec
  }

  /** For a spec that differs in its window only. */
  adjust(spec: TapSpec): void {
    if (!sameWindow(this.#spec.window, spec.window)) this.#tap.setWindow(spec.window)
    this.#spec = spec
  }

  counters(): TapCounters {
    return this.#tap.counters()
  }

  /** Leaves packets in the pipe; a full pipe makes the driver's tap refuse them. */
  pause(): void {
    this.#ends.read.pause()
  }

  resume(): void {
    this.#ends.read.resume()
  }

  /** Captures nothing more; the rest of the pipe is read, then onEnd is called. Idempotent. */
  close(): Promise<TapCounters> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  /** Closes and discards the rest of the pipe. */
  async destroy(): Promise<void> {
    await this.close()
    this.#ends.read.destroy()
  }

  async #close(): Promise<TapCounters> {
    const counters = await this.#tap.close()
    this.#ends.write.destroy()
    return counters
  }
}
