// One open tap: an endpoint's files and, while its interface exists, a driver's tap that writes to
// them. In: the spec, link changes, the time, the driver's events. Out: files, the endpoint's
// record, callbacks to the manager. When the interface is gone it closes the driver's tap and
// begins a gap; when it is back it opens another one on the same files. A tap opened before its
// window shows no endpoint and hides its files until the window opens. Steps run one at a time.
// Refuses with TapError, ExpectedError or the error of a system call.

import type {
  Driver,
  DriverTap,
  LimitGroup,
  LinkChange,
  TapCounters,
  TapEvent,
} from '../driver/driver.ts'
import type { CaptureFolder, LiveEndpoint } from '../files/captureFolder.ts'
import type { FileRotation } from '../files/rotation.ts'
import type { CloseReason } from '../model/codes.ts'
import { ExpectedError, isExpected, TapError } from '../model/errors.ts'
import { filterOf, type TapSpec } from '../model/tap.ts'
import type { InterfaceMatch } from '../netdev/interfaceResolver.ts'
import type { Clock } from '../runtime/clock.ts'
import { noCounters } from './endpointCounters.ts'
import { EndpointRecord } from './endpointRecord.ts'
import { openRotation } from './openFiles.ts'
import { ReopenSchedule } from './reopen.ts'
import { TapFiles } from './tapFiles.ts'

export type TapDeps = {
  readonly driver: Driver
  readonly clock: Clock
  readonly folder: CaptureFolder
  readonly group: LimitGroup
  readonly node: string
  readonly resolve: (spec: TapSpec) => Promise<InterfaceMatch>
  readonly onChange: () => void
  readonly onMoved: () => void // to another file: the state file must follow
  readonly onLimit: (limit: 'packets' | 'bytes') => void
  readonly onBroken: (error: Error) => void // its files cannot be kept: release() it
}

export class Tap {
  readonly #deps: TapDeps
  readonly files: TapFiles
  readonly #stop = new AbortController()
  #spec: TapSpec
  #match: InterfaceMatch
  readonly record: EndpointRecord
  #driverTap: DriverTap | undefined // while the interface exists
  readonly #reopening = new ReopenSchedule()
  #steps: Promise<unknown> = Promise.resolve()

  private constructor(deps: TapDeps, spec: TapSpec, match: InterfaceMatch, files: FileRotation) {
    const { name, uid } = spec.endpoint
    const identity = { name, uid, interfaceName: match.interfaceName, vantage: match.vantage }
    this.#deps = deps
    this.#spec = spec
    this.#match = match
    this.files = new TapFiles(files, {
      rotation: spec.rotation,
      now: () => deps.clock.now(),
      onMoved: () => {
        deps.onMoved()
        deps.onChange()
      },
      onBroken: error => this.#breakDown(error),
    })
    this.record = new EndpointRecord(
      { ...deps, identity, live: () => this.live() },
      this.files.name,
    )
  }

  static async open(deps: TapDeps, spec: TapSpec): Promise<Tap> {
    const match = await deps.resolve(spec)
    const files = await openRotation(deps, spec, match.interfaceName)
    const tap = new Tap(deps, spec, match, files)
    try {
      await tap.#openDriver()
    } catch (error) {
      await tap.#driverTap?.close()
      await tap.files.abandon()
      tap.record.dismiss()
      throw error
    }
    tap.record.noteOpened()
    return tap
  }

