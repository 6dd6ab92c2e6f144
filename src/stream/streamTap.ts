// One tap of a live stream: a driver's tap that writes into a pipe, and the pipe's other end. Nobody waits for its reader:
// what the pipe does not hold is refused by the driver's tap, and counted there.
// In: a spec as the files' tap has it. Out: records as they come, and at the end what was received and lost.
import { Socket } from 'node:net'
import type { Driver, DriverTap, TapCounters } from '../driver/driver.ts'
import { filterOf, type TapSpec } from '../model/tap.ts'
import { sameWindow } from '../model/tapWindow.ts'
import type { InterfaceMatch } from '../netdev/interfaceResolver.ts'

export type StreamTapDeps = {
  readonly driver: Driver
  readonly spec: TapSpec
  readonly place: InterfaceMatch
  readonly ringBytes: number
  readonly pipeBytes: number
  readonly onDown: () => void
}

export type Reader = { readonly onBytes: (bytes: Buffer) => void; readonly onEnd: () => void }

/** Both ends of the pipe, each to be closed by being destroyed; the driver's tap writes into the one, this reads from the other. */
type PipeEnds = { readonly read: Socket; readonly write: Socket }

const endless = 1e15

export class StreamTap {
  #spec: TapSpec
  readonly place: InterfaceMatch
  readonly #tap: DriverTap
  readonly #ends: PipeEnds
  #closed: Promise<TapCounters> | undefined

  private constructor({ spec, place }: StreamTapDeps, tap: DriverTap, ends: PipeEnds) {
    this.#spec = spec
    this.place = place
    this.#tap = tap
    this.#ends = ends
  }

  /** Refuses with TapError, or with what the system said. */
  static async open(parts: StreamTapDeps): Promise<StreamTap> {
    const { driver, spec, place, ringBytes, pipeBytes, onDown } = parts
    const { snapLength, payload, window } = spec
    const { interfaceName, netns, insideIsPod } = place
    const { readFd, writeFd } = driver.pipe(pipeBytes)
    const ends = { read: new Socket({ fd: readFd, writable: false }), write: new Socket({ fd: writeFd, readable: false }) }
    const sink = { fd: writeFd, bytesLeft: endless, isEmpty: true }
    const wish = {
      interfaceName,
      ...filterOf(spec),
      snapLength,
      payload,
      format: 'pcapng',
      insideIsPod,
      ringBytes,
      group: undefined,
      sink,
      window,
    } as const
    try {
      const tap = await driver.open({ ...wish, ...(netns !== undefined && { netns }) }, ({ kind }) => kind === 'down' && onDown())
      return new StreamTap(parts, tap, ends)
    } catch (error) {
      for (const end of [ends.write, ends.read]) end.destroy()
      throw error
    }
  }

  /** From now on; after close() up to the end. An error is an end too: what did not come is lost. */
  read({ onBytes, onEnd }: Reader): void {
    this.#ends.read.on('data', onBytes)
    this.#ends.read.once('error', onEnd)
    this.#ends.read.once('end', onEnd)
  }

  get spec(): TapSpec {
    return this.#spec
  }

  /** The same packets are wanted, but for the time. */
  adjust(spec: TapSpec): void {
    if (!sameWindow(this.#spec.window, spec.window)) this.#tap.setWindow(spec.window)
    this.#spec = spec
  }

  counters(): TapCounters {
    return this.#tap.counters()
  }

  /** What is not read stays in the pipe, and when that is full it is refused. */
  pause(): void {
    this.#ends.read.pause()
  }

  resume(): void {
    this.#ends.read.resume()
  }

  /** Captures nothing more; what is in the pipe still comes, then onEnd. Twice is fine. */
  close(): Promise<TapCounters> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  /** Closes, and throws away what is in the pipe. */
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
