// One open tap: its files and, while its interface is there, a driver's tap that writes to them. It follows its interface:
// gone, the driver's tap is closed and a gap begins; back, another one goes on in the same files. Opened before its window, it
// leaves no trace until that opens: no row, and files that nobody sees.
// Owned by TapHolder, which tells it of links and of the time; its work is done one step at a time.

import type { DriverTap, LinkChange, TapCounters, TapEvent } from '../driver/driver.ts'
import type { LiveEndpoint } from '../files/captureFolder.ts'
import { doubledMs } from '../model/backoff.ts'
import type { CloseReason } from '../model/codes.ts'
import { ExpectedError, isExpected, TapError } from '../model/errors.ts'
import { filterOf, type TapSpec } from '../model/tap.ts'
import type { InterfaceMatch } from '../netdev/interfaceResolver.ts'
import { noCounters } from './endpointCounters.ts'
import { EndpointRecord } from './endpointRecord.ts'
import { openRotation } from './openFiles.ts'
import type { TapDeps } from './tapDeps.ts'
import { TapFiles } from './tapFiles.ts'

const pollIntervalMs = { first: 1_000, most: 30_000 } as const // for an interface that is lost, when nobody tells of it

export class Tap {
  readonly #parts: TapDeps
  readonly files: TapFiles
  readonly #stop = new AbortController()
  #spec: TapSpec
  #place: InterfaceMatch
  readonly row: EndpointRecord
  #tap: DriverTap | undefined // while its interface is there
  #looks = 0 // in vain, since it was lost
  #lookAtMs = 0
  #work: Promise<unknown> = Promise.resolve()

  private constructor(parts: TapDeps, spec: TapSpec, place: InterfaceMatch, files: TapFiles) {
    const { name, uid } = spec.endpoint
    const identity = { name, uid, interfaceName: place.interfaceName, vantage: place.vantage }
    this.#parts = parts
    this.#spec = spec
    this.#place = place
    this.files = files
    this.row = new EndpointRecord({ ...parts, identity, live: () => this.live() }, files.name)
  }

  /** Refuses with TapError, or with what the file system said. */
  static async open(parts: TapDeps, spec: TapSpec): Promise<Tap> {
    const place = await parts.find(spec)
    const series = await openRotation(parts, spec, place.interfaceName)
    const tap = new Tap(parts, spec, place, new TapFiles(series, spec.rotation, () => parts.clock.now()))
    try {
      await tap.#openDriver()
    } catch (error) {
      await tap.#tap?.close()
      tap.files.abandon()
      tap.row.dismiss()
      throw error
    }
    tap.row.noteOpened()
    return tap
  }