  /** Shows the endpoint once its window has opened. */
  startIfDue(): void {
    if (this.record.isDue(this.#spec)) this.#begin()
  }

  get spec(): TapSpec {
    return this.#spec
  }

  get match(): InterfaceMatch {
    return this.#match
  }

  /** The tap is open, and no packet was ever written for its endpoint. */
  get isWaiting(): boolean {
    return (
      this.record.hasBegun &&
      this.#driverTap?.counters().packets === 0 &&
      this.record.state.packets === 0
    )
  }

  /** Why no packet arrives, or none is written. */
  get message(): string | undefined {
    return this.record.message ?? this.files.message
  }

  get folder(): CaptureFolder {
    return this.#deps.folder
  }

  /** By this tap: dropped by the kernel, or refused. */
  get lostPackets(): number {
    const { dropped, refused } = this.record.with(this.#driverTap?.counters() ?? noCounters)
    return dropped + refused
  }

  /** A number that changes with every counted packet. */
  get changeCounter(): number {
    return this.record.changeCounter(this.#driverTap?.counters() ?? noCounters)
  }

  live(): LiveEndpoint {
    const counters = this.#driverTap?.counters() ?? noCounters
    return {
      facts: this.record.with(counters),
      active: this.files.active(counters),
      readable: this.files.readable(counters),
      isMoving: this.files.isMoving,
    }
  }

  adjust(spec: TapSpec): void {
    this.#spec = spec
    this.#driverTap?.setWindow(this.record.windowOf(spec))
    this.files.adjust(spec.rotation)
  }

  /**
   * To be called each second: rotates by age, retries a failed write, looks for a lost interface.
   */
  tick(nowMs: number): void {
    if (this.files.tick(nowMs)) this.#deps.onChange()
    if (this.#driverTap || !this.#reopening.isDue(nowMs)) return
    this.#reopening.queued(nowMs)
    this.#enqueue(() => this.#resume())
  }

  /** An interface of the host's namespace changed. */
  linkChanged({ kind, name }: LinkChange): void {
    const isOurs = this.#match.netns === undefined && name === this.#match.interfaceName
    if (isOurs && kind === 'gone')
      this.#enqueue(() => this.#loseInterface(`interface ${name} is gone`))
    else if (isOurs && kind === 'down')
      this.#enqueue(async () => this.record.interrupt(`interface ${name} is down`))
    else if (kind === 'present') this.#enqueue(() => this.#resume(isOurs))
  }

  async close(reason: CloseReason): Promise<void> {
    this.startIfDue()
    this.#stop.abort()
    await this.#steps
    const atMs = this.#deps.clock.now()
    await this.#closeDriver()
    if (this.record.hasBegun) this.record.end(this.#spec, await this.files.close(), reason, atMs)
    else {
      await this.files.abandon()
      this.record.dismiss()
    }
  }

  /**
   * Closes without touching the files, which cannot be kept. A gap begins, and ends when another
   * tap opens.
   */
  async release(reason: string): Promise<void> {
    this.#stop.abort()
    await this.#steps
    const counters = (await this.#driverTap?.close()) ?? noCounters
    const active = this.files.active(counters)
    await this.files.release()
    this.record.add(counters)
    this.record.endInGap(reason, active)
  }

  #begin(): void {
    if (this.record.hasBegun) return
    this.record.begin(this.#spec)
    if (this.#spec.limits.durationMs !== undefined)
      this.#driverTap?.setWindow(this.record.windowOf(this.#spec))
  }

  // A step resolves to whether it changed the tap's actual state.
  #enqueue(step: () => Promise<boolean>): void {
    this.#steps = this.#steps
      .then(() => !this.#stop.signal.aborted && step())
      .then(isChanged => isChanged && this.#deps.onChange())
      .catch(error => this.#breakDown(error))
  }

  #breakDown(error: unknown): void {
    if (!isExpected(error)) throw error
    this.#deps.onBroken(error)
  }

  async #openDriver(): Promise<void> {
    const { interfaceName, netns, insideIsPod } = this.#match
    const { snapLength, payload, format, ringBytes } = this.#spec
    const source = { interfaceName, insideIsPod, ...(netns !== undefined && { netns }) }
    const target = {
      group: this.#deps.group,
      sink: this.files.sink,
      window: this.record.windowOf(this.#spec),
    }
    const spec = {
      ...filterOf(this.#spec),
      snapLength,
      payload,
      format,
      ringBytes,
      ...source,
      ...target,
    }
    this.#driverTap = await this.#deps.driver.open(spec, event => this.#handle(event))
    this.files.attach(this.#driverTap)
  }

  async #closeDriver(): Promise<void> {
    if (!this.#driverTap) return
    const counters = await this.#deps.folder.queue.disk.watch(this.#driverTap.close()) // the driver writes what it holds
    this.record.add(counters)
    this.#driverTap = undefined
    await this.files.detach(counters)
  }

  #handle(event: TapEvent): void {
    switch (event.kind) {
      case 'firstPacket':
        this.#begin() // even if the clock was set back to before the window
        this.files.firstPacket(event.atMs)
        return this.#deps.onChange()
      case 'moved':
        return this.#filesMoved(event.counters)
      case 'limit':
        return this.#deps.onLimit(event.limit)
      case 'writeFailed':
        this.files.writeFailed(event.code)
        return this.#deps.onChange()
      case 'down':
        return this.#enqueue(() => this.#checkInterface())
    }
  }

  // Also while the tap is being closed: every file that the driver completed must get its rotated
  // name.
  #filesMoved(counters: TapCounters): void {
    try {
      this.files.moved(counters)
    } catch (error) {
      this.#breakDown(error)
    }
  }

  // The driver reported the interface down. Another namespace has no link events, and in the host's
  // one may be missed.
  async #checkInterface(): Promise<boolean> {
    const { netns, interfaceName } = this.#match
    if (netns !== undefined)
      return this.#loseInterface('its network namespace or interface is gone')
    const link = (await this.#deps.driver.links()).find(({ name }) => name === interfaceName)
    if (!link) return this.#loseInterface(`interface ${interfaceName} is gone`)
    return !link.isUp && this.record.interrupt(`interface ${interfaceName} is down`)
  }

  async #loseInterface(reason: string): Promise<boolean> {
    const isChanged = this.record.interrupt(reason)
    await this.#closeDriver()
    this.#reopening.lost(this.#deps.clock.now())
    return isChanged
  }

  // `isUp`: this interface is up again. Any other new interface ends the gap only of a tap without
  // a driver's tap.
  async #resume(isUp = false): Promise<boolean> {
    if (!this.record.isInGap || (this.#driverTap && !isUp)) return false
    if (!this.#driverTap && !(await this.#reopen())) return false
    this.record.resume()
    return true
  }

  async #reopen(): Promise<boolean> {
    this.#reopening.trying(this.#deps.clock.now())
    try {
      const match = await this.#deps.resolve(this.#spec)
      if (match.interfaceName !== this.#match.interfaceName)
        throw new ExpectedError(`Cannot go on: the interface is "${match.interfaceName}" now`)
      this.#match = match
      await this.#openDriver()
      return true
    } catch (error) {
      if (error instanceof TapError) return false
      throw error
    }
  }
}
