// One open tap: its files and, while its interface is there, a driver's tap that writes to them. It follows its interface:
// gone, the driver's tap is closed and a gap begins; back, another one goes on in the same files.
// Owned by TapHolder, which tells it of links and of the time; its work is done one step at a time.
import { TapError } from '../errors.ts'
import type { LiveRow } from '../files/captureFolder.ts'
import type { EndpointFacts } from '../model/facts.ts'
import { type CloseReason, filterOf, type TapSpec } from '../model/tap.ts'
import type { DriverTap, LinkChange, TapCounters, TapEvent } from './driver.ts'
import { isExpected } from './failure.ts'
import type { Found } from './find.ts'
import type { LiveTapParts } from './liveTapParts.ts'
import { openSeries } from './openSeries.ts'
import { addGap, closeGap, ended, isInGap, noCounters, opened, withCounters } from './row.ts'
import { TapFiles } from './tapFiles.ts'

const lookMs = { first: 1_000, most: 30_000 } as const // for an interface that is lost, when nobody tells of it

export class LiveTap {
  readonly #parts: LiveTapParts
  readonly #files: TapFiles
  readonly #stop = new AbortController()
  #spec: TapSpec
  #place: Found
  #row: EndpointFacts // of all driver's taps that are closed
  #tap: DriverTap | undefined // while its interface is there
  #message: string | undefined
  #looks = 0 // in vain, since it was lost
  #lookAtMs = 0
  #work: Promise<unknown> = Promise.resolve()

  private constructor(parts: LiveTapParts, spec: TapSpec, place: Found, files: TapFiles) {
    const before = parts.folder.row(spec.endpoint.name)
    const { name, uid } = spec.endpoint
    const now = { name, uid, interfaceName: place.interfaceName, vantage: place.vantage }
    this.#parts = parts
    this.#spec = spec
    this.#place = place
    this.#files = files
    this.#row = opened(before?.facts, now, parts.clock.now(), before?.closed)
  }

  /** Refuses with TapError, or with what the file system said. */
  static async open(parts: LiveTapParts, spec: TapSpec): Promise<LiveTap> {
    const place = await parts.find(spec)
    const series = await openSeries(parts, spec, place.interfaceName)
    const tap = new LiveTap(parts, spec, place, new TapFiles(series, spec.rotation, () => parts.clock.now()))
    try {
      await tap.#openDriver()
    } catch (error) {
      await tap.#tap?.close()
      tap.#files.abandon()
      throw error
    }
    parts.folder.begin(spec.endpoint.name, () => tap.live(), parts.clock.now())
    return tap
  }

  get spec(): TapSpec {
    return this.#spec
  }

  get place(): Found {
    return this.#place
  }

  /** It is open, and no packet was ever written for its endpoint. */
  get isWaiting(): boolean {
    return this.#tap?.counters().packets === 0 && this.#row.packets === 0
  }

