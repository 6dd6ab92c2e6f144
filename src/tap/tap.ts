// One open tap: an endpoint's files and, while its interface exists, a driver's tap that writes to
// them. In: the spec, link changes, the time, the driver's events. Out: files, the endpoint's
// record, callbacks to the manager. When the interface is gone or is another one (by name, index or
// namespace) it closes the driver's tap and begins a gap; then it opens another one on the same
// files. A tap opened before its
// window shows no endpoint and hides its files until the window opens. Steps run one at a time.
// Refuses with TapError, ExpectedError or the error of a system call.

import type {
  Driver,
  DriverTap,
  InterfaceLoss,
  LimitGroup,
  LinkChange,
  TapCounters,
  TapEvent,
} from '../driver/driver.ts'
import type { CaptureFolder, LiveEndpoint } from '../files/captureFolder.ts'
import type { FileRotation } from '../files/rotation.ts'
import type { ActiveFile } from '../files/storedTypes.ts'
import type { LostFileReason } from '../model/capture.ts'
import type { CloseReason } from '../model/codes.ts'
import { ExpectedError, isExpected, TapError } from '../model/errors.ts'
import { diskStalledMs, recordOptionsOf, type TapSpec, type WaitingForDisk } from '../model/tap.ts'
import type { TapWindow } from '../model/tapWindow.ts'
import { type InterfaceMatch, isSameInterface } from '../netdev/interfaceResolver.ts'
import type { Clock } from '../runtime/clock.ts'
import { noCounters } from './endpointCounters.ts'
import { EndpointRecord } from './endpointRecord.ts'
import { openRotation } from './openFiles.ts'
import { ReopenSchedule } from './reopen.ts'
import type { TapAhead } from './tapAhead.ts'
import { TapFiles } from './tapFiles.ts'

export type ResolveInterface = (spec: TapSpec) => Promise<InterfaceMatch>

export type TapDeps = {
  readonly driver: Driver
  readonly clock: Clock
  readonly folder: CaptureFolder
  readonly group: LimitGroup
  readonly node: string
  readonly resolve: ResolveInterface // anew at each call
  readonly onChange: () => void
  readonly onMoved: () => void // to another file: the state file must follow
  readonly onLimit: (limit: 'packets' | 'bytes') => void
  readonly onBroken: (error: Error) => void // its files cannot be kept: release() it
}

export const quietCheckMs = 30_000 // between two checks of a file that gets no packets
const neverChecked = { packets: 0, changes: 0, atMs: Number.NEGATIVE_INFINITY }

export class Tap {
  readonly #deps: TapDeps
  readonly files: TapFiles
  readonly #stop = new AbortController()
  #spec: TapSpec
  #match: InterfaceMatch
  readonly record: EndpointRecord
  #driverTap: DriverTap | undefined // while the interface exists
  #ahead: TapAhead | undefined // which the driver's tap was
  #isDown = false // the driver's tap is open, and goes on when the interface is up
  #seenAtMs = 0 // when the interface was last the right one
  readonly #reopening = new ReopenSchedule()
  #checked = neverChecked // when the disk was last asked about the file, by performance.now(); the packets and the changes of the directory until then
  #steps: Promise<unknown> = Promise.resolve()

