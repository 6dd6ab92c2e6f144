// An open tap in a test, with the files it writes: opens sinks, keeps the events, reads the records
// back. Descriptors are closed as soon as a `moved` says that nothing more is written to them, so a
// late write would fail.
import { closeSync, fstatSync, openSync, readFileSync, writeSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type {
  Driver,
  DriverSpec,
  DriverTap,
  Sink,
  TapCounters,
  TapEvent,
} from '../../../src/driver/driver.ts'
import { type FileRecord, fileHeader, readRecords, TornFile } from '../pcap/captureFile.ts'
import { until } from '../until.ts'
import type { Scope } from './namespace.ts'

/**
 * `bytesLeft` of the first file; `ahead`: how many more of that size are offered from the start and
 * kept offered.
 */
export type CaptureOptions = Partial<Omit<DriverSpec, 'sink'>> & {
  readonly interfaceName: string
  readonly bytesLeft?: number
  readonly ahead?: number
  readonly directory?: string
}
type File = {
  readonly path: string
  readonly fd: number
  readonly bytesMax: number
  isOpen: boolean
}

/** What a test that does not say otherwise opens. */
export const defaults = {
  filter: '',
  snapLength: 262_144,
  payload: 'Full',
  format: 'pcap',
  insideIsPod: false,
  ringBytes: 2_097_152,
  group: undefined,
} as const

export class Capture {
  readonly events: TapEvent[] = []
  readonly files: File[] = []
  readonly #directory: string
  readonly #options: CaptureOptions
  #tap: DriverTap | undefined

  static async open(scope: Scope, driver: Driver, options: CaptureOptions): Promise<Capture> {
    const directory = options.directory ?? (await mkdtemp(join(tmpdir(), 'selcap-contract-')))
    if (options.directory === undefined) scope.teardown(() => rm(directory, { recursive: true }))
    const capture = new Capture(directory, options)
    scope.teardown(() => capture.close())
    const { bytesLeft, ahead = 0, directory: _, ...spec } = options
    const first = capture.sink(bytesLeft)
    capture.#tap = await driver.open({ ...defaults, ...spec, sink: first }, event =>
      capture.#hear(event),
    )
    for (let count = 0; count < ahead; count++) capture.offer(bytesLeft)
    return capture
  }

  private constructor(directory: string, options: CaptureOptions) {
    this.#directory = directory
    this.#options = options
  }

  get tap(): DriverTap {
    if (!this.#tap) throw new Error('Cannot use tap: it was not opened')
    return this.#tap
  }

  get #format() {
    return this.#options.format ?? defaults.format
  }

  sink(bytesLeft = 1e12): Sink {
    const path = join(this.#directory, `${String(this.files.length).padStart(5, '0')}.pcap`)
    const fd = openSync(path, 'ax')
    writeSync(fd, fileHeader(this.#format))
    this.files.push({ path, fd, bytesMax: bytesLeft, isOpen: true })
    return { fd, bytesLeft, isEmpty: true, device: fstatSync(fd).dev }
  }

  offer(bytesLeft?: number): void {
    this.tap.offer(this.sink(bytesLeft))
  }

  /** Of one file, or of all in their order. */
  records(file?: number): FileRecord[] {
    const files = file === undefined ? this.files : this.files.slice(file, file + 1)
    return files.flatMap(({ path }) => readRecords(readFileSync(path), this.#format))
  }

  has(kind: TapEvent['kind']): boolean {
    return this.events.some(event => event.kind === kind)
  }

  /**
   * Packets whose lot is known: written, refused, dropped. `received` may run ahead of it while
   * records are held back.
   */
  get settled(): number {
    const { packets, refused, dropped } = this.tap.counters()
    return packets + refused + dropped
  }

  /** Waits until at least so many records are in the files. */
  holds(records: number): Promise<void> {
    return this.#until(`${records} records`, () => (this.#recordsNow()?.length ?? 0) >= records)
  }

  // A reader that comes while the kernel is within a write(2) sees a part of it: the next look
  // decides.
  #recordsNow(): FileRecord[] | undefined {
    try {
      return this.records()
    } catch (error) {
      if (error instanceof TornFile) return undefined
      throw error
    }
  }

  told(kind: TapEvent['kind']): Promise<void> {
    return this.#until(`event ${kind}`, () => this.has(kind))
  }

  settles(packets: number): Promise<void> {
    return this.#until(`${packets} packets settled`, () => this.settled === packets)
  }

  async #until(what: string, isSo: () => boolean): Promise<void> {
    await until(what, isSo).catch(error => {
      throw new Error(
        `${error.message}: ${JSON.stringify({ ...this.tap.counters(), events: this.events.slice(-5) })}`,
      )
    })
  }

  async close(): Promise<TapCounters | undefined> {
    const counters = await this.#tap?.close()
    for (const file of this.files.filter(({ isOpen }) => isOpen)) closeFile(file)
    return counters
  }

  #hear(event: TapEvent): void {
    this.events.push(event)
    if (event.kind !== 'moved') return
    const file = this.files.find(({ fd, isOpen }) => isOpen && fd === event.fd)
    if (!file)
      throw new Error(
        `Cannot follow tap: it moved from descriptor ${event.fd}, which is not one of its sinks`,
      )
    closeFile(file)
    if (this.#options.ahead && this.#tap) this.offer(this.#options.bytesLeft)
  }
}

function closeFile(file: File): void {
  closeSync(file.fd)
  file.isOpen = false
}