  /** How many packets its interface has carried meanwhile. True: more than was known. */
  noteCarried(interfacePackets: number): boolean {
    const isMore = interfacePackets > (this.#row.interfacePackets ?? 0)
    if (isMore) this.#row = { ...this.#row, interfacePackets }
    return isMore
  }

  /** Why nothing arrives, or reaches the disk, now. */
  get message(): string | undefined {
    return this.#message ?? this.#files.message
  }

  /** When tick() cannot wait for the next second. */
  get dueAtMs(): number {
    return this.#files.dueAtMs
  }

  live(): LiveRow {
    const counters = this.#tap?.counters() ?? noCounters
    return { facts: withCounters(this.#row, counters), active: this.#files.active(counters) }
  }

  adjust(spec: TapSpec): void {
    this.#spec = spec
    this.#keep(() => this.#files.adjust(spec.rotation))
  }

  /** At least each second: what time alone brings about, as a file that is too old. */
  tick(nowMs: number): void {
    this.#keep(() => this.#files.tick(nowMs) && this.#parts.onChange())
    const isDue = nowMs >= this.#lookAtMs || nowMs < this.#lookAtMs - lookMs.most
    if (this.#tap || !isDue) return
    this.#lookAtMs = nowMs + lookMs.most // not again while this look is under way
    this.#then(() => this.#comeBack())
  }

  /** A change of an interface of this namespace. */
  linkChanged({ kind, name }: LinkChange): void {
    const isOurs = this.#place.netns === undefined && name === this.#place.interfaceName
    if (isOurs && kind === 'gone') this.#then(() => this.#lose(`interface ${name} is gone`))
    else if (isOurs && kind === 'down') this.#then(async () => this.#interrupt(`interface ${name} is down`))
    else if (kind === 'present') this.#then(() => this.#comeBack(isOurs))
  }

  async close(reason: CloseReason): Promise<void> {
    this.#stop.abort()
    await this.#work
    await this.#closeDriver()
    const facts = ended(this.#row, this.#parts.clock.now())
    this.#parts.folder.end(this.#row.name, { facts, active: this.#files.close() }, reason)
  }

  /** Its files cannot be kept: closes without touching them. A gap begins, and ends when another tap opens. */
  async giveUp(reason: string): Promise<void> {
    this.#stop.abort()
    await this.#work
    const counters = (await this.#tap?.close()) ?? noCounters
    const active = this.#files.active(counters)
    this.#files.letGo()
    const [row, nowMs] = [withCounters(this.#row, counters), this.#parts.clock.now()]
    const facts = { ...row, endedAtMs: nowMs, gaps: addGap(row.gaps, { fromMs: nowMs, reason }) }
    this.#parts.folder.end(row.name, { facts, active }, 'unmatched')
  }

  // One step after the other. A step that changes what is to be seen says so.
  #then(step: () => Promise<boolean>): void {
    this.#work = this.#work
      .then(() => !this.#stop.signal.aborted && step())
      .then(isChanged => isChanged && this.#parts.onChange())
      .catch(error => this.#broke(error))
  }

  #keep(act: () => unknown): void {
    try {
      if (!this.#stop.signal.aborted) act()
    } catch (error) {
      this.#broke(error)
    }
  }

  #broke(error: unknown): void {
    if (!isExpected(error)) throw error
    this.#parts.onBroken(error)
  }

  async #openDriver(): Promise<void> {
    const { interfaceName, netns, insideIsPod } = this.#place
    const { snapLength, payload, format, ringBytes } = this.#spec
    const { driver, group } = this.#parts
    const what = { ...filterOf(this.#spec), snapLength, payload, format, ringBytes }
    const spec = { ...what, interfaceName, group, insideIsPod, sink: this.#files.sink }
    this.#tap = await driver.open({ ...spec, ...(netns !== undefined && { netns }) }, event => this.#take(event))
    this.#files.attach(this.#tap)
  }

  async #closeDriver(): Promise<void> {
    const counters = await this.#tap?.close()
    if (!counters) return
    this.#row = withCounters(this.#row, counters)
    this.#files.detach(counters)
    this.#tap = undefined
  }

  #take(event: TapEvent): void {
    switch (event.kind) {
      case 'firstPacket':
        this.#files.firstPacket(event.atMs)
        return this.#parts.onChange()
      case 'moved':
        return this.#keepMoved(event.counters)
      case 'limit':
        return this.#parts.onLimit(event.limit)
      case 'writeFailed':
        this.#files.writeFailed(event.code)
        return this.#parts.onChange()
      case 'down':
        return this.#then(() => this.#examine())
    }
  }

  // Also while it is being closed: every file that was moved from must get its name.
  #keepMoved(counters: TapCounters): void {
    try {
      this.#files.moved(counters)
    } catch (error) {
      return this.#broke(error)
    }
    this.#parts.folder.look()
    this.#parts.onMoved()
    this.#parts.onChange()
  }

  // The driver's word that nothing comes any more. In another namespace nobody else tells; here links may be missed.
  async #examine(): Promise<boolean> {
    const { netns, interfaceName } = this.#place
    if (netns !== undefined) return this.#lose('its network namespace or interface is gone')
    const link = (await this.#parts.driver.links()).find(({ name }) => name === interfaceName)
    if (!link) return this.#lose(`interface ${interfaceName} is gone`)
    return !link.isUp && this.#interrupt(`interface ${interfaceName} is down`)
  }

  async #lose(reason: string): Promise<boolean> {
    const isNews = this.#interrupt(reason)
    await this.#closeDriver()
    this.#looks = 0
    this.#lookAtMs = this.#parts.clock.now() + lookMs.first
    return isNews
  }

  #interrupt(reason: string): boolean {
    const message = `Nothing is captured: ${reason}; goes on when it is back`
    const isNews = message !== this.#message
    this.#message = message
    if (!isInGap(this.#row)) this.#row = { ...this.#row, gaps: addGap(this.#row.gaps, { fromMs: this.#parts.clock.now(), reason }) }
    return isNews
  }

  // `isUp`: the interface itself was told to be up. Another one's arrival ends the gap only of a tap that had lost its own.
  async #comeBack(isUp = false): Promise<boolean> {
    if (!isInGap(this.#row) || (this.#tap && !isUp)) return false
    if (!this.#tap && !(await this.#reopen())) return false
    this.#row = { ...this.#row, gaps: closeGap(this.#row.gaps, this.#parts.clock.now()) }
    this.#message = undefined
    return true
  }

  async #reopen(): Promise<boolean> {
    this.#lookAtMs = this.#parts.clock.now() + Math.min(lookMs.most, lookMs.first * 2 ** this.#looks++)
    try {
      const place = await this.#parts.find(this.#spec)
      if (place.interfaceName !== this.#place.interfaceName) throw new Error(`Cannot go on: the interface is "${place.interfaceName}" now`)
      this.#place = place
      await this.#openDriver()
      return true
    } catch (error) {
      if (error instanceof TapError) return false
      throw error
    }
  }
}