  private constructor(deps: TapDeps, spec: TapSpec, match: InterfaceMatch, files: FileRotation) {
    const { name, uid, podInterface } = spec.endpoint
    const { interfaceName, vantage } = match
    const ofPod = podInterface === undefined ? {} : { podInterface }
    const identity = { name, uid, ...ofPod, interfaceName, vantage }
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
      onLost: lost => this.record.noteLost(lost),
      onBroken: error => this.#breakDown(error),
    })
    this.record = new EndpointRecord(
      { ...deps, identity, live: () => this.live() },
      this.files.name,
    )
  }

  /** `ahead`: its driver's tap is open already. */
  static async open(
    deps: TapDeps,
    spec: TapSpec,
    match: InterfaceMatch,
    ahead?: TapAhead,
  ): Promise<Tap> {
    const files = await openRotation(deps, spec, match, ahead?.packetsSinceMs)
    const tap = new Tap(deps, spec, match, files)
    try {
      if (ahead) tap.#takeOver(ahead)
      else await tap.#openDriver()
    } catch (error) {
      if (tap.#driverTap) await deps.folder.queue.disk.watch(tap.#driverTap.close())
      await tap.files.abandon()
      tap.record.dismiss()
      throw error
    }
    tap.record.noteOpened(ahead?.openedAtMs)
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

  /** Packets that the disk has not taken for a while. */
  get waiting(): WaitingForDisk | undefined {
    const waiting = this.#driverTap?.waiting()
    if (!waiting || waiting.oldestMs < diskStalledMs) return undefined
    return { sinceMs: this.#deps.clock.now() - waiting.oldestMs, bytes: waiting.bytes }
  }

  get folder(): CaptureFolder {
    return this.#deps.folder
  }

  /** Of this endpoint: dropped by the kernel, refused, or gone with a file. */
  get missingPackets(): number {
    const {
      dropped,
      refused,
      lost = 0,
    } = this.record.with(this.#driverTap?.counters() ?? noCounters)
    return dropped + refused + lost
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
    this.#driverTap?.setWindow(this.#window)
    this.files.adjust(spec.rotation)
  }

  /**
   * To be called each second: rotates by age, retries a failed write, looks for a lost interface.
   */
  tick(nowMs: number, resolve: ResolveInterface): void {
    if (this.files.tick(nowMs)) this.#deps.onChange()
    if (this.#driverTap || !this.#reopening.isDue(nowMs)) return
    this.#reopening.queued(nowMs)
    this.#enqueue(() => this.#resume(resolve))
  }

  /** By time it has nothing to do but to rotate its file. */
  get isSteady(): boolean {
    return this.#driverTap !== undefined && this.files.isSteady
  }

  /** Its interface is of the host's namespace and has the name that was asked for: the driver tells of its changes. */
  get isTold(): boolean {
    const { netns, interfaceName } = this.#match
    return netns === undefined && interfaceName === this.#spec.interfaceName
  }

  /** Being told is quicker; by time nothing is missed, such as an address that moved. */
  look(resolve: ResolveInterface): void {
    const seen = this.#match
    this.#enqueue(async () => this.#match === seen && this.#lookAgain(resolve))
  }

  /**
   * To be called each second: compares the file that is written with the one that is listed. Without a
   * packet and without a change in the directory the disk is asked now and then only.
   */
  async checkFile(): Promise<void> {
    const driverTap = this.#driverTap
    if (!driverTap || this.#stop.signal.aborted) return
    const counters = driverTap.counters()
    const checked = {
      packets: counters.packets,
      changes: this.#deps.folder.changes,
      atMs: performance.now(),
    }
    if (this.#isKnown(checked)) return
    const reason = await this.files.check(counters)
    this.#checked = checked
    if (reason !== undefined) this.#enqueue(() => this.#replaceFile(driverTap, reason))
  }

  #isKnown({ packets, changes, atMs }: typeof neverChecked): boolean {
    const before = this.#checked
    return (
      packets === before.packets && changes === before.changes && atMs - before.atMs < quietCheckMs
    )
  }

  /** An interface of the host's namespace changed. */
  linkChanged({ kind, name, index }: LinkChange): void {
    const { netns, interfaceName } = this.#match
    const isOurs =
      netns === undefined && (index === 0 ? name === interfaceName : index === this.#match.index)
    if (isOurs && kind !== 'gone' && name !== interfaceName)
      this.#enqueue(() => this.#loseInterface(`interface ${interfaceName} was renamed`))
    else if (isOurs && kind === 'gone')
      this.#enqueue(() => this.#loseInterface(`interface ${name} is gone`))
    else if (isOurs && kind === 'down')
      this.#enqueue(async () => this.#interrupt(`interface ${name} is down`))
    if (kind === 'present') this.#enqueue(() => this.#resume(undefined, isOurs))
  }

  /** Resolves to the time of the last packet that its driver's tap took. */
  async close(reason: CloseReason): Promise<number | undefined> {
    this.startIfDue()
    this.#stop.abort()
    await this.#steps
    const atMs = this.#deps.clock.now()
    try {
      const lastPacketMs = await this.#closeDriver()
      if (this.record.hasBegun) this.#end(reason, atMs, await this.files.close())
      else {
        await this.files.abandon()
        this.record.dismiss()
      }
      return lastPacketMs
    } catch (error) {
      this.#end(reason, atMs, this.files.active(noCounters)) // the disk refused something: the tap has ended all the same
      await this.files.release(noCounters)
      throw error
    }
  }

  #end(reason: CloseReason, atMs: number, active: ActiveFile): void {
    if (this.record.hasBegun) this.record.end(this.#spec, active, reason, atMs)
    else this.record.dismiss()
  }

  /** Whether packets come now. */
  get isTaking(): boolean {
    return this.#driverTap !== undefined && !this.#isDown
  }

  /**
   * Closes without touching the files, which cannot be kept. A gap begins, and ends when another
   * tap opens.
   */
  async release(reason: string): Promise<void> {
    this.#stop.abort()
    await this.#steps
    const atMs = this.#deps.clock.now()
    const { disk } = this.#deps.folder.queue
    const counters = this.#driverTap ? await disk.watch(this.#driverTap.close()) : noCounters
    const active = this.files.active(counters)
    const lost = await this.files.release(counters)
    this.record.add(counters)
    if (lost && !this.record.isInGap) this.record.beginGap(lost.reason, lost.fromMs)
    if (lost) this.record.noteLost(lost)
    this.record.endInGap(reason, active, atMs)
  }

  #begin(): void {
    if (this.record.hasBegun) return
    this.record.begin(this.#spec)
    if (this.#spec.limits.durationMs !== undefined) this.#driverTap?.setWindow(this.#window)
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
    const { vantage: _, ...source } = this.#match
    const { ringBytes } = this.#spec
    const target = {
      group: this.#deps.group,
      sink: this.files.sink,
      window: this.#window,
    }
    const spec = { ...recordOptionsOf(this.#spec), ringBytes, ...source, ...target }
    this.#follow(await this.#deps.driver.open(spec, event => this.#handle(event)))
  }

  #takeOver(ahead: TapAhead): void {
    this.#ahead = ahead
    const window = this.record.windowOf(this.#spec)
    this.#follow(ahead.begin(this.files.sink, window, event => this.#handle(event)))
  }

  get #window(): TapWindow {
    const window = this.record.windowOf(this.#spec)
    return this.#ahead?.windowOf(window) ?? window
  }

  #follow(tap: DriverTap): void {
    this.#driverTap = tap
    this.#isDown = false
    this.#seenAtMs = this.#deps.clock.now()
    this.files.attach(this.#driverTap)
  }

  /** The file is not the one that is listed any more. Another one begins, with a gap. */
  async #replaceFile(driverTap: DriverTap, reason: LostFileReason): Promise<boolean> {
    if (driverTap !== this.#driverTap || this.#isDown) return false
    this.record.beginGap(reason, this.files.seenAtMs)
    await this.#closeDriver()
    await this.#openDriver()
    this.record.resume()
    this.#deps.onMoved()
    return true
  }

  async #closeDriver(): Promise<number | undefined> {
    if (!this.#driverTap) return undefined
    const counters = await this.#deps.folder.queue.disk.watch(this.#driverTap.close()) // the driver writes what it holds
    this.record.add(counters)
    this.#driverTap = undefined
    const lost = await this.files.detach(counters)
    if (lost) this.record.noteLost(lost)
    return counters.lastPacketMs
  }

  #handle(event: TapEvent): void {
    switch (event.kind) {
      case 'firstPacket':
        this.#begin() // even if the clock was set back to before the window
        this.files.firstPacket(event.atMs)
        this.record.noteFirst(event.atMs)
        return this.#deps.onChange()
      case 'moved':
        return this.#filesMoved(event.counters)
      case 'limit':
        return this.#deps.onLimit(event.limit)
      case 'writeFailed':
        this.files.writeFailed(event.code)
        return this.#deps.onChange()
      case 'down':
        return this.#enqueue(() => this.#interfaceLost(event))
      case 'up':
        return this.#enqueue(() => this.#resume(undefined, true))
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

  async #interfaceLost({ state, sinceMs }: InterfaceLoss): Promise<boolean> {
    const { interfaceName, netns } = this.#match
    const reasons = {
      down: `interface ${interfaceName} is down`,
      gone: `interface ${interfaceName} is gone`,
      renamed: `interface ${interfaceName} was renamed`,
      namespaceGone: `its network namespace ${netns} is gone, or its name was given to another`,
    }
    return state === 'down'
      ? this.#interrupt(reasons.down, sinceMs)
      : this.#loseInterface(reasons[state], sinceMs)
  }

  #interrupt(reason: string, sinceMs = this.#deps.clock.now()): boolean {
    if (!this.#driverTap) return false
    this.#isDown = true
    return this.record.interrupt(reason, sinceMs)
  }

  // Told before the driver's tap closes, which waits for the disk.
  async #loseInterface(reason: string, sinceMs = this.#deps.clock.now()): Promise<boolean> {
    if (!this.#driverTap) return false
    const isChanged = this.record.lose(reason, sinceMs)
    await this.#closeDriver()
    this.#reopening.lost(this.#deps.clock.now())
    return isChanged
  }

  // Without an answer all stays as it is. An interface that is down may lack its addresses.
  async #lookAgain(resolve: ResolveInterface): Promise<boolean> {
    if (!this.#driverTap || this.#isDown) return false
    const found = await this.#find(resolve)
    if (found === undefined) return false
    const sinceMs = this.#seenAtMs
    this.#seenAtMs = this.#deps.clock.now()
    if (found !== 'missing' && isSameInterface(found, this.#match)) return false
    const isChanged = await this.#loseInterface(lookedReason(this.#match, found), sinceMs)
    return (await this.#resume()) || isChanged
  }

  /** undefined: that cannot be told now. */
  async #find(resolve: ResolveInterface): Promise<InterfaceMatch | 'missing' | undefined> {
    try {
      return await resolve(this.#spec)
    } catch (error) {
      if (!(error instanceof TapError)) throw error
      return error.code === 'NO_INTERFACE' ? 'missing' : undefined
    }
  }

  // `isUp`: this interface is up again. Any other new interface ends the gap only of a tap without
  // a driver's tap.
  async #resume(resolve = this.#deps.resolve, isUp = false): Promise<boolean> {
    if (!this.record.isInGap || (this.#driverTap && !isUp)) return false
    if (!this.#driverTap && !(await this.#reopen(resolve))) return false
    this.#isDown = false
    this.record.resume()
    return true
  }

  async #reopen(resolve: ResolveInterface): Promise<boolean> {
    this.#reopening.trying(this.#deps.clock.now())
    try {
      const match = await resolve(this.#spec)
      // Files are named after the interface, and their headers say the link type.
      if (match.interfaceName !== this.#match.interfaceName)
        throw new ExpectedError(`Cannot go on: the interface is "${match.interfaceName}" now`)
      if (match.linkType !== this.#match.linkType)
        throw new ExpectedError(`Cannot go on: the link type of "${match.interfaceName}" changed`)
      this.#match = match
      await this.#openDriver()
      return true
    } catch (error) {
      if (error instanceof TapError) return false
      throw error
    }
  }
}

function lookedReason(
  { interfaceName }: InterfaceMatch,
  found: InterfaceMatch | 'missing',
): string {
  if (found === 'missing') return `interface ${interfaceName} does not have its address, or is gone`
  return found.interfaceName === interfaceName
    ? `another interface ${interfaceName} is its own now`
    : `its interface is ${found.interfaceName} now`
}
