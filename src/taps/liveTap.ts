// One open tap: a series of files and, while its interface is there, a driver's tap that writes to them. It follows its
// interface: gone, the driver's tap is closed and a gap begins; back, another one goes on in the same files.
// Owned by TapHolder, which tells it of links; its work is done one step at a time.
import type { Clock } from '../clock.ts'
import { TapError } from '../errors.ts'
import type { CaptureFolder, LiveRow } from '../files/captureFolder.ts'
import type { Statistics } from '../files/header.ts'
import type { FileSeries } from '../files/series.ts'
import type { ActiveFile } from '../files/state.ts'
import type { EndpointFacts } from '../model/facts.ts'
import type { CloseReason, TapSpec } from '../model/tap.ts'
import type { Driver, DriverTap, LimitGroup, LinkChange, TapCounters, TapEvent } from './driver.ts'
import type { Found } from './find.ts'
import { openSeries } from './openSeries.ts'
import { addGap, closeGap, ended, noCounters, opened, withCounters } from './row.ts'

export type LiveTapParts = {
  readonly driver: Driver
  readonly clock: Clock
  readonly folder: CaptureFolder
  readonly group: LimitGroup
  readonly node: string
  readonly find: (spec: TapSpec) => Promise<Found>
  readonly onChange: () => void
  readonly onMoved: () => void // to another file: what is stored must follow
  readonly onLimit: (limit: 'packets' | 'bytes') => void
}

const retryMs = 5_000 // after a failed write
const quickMs = 2_000 // rotations closer than this want more files ahead
const ahead = { usual: 1, quick: 4 } as const

export class LiveTap {
  readonly #parts: LiveTapParts
  readonly #series: FileSeries
  readonly #stop = new AbortController()
  #spec: TapSpec
  #place: Found
  #row: EndpointFacts // of all driver's taps that are closed
  #tap: DriverTap | undefined // while its interface is there
  #counted: TapCounters = noCounters // the driver's tap, when the active file was begun
  #fileBegan: { readonly row: EndpointFacts; readonly atMs: number }
  #offered = 0
  #message: string | undefined
  #work: Promise<unknown> = Promise.resolve()

  private constructor(parts: LiveTapParts, spec: TapSpec, place: Found, series: FileSeries) {
    const nowMs = parts.clock.now()
    const before = parts.folder.row(spec.endpoint.name)
    const { name, uid } = spec.endpoint
    this.#parts = parts
    this.#spec = spec
    this.#place = place
    this.#series = series
    this.#row = opened(before?.facts, { name, uid, interfaceName: place.interfaceName, vantage: place.vantage }, nowMs, before?.closed)
    this.#fileBegan = { row: this.#row, atMs: nowMs }
  }

  /** Refuses with TapError, or with what the file system said. */
  static async open(parts: LiveTapParts, spec: TapSpec): Promise<LiveTap> {
    const place = await parts.find(spec)
    const tap = new LiveTap(parts, spec, place, await openSeries(parts, spec, place.interfaceName))
    try {
      await tap.#openDriver()
    } catch (error) {
      tap.#series.abandon()
      throw error
    }
    parts.folder.begin(spec.endpoint.name, () => tap.live(), parts.clock.now())
    return tap
  }

  get spec(): TapSpec {
    return this.#spec
  }

  /** Why nothing arrives, or reaches the disk, now. */
  get message(): string | undefined {
    return this.#message
  }