  /** Once its window has opened it is to be seen. */
  startIfDue(): void {
    if (this.row.isDue(this.#spec)) this.#begin()
  }

  get spec(): TapSpec {
    return this.#spec
  }

  get place(): InterfaceMatch {
    return this.#place
  }

  /** It is open, and no packet was ever written for its endpoint. */
  get isWaiting(): boolean {
    return this.row.hasBegun && this.#tap?.counters().packets === 0 && this.row.facts.packets === 0
  }

  /** Why nothing arrives, or reaches the disk, now. */
  get message(): string | undefined {
    return this.row.message ?? this.files.message
  }

  /** Moves with every packet that is counted. */
  get counted(): number {
    return this.row.counted(this.#tap?.counters() ?? noCounters)
  }

  live(): LiveEndpoint {
    const counters = this.#tap?.counters() ?? noCounters
    return { facts: this.row.with(counters), active: this.files.active(counters) }
  }

  adjust(spec: TapSpec): void {
    this.#spec = spec
    this.#tap?.setWindow(this.row.windowOf(spec))
    this.#keep(() => this.files.adjust(spec.rotation))
  }

  /** At least each second: what time alone brings about, as a file that is too old. */
  tick(nowMs: number): void {
    this.#keep(() => this.files.tick(nowMs) && this.#parts.onChange())
    const isDue = nowMs >= this.#lookAtMs || nowMs < this.#lookAtMs - pollIntervalMs.most
    if (this.#tap || !isDue) return
    this.#lookAtMs = nowMs + pollIntervalMs.most // not again while this look is under way
    this.#then(() => this.#comeBack())
  }

  /** A change of an interface of this namespace. */
  linkChanged({ kind, name }: LinkChange): void {
    const isOurs = this.#place.netns === undefined && name === this.#place.interfaceName
    if (isOurs && kind === 'gone') this.#then(() => this.#lose(`interface ${name} is gone`))
    else if (isOurs && kind === 'down') this.#then(async () => this.row.interrupt(`interface ${name} is down`))
    else if (kind === 'present') this.#then(() => this.#comeBack(isOurs))
  }

  async close(reason: CloseReason): Promise<void> {
    this.startIfDue()
    this.#stop.abort()
    await this.#work
    await this.#closeDriver()
    if (this.row.hasBegun) this.row.end(this.#spec, this.files.close(), reason)
    else {
      this.files.abandon()
      this.row.dismiss()
    }
  }

  /** Its files cannot be kept: closes without touching them. A gap begins, and ends when another tap opens. */
  async release(reason: string): Promise<void> {
    this.#stop.abort()
    await this.#work
    const counters = (await this.#tap?.close()) ?? noCounters
    const active = this.files.active(counters)
    this.files.release()
    this.row.add(counters)
    this.row.endInGap(reason, active)
  }

  #begin(): void {
    if (this.row.hasBegun) return
    this.row.begin(this.#spec)
    if (this.#spec.limits.durationMs !== undefined) this.#tap?.setWindow(this.row.windowOf(this.#spec))
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
    const place = { interfaceName, insideIsPod, ...(netns !== undefined && { netns }) }
    const into = { group: this.#parts.group, sink: this.files.sink, window: this.row.windowOf(this.#spec) }
    const spec = { ...filterOf(this.#spec), snapLength, payload, format, ringBytes, ...place, ...into }
    this.#tap = await this.#parts.driver.open(spec, event => this.#take(event))
    this.files.attach(this.#tap)
  }

  async #closeDriver(): Promise<void> {
    const counters = await this.#tap?.close()
    if (!counters) return
    this.row.add(counters)
    this.files.detach(counters)
    this.#tap = undefined
  }

  #take(event: TapEvent): void {
    switch (event.kind) {
      case 'firstPacket':
        this.#begin() // whatever the clock says, which may have been set back since
        this.#keep(() => this.files.firstPacket(event.atMs))
        return this.#parts.onChange()
      case 'moved':
        return this.#keepMoved(event.counters)
      case 'limit':
        return this.#parts.onLimit(event.limit)
      case 'writeFailed':
        this.files.writeFailed(event.code)
        return this.#parts.onChange()
      case 'down':
        return this.#then(() => this.#examine())
    }
  }

  // Also while it is being closed: every file that was moved from must get its name.
  #keepMoved(counters: TapCounters): void {
    try {
      this.files.moved(counters)
    } catch (error) {
      return this.#broke(error)
    }
    this.#parts.folder.forgetFileSizes()
    this.#parts.onMoved()
    this.#parts.onChange()
  }

  // The driver's word that nothing comes any more. In another namespace nobody else tells; here links may be missed.
  async #examine(): Promise<boolean> {
    const { netns, interfaceName } = this.#place
    if (netns !== undefined) return this.#lose('its network namespace or interface is gone')
    const link = (await this.#parts.driver.links()).find(({ name }) => name === interfaceName)
    if (!link) return this.#lose(`interface ${interfaceName} is gone`)
    return !link.isUp && this.row.interrupt(`interface ${interfaceName} is down`)
  }

  async #lose(reason: string): Promise<boolean> {
    const isNews = this.row.interrupt(reason)
    await this.#closeDriver()
    this.#looks = 0
    this.#lookAtMs = this.#parts.clock.now() + pollIntervalMs.first
    return isNews
  }

  // `isUp`: the interface itself was told to be up. Another one's arrival ends the gap only of a tap that had lost its own.
  async #comeBack(isUp = false): Promise<boolean> {
    if (!this.row.isInGap || (this.#tap && !isUp)) return false
    if (!this.#tap && !(await this.#reopen())) return false
    this.row.resume()
    return true
  }

  async #reopen(): Promise<boolean> {
    this.#lookAtMs = this.#parts.clock.now() + doubledMs(++this.#looks, pollIntervalMs)
    try {
      const place = await this.#parts.find(this.#spec)
      if (place.interfaceName !== this.#place.interfaceName)
        throw new ExpectedError(`Cannot go on: the interface is "${place.interfaceName}" now`)
      this.#place = place
      await this.#openDriver()
      return true
    } catch (error) {
      if (error instanceof TapError) return false
      throw error
    }
  }
}