  live(): LiveRow {
    const counters = this.#tap?.counters() ?? noCounters
    return { facts: withCounters(this.#row, counters), active: this.#active(counters) }
  }

  adjust(spec: TapSpec): void {
    this.#spec = spec
    this.#series.setRotation(spec.rotation)
    this.#tap?.setBytesLeft(this.#series.sink.bytesLeft)
  }

  /** Moves to the next file if the present one is old and holds anything. */
  rotateIfDue(nowMs: number): void {
    if (nowMs - this.#series.activeFromMs >= this.#spec.rotation.fileAgeMsMax) this.#tap?.rotate()
  }

  /** A change of an interface of this namespace. */
  linkChanged({ kind, name }: LinkChange): void {
    const isOurs = this.#place.netns === undefined && name === this.#place.interfaceName
    if (isOurs && kind === 'gone') this.#then(() => this.#lose(`interface ${name} is gone`))
    else if (isOurs && kind === 'down') this.#then(async () => this.#interrupt(`interface ${name} is down`))
    else if (kind === 'present') this.#then(() => this.#comeBack())
  }

  /** Looks for the interface again, if it is lost. */
  lookAgain(): void {
    if (!this.#tap) this.#then(() => this.#comeBack())
  }

  async close(reason: CloseReason): Promise<void> {
    this.#stop.abort()
    await this.#work
    await this.#closeDriver()
    const active = this.#series.close(this.#statistics(this.#row))
    this.#parts.folder.end(this.#row.name, { facts: ended(this.#row, this.#parts.clock.now()), active }, reason)
  }

  #then(step: () => Promise<void>): void {
    this.#work = this.#work.then(() => (this.#stop.signal.aborted ? undefined : step())).then(() => this.#parts.onChange())
  }

  async #openDriver(): Promise<void> {
    const { interfaceName, netns, insideIsPod } = this.#place
    const { filter, snapLength, payload, format, ringBytes } = this.#spec
    const { driver, group } = this.#parts
    const spec = { interfaceName, filter, snapLength, payload, format, ringBytes, group, insideIsPod, sink: this.#series.sink }
    this.#tap = await driver.open({ ...spec, ...(netns !== undefined && { netns }) }, event => this.#take(event))
    this.#counted = noCounters
    this.#offer(ahead.usual)
  }

  async #closeDriver(): Promise<void> {
    const counters = await this.#tap?.close()
    if (!counters) return
    this.#series.continue(counters.packets - this.#counted.packets, counters.bytes - this.#counted.bytes)
    this.#series.dropWaiting()
    this.#offered = 0
    this.#row = withCounters(this.#row, counters)
    this.#counted = noCounters
    this.#tap = undefined
  }

  #take(event: TapEvent): void {
    switch (event.kind) {
      case 'firstPacket':
        return this.#parts.onChange()
      case 'moved':
        return this.#moved(event.counters)
      case 'limit':
        return this.#parts.onLimit(event.limit)
      case 'writeFailed':
        return this.#writeFailed(event.code)
      case 'down':
        if (this.#place.netns !== undefined) this.#then(() => this.#lose('its network namespace or interface is gone'))
    }
  }

  #moved(counters: TapCounters): void {
    const row = withCounters(this.#row, counters)
    const isQuick = this.#parts.clock.now() - this.#fileBegan.atMs < quickMs
    this.#series.moved(this.#statistics(row))
    this.#counted = counters
    this.#fileBegan = { row, atMs: this.#parts.clock.now() }
    this.#offered--
    this.#offer(isQuick ? ahead.quick : ahead.usual)
    this.#parts.folder.look()
    this.#parts.onMoved()
    this.#parts.onChange()
  }

  // A disk that is full refuses the next file's header too: then there is none ahead until there is room.
  #offer(count: number): void {
    try {
      for (; this.#offered < count; this.#offered++) this.#tap?.offer(this.#series.offer())
    } catch (error) {
      this.#writeFailed((error as NodeJS.ErrnoException).code ?? (error as Error).message)
    }
  }

  #writeFailed(code: string): void {
    this.#message = `Cannot write to "${this.#active(noCounters).name}": ${code}; packets are refused, tried again every ${retryMs / 1_000} s`
    this.#parts.onChange()
    const { clock } = this.#parts
    void clock.sleepUntil(clock.now() + retryMs, this.#stop.signal).then(() => this.#retry())
  }

  #retry(): void {
    if (this.#stop.signal.aborted) return
    this.#message = undefined
    this.#offer(ahead.usual)
    this.#tap?.retry()
    this.#parts.onChange()
  }

  async #lose(reason: string): Promise<void> {
    this.#interrupt(reason)
    await this.#closeDriver()
  }

  #interrupt(reason: string): void {
    const isGap = this.#row.gaps.some(({ toMs }) => toMs === undefined)
    this.#message = `Nothing is captured: ${reason}; goes on when it is back`
    if (!isGap) this.#row = { ...this.#row, gaps: addGap(this.#row.gaps, { fromMs: this.#parts.clock.now(), reason }) }
  }

  async #comeBack(): Promise<void> {
    const isGap = this.#row.gaps.some(({ toMs }) => toMs === undefined)
    if (!isGap) return
    if (!this.#tap && !(await this.#reopen())) return
    this.#row = { ...this.#row, gaps: closeGap(this.#row.gaps, this.#parts.clock.now()) }
    this.#message = undefined
  }

  async #reopen(): Promise<boolean> {
    try {
      const place = await this.#parts.find(this.#spec)
      if (place.interfaceName !== this.#place.interfaceName && place.netns === undefined) return false // other files: a new tap's
      this.#place = place
      await this.#openDriver()
      return true
    } catch (error) {
      if (error instanceof TapError) return false
      throw error
    }
  }

  #active(counters: TapCounters): ActiveFile {
    const { before } = this.#series
    const [packets, bytes] = [counters.packets - this.#counted.packets, counters.bytes - this.#counted.bytes]
    return { ...before, bytes: before.bytes + bytes, packets: before.packets + packets, recordBytes: before.recordBytes + bytes }
  }

  /** Of the file that ends now. */
  #statistics(now: EndpointFacts): Statistics {
    const { row, atMs } = this.#fileBegan
    return {
      received: now.received - row.received,
      dropped: now.dropped - row.dropped,
      packets: now.packets - row.packets,
      fromMs: atMs,
      toMs: this.#parts.clock.now(),
    }
  }
}
