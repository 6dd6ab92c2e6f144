// Owns all taps and the folders of their captures. In: the actions of a turn. Out: open and closed
// taps, and the actual state for the next turn. Closes taps before it opens others, all at once. A
// tap that does not open becomes a failed tap with a reason and a retry time. Decides nothing: an
// event only asks the engine for another turn. A disk that does not answer holds no turn up: what
// it has not done yet goes on beside the next turns, in order.

import type { Driver, LinkChange } from '../driver/driver.ts'
import type { CaptureFolder } from '../files/captureFolder.ts'
import { freePercent } from '../files/directories.ts'
import type { ActualState, Halt, PodInterfaces as PresentInterfaces } from '../model/actualState.ts'
import type { ArtifactResult } from '../model/artifact.ts'
import type { CloseReason } from '../model/codes.ts'
import { type Endpoint, podKey } from '../model/endpoint.ts'
import { isExpected } from '../model/errors.ts'
import type { Settings } from '../model/settings.ts'
import type { Action, ActualTap, TapSpec } from '../model/tap.ts'
import { isoTime } from '../model/time.ts'
import { InterfaceResolver } from '../netdev/interfaceResolver.ts'
import { PodInterfaces } from '../netdev/podInterfaces.ts'
import type { Clock } from '../runtime/clock.ts'
import { DiskLook } from '../runtime/disk.ts'
import type { Logger } from '../runtime/log.ts'
import { CaptureFolders } from './captureFolders.ts'
import { noDescriptors, readDescriptors, tapsWithin } from './descriptors.ts'
import { type FailedTap, failureOf } from './failure.ts'
import { InterfaceCounters } from './interfaceCounters.ts'
import { Round } from './round.ts'
import { quietCheckMs, Tap } from './tap.ts'
import { editedTaps, inPortions, TapAhead } from './tapAhead.ts'

export type TapManagerDeps = {
  readonly driver: Driver
  readonly clock: Clock
  readonly node: string
  readonly settings: () => Settings
  readonly log: Logger
  readonly netnsDirectory?: string // of the pods' namespaces, for tests
}

const saveIntervalMs = 10_000 // of the counters; a change of state is saved at once
const lookIntervalMs = 4_000 // at the interfaces of taps of whose changes nobody tells
const toldLookIntervalMs = 30_000 // at those of all taps, unless an interface changed
const tickMs = 1_000 // and when a file reaches its maximum age
const tickMsMin = 20
const stillTickMs = 10_000 // while no tap counts or awaits anything
const stillSaveMs = 60_000 // while no tap counts anything
const lookMs = 1_000 // between two looks at the disk
const stopGraceMs = 10_000 // for a disk that does not answer while the process stops

/** An action of an earlier turn that the disk has not done yet. */
type PendingAction = {
  readonly action: Extract<Action, { kind: 'close' | 'open' | 'adjust' }>
  readonly sinceMs: number
}

export class TapManager implements AsyncDisposable {
  readonly #deps: TapManagerDeps
  readonly #folders: CaptureFolders
  readonly #taps = new Map<string, Tap>() // by spec id
  readonly #notBegun = new Set<Tap>() // of these, those whose window was not open in the last turn
  readonly #failed = new Map<string, FailedTap>() // by spec id
  readonly #unsaved = new Set<CaptureFolder>() // their state is saved at the next tick
  readonly #lost = new WeakMap<Tap, number>() // packets dropped and refused, when the state was last saved for them
  readonly #knownLinks = new Set<number>() // by interface index
  #bufferBytesMax: number | undefined // as the driver has it
  readonly #closing = new Map<Tap, Promise<unknown>>() // their last counts are not known yet
  #nextLookAtMs = 0
  #lookedAtAllMs = 0 // the interfaces of all taps
  #hasLinkChanged = false // since then
  #looking: Promise<unknown> | undefined
  #stopped: Promise<string> | undefined
  #releasing: Promise<unknown> = Promise.resolve() // of taps that broke down: they own their files until they are closed
  readonly #interfaceCounters: InterfaceCounters
  readonly #links: Disposable
  readonly #podInterfaces: PodInterfaces
  readonly #space: DiskLook<number> // how much of the disk is free, in percent
  #spaceNoted = 0 // as changeCounter() tells it
  readonly #pending = new Map<string, PendingAction>() // by spec id
  #applying: Promise<unknown> = Promise.resolve() // the actions of all turns, one turn after the other
  readonly #stop = new AbortController()
  readonly #ticks = new Round(stillTickMs)
  readonly #saves = new Round(stillSaveMs)
  readonly #checks = new Round(quietCheckMs + lookMs)
  #edits = 0 // of the taps, by this process
  #counted = { changes: '', text: '' } // see changeCounter()
  #listener: () => void = () => {}

  private constructor(deps: TapManagerDeps, folders: CaptureFolders, space: DiskLook<number>) {
    this.#deps = deps
    this.#folders = folders
    this.#space = space
    this.#interfaceCounters = new InterfaceCounters(deps.driver)
    this.#podInterfaces = new PodInterfaces(
      () => this.#resolver(),
      changed => this.#podsChanged(changed),
    )
    this.#links = deps.driver.watchLinks(change => this.#linkChanged(change))
    void this.#tickAndSave()
  }

  /**
   * Adopts the captures of an earlier run under captureDir: repairs files and continues counters.
   */
  static async open(deps: TapManagerDeps): Promise<TapManager> {
    const { captureDir } = deps.settings()
    const folders = await CaptureFolders.open(deps, captureDir)
    const readSpace = () => folders.disk.run(() => freePercent(captureDir))
    return new TapManager(deps, folders, new DiskLook(await readSpace(), readSpace))
  }

  onChange(listener: () => void): void {
    this.#listener = listener
  }

  actualState(): Omit<ActualState, 'filterErrors'> {
    const captures = this.#folders.actualCaptures()
    const taps = new Map<string, ActualTap>()
    for (const [id, { spec, message, waiting }] of this.#taps)
      taps.set(id, {
        spec,
        state: 'open',
        ...(message !== undefined && { message }),
        ...(waiting && { waiting }),
      })
    for (const [id, { spec, message, tries, retryAtMs }] of this.#failed)
      taps.set(id, {
        spec,
        state: 'failed',
        message,
        tries,
        ...(retryAtMs !== undefined && { retryAtMs }),
      })
    for (const [id, pending] of this.#pending) this.#showPending(taps, id, pending)
    return {
      taps,
      captures,
      disk: {
        usedBytes: [...captures.values()].reduce((bytes, { fileBytes }) => bytes + fileBytes, 0),
        freePercent: this.#space.value,
      },
      podInterfaces: this.podInterfaces,
    }
  }

  /** A turn must not ask again for what is being done. */
  #showPending(taps: Map<string, ActualTap>, id: string, { action, sinceMs }: PendingAction): void {
    const before = taps.get(id)
    switch (action.kind) {
      case 'close':
        return void taps.delete(id)
      case 'adjust':
        return void (before && taps.set(id, { ...before, spec: action.spec }))
      case 'open': {
        const message = `Cannot open the tap yet: the disk of the capture files has not answered since ${isoTime(sinceMs)}`
        return void taps.set(id, { spec: action.spec, state: 'failed', message })
      }
    }
  }

  // The setting may change while the process runs.
  #applyBufferBytesMax(): void {
    const { captureBufferBytesMax } = this.#deps.settings()
    if (captureBufferBytesMax === this.#bufferBytesMax) return
    this.#bufferBytesMax = captureBufferBytesMax
    this.#deps.driver.setBufferBytesMax(captureBufferBytesMax)
  }

  /** The packets of all taps that wait for a disk. */
  buffer(): { readonly bytes: number; readonly highWaterBytes: number; readonly oldestMs: number } {
    const { bytes, highWaterBytes, devices } = this.#deps.driver.buffer()
    return {
      bytes,
      highWaterBytes,
      oldestMs: Math.max(0, ...devices.map(({ oldestMs }) => oldestMs)),
    }
  }

  /**
   * A text that changes with every counted packet, with files that others made or removed, with a
   * disk that answers or not, and with its free space; far cheaper than actualState().
   */
  changeCounter(): string {
    const changes = this.#changes()
    if (changes !== this.#counted.changes) this.#counted = { changes, text: this.#count() }
    return `${this.#counted.text} ${this.#folders.found} ${this.#notedSpace()}`
  }

  #count(): string {
    let [counted, stalled] = [0, 0]
    for (const tap of this.#taps.values()) {
      counted += tap.changeCounter
      if (tap.waiting !== undefined) stalled++
    }
    return `${counted} ${stalled}`
  }

  /** The free space in percent, as it was when it last changed by a hundredth of itself or passed the setting. */
  #notedSpace(): number {
    const floor = this.#deps.settings().captureDiskFreePercentMin
    const [noted, now] = [this.#spaceNoted, this.#space.value]
    const isOther = Math.abs(now - noted) * 100 >= noted || now < floor !== noted < floor
    if (isOther) this.#spaceNoted = now
    return this.#spaceNoted
  }

  /**
   * Carries out a turn's actions. Resolves when all are done, or when the disk does not answer: the
   * actions go on then, and the listener hears of their end.
   */
  async apply(actions: readonly Action[]): Promise<void> {
    if (actions.length === 0) return
    const pending = this.#note(actions)
    const applied = this.#applying.then(() => this.#applyAll(actions))
    this.#applying = applied.finally(() => this.#forget(pending)).catch(() => {}) // whoever waits for `applied` gets the error
    if (await this.#folders.disk.answered(this.#applying)) return applied
    applied.then(() => this.#changed(), this.#fail)
  }

  async #applyAll(actions: readonly Action[]): Promise<void> {
    await this.#releasing
    const scan = this.#resolver()
    const edited = new Map(editedTaps(actions).filter(([id]) => this.#taps.get(id)?.isTaking))
    await Promise.all(
      actions.map(
        action =>
          action.kind === 'close' &&
          !edited.has(action.id) &&
          this.#close(action.id, action.reason),
      ),
    )
    for (const action of actions)
      if (action.kind === 'forget') await this.#folders.remove(action.captureKey, action.uid)
    for (const action of actions) if (action.kind === 'adjust') this.#adjust(action.spec)
    const opens = actions.flatMap(action => (action.kind === 'open' ? [action.spec] : []))
    for (const specs of inPortions(opens.filter(({ id }) => edited.has(id))))
      await Promise.all(
        specs.map(spec => this.#handOver(spec, edited.get(spec.id) ?? 'changed', scan)),
      )
    await this.#openNew(
      opens.filter(({ id }) => !edited.has(id)),
      scan,
    )
    await this.#folders.save(false)
    if (actions.some(action => action.kind === 'open'))
      await this.#interfaceCounters.refresh(this.#taps.values()) // the first reading of new taps
  }

  async #openNew(specs: readonly TapSpec[], scan: InterfaceResolver): Promise<void> {
    if (specs.length === 0) return
    const room = tapsWithin(await readDescriptors())
    for (const spec of specs.slice(room)) this.#notOpened(spec, noDescriptors())
    await Promise.all(specs.slice(0, room).map(spec => this.#open(spec, scan)))
  }

  #note(actions: readonly Action[]): readonly (readonly [string, PendingAction])[] {
    const sinceMs = this.#deps.clock.now()
    const noted = actions.flatMap(action => {
      if (action.kind === 'forget') return []
      const id = action.kind === 'close' ? action.id : action.spec.id
      return [[id, { action, sinceMs }] as const]
    })
    for (const [id, pending] of noted) this.#pending.set(id, pending)
    return noted
  }

  #forget(done: readonly (readonly [string, PendingAction])[]): void {
    for (const [id, pending] of done)
      if (this.#pending.get(id) === pending) this.#pending.delete(id)
  }

  get podInterfaces(): PresentInterfaces {
    return this.#podInterfaces.present
  }

  /**
   * Looks at the interfaces inside exactly these pods from now on. Resolves when none is unknown any
   * more; the listener hears of what changes.
   */
  watchPods(pods: readonly Endpoint[]): Promise<void> {
    return this.#podInterfaces.watch(pods)
  }

  /** Shows the endpoints of taps whose window has opened. */
  startDue(): void {
    this.#applyBufferBytesMax()
    const notBegun = [...this.#notBegun]
    for (const tap of notBegun) tap.startIfDue()
    const begun = notBegun.filter(tap => tap.record.hasBegun)
    for (const tap of begun) this.#notBegun.delete(tap)
    if (begun.length === 0) return
    void this.#folders.save(false)
    void this.#interfaceCounters.refresh(begun) // the first reading
  }

  /** The folder of a capture; undefined: there is none of that uid. */
  folderOf(key: string, uid: string): CaptureFolder | undefined {
    const folder = this.#folders.folder(key)
    return folder?.capture.uid === uid ? folder : undefined
  }

  halt(key: string, halt: Halt | undefined): void {
    const folder = this.#folders.folder(key)
    folder?.setHalt(halt)
    if (folder) void this.#folders.saveOne(folder, false)
  }

  /**
   * Stores what became of a capture's artifact and removes the files it was made of. Without the
   * capture the artifact is removed.
   */
  async setArtifactResult(key: string, uid: string, artifact: ArtifactResult): Promise<void> {
    const folder = this.folderOf(key, uid)
    folder?.setArtifactResult(artifact)
    if (folder) await this.#folders.saveOne(folder, true)
    try {
      if (!folder) await this.#folders.removeArtifact(artifact)
      else if (artifact.error === undefined) await folder.clean()
    } catch (error) {
      if (!isExpected(error)) throw error
      this.#deps.log.warn({ capture: key, error: error.message }, 'files not removed')
    }
  }

  /** Rotates files of maximum age and retries whatever is due. */
  rotateDue(): void {
    const scan = this.#resolver() // one for all taps that look for an interface
    for (const tap of [...this.#taps.values()])
      tap.tick(this.#deps.clock.now(), spec => scan.find(spec))
  }

  /**
   * Closes every tap. Resolves when files are complete and counts final, to ''; or when the disk
   * does not answer, to what is not done.
   */
  stop(): Promise<string> {
    this.#stopped ??= this.#stopAll()
    return this.#stopped
  }

  async #stopAll(): Promise<string> {
    this.#stop.abort()
    this.#links[Symbol.dispose]()
    const closed = this.#applying
      .then(() => this.#releasing)
      .then(() => Promise.all([...this.#taps.keys()].map(id => this.#close(id, 'stopping'))))
      .then(() => this.#folders.lookAtAll()) // the last status lists what is there
      .then(() => this.#folders.save(true))
    const { disk } = this.#folders
    if (await disk.answered(closed, stopGraceMs))
      return this.#folders.isRemovingStalled ? 'the disk of an artifact does not answer' : ''
    closed.catch(this.#fail)
    const seconds = Math.round(disk.silentMs / 1_000)
    return `the disk of the capture files has not answered for ${seconds} s: ${disk.pending} of its operations and the files of ${this.#taps.size + this.#closing.size} taps are not complete`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  /** Opens the new ring before the old one is closed; if that fails, after it. */
  async #handOver(spec: TapSpec, reason: CloseReason, scan: InterfaceResolver): Promise<void> {
    const ahead = await this.#openAhead(spec, scan)
    const lastPacketMs = await this.#close(spec.id, reason)
    ahead?.follow(lastPacketMs)
    await this.#open(spec, scan, ahead)
    if (this.#failed.has(spec.id)) await ahead?.dismiss()
  }

  async #openAhead(spec: TapSpec, scan: InterfaceResolver): Promise<TapAhead | undefined> {
    const { driver, clock } = this.#deps
    try {
      const match = await scan.find(spec)
      const { group } = await this.#folders.open(spec)
      return await TapAhead.open({ driver, group, now: () => clock.now() }, spec, match)
    } catch (error) {
      if (!isExpected(error)) throw error
      return undefined // opening it after the close says why
    }
  }

  async #open(spec: TapSpec, scan: InterfaceResolver, ahead?: TapAhead): Promise<void> {
    try {
      const ofCapture = [...this.#closing].filter(
        ([tap]) => tap.spec.captureKey === spec.captureKey,
      )
      await Promise.all(ofCapture.map(([, closed]) => closed)) // what they wrote counts against the limits
      const { folder, group } = await this.#folders.open(spec)
      const isCounting = [...this.#taps.values()].some(
        tap => tap.spec.captureKey === spec.captureKey,
      )
      if (!isCounting) this.#folders.limit(spec)
      const tap = await Tap.open(
        {
          driver: this.#deps.driver,
          clock: this.#deps.clock,
          folder,
          group,
          node: this.#deps.node,
          resolve: wanted => this.#resolver().find(wanted),
          onChange: () => this.#changed(),
          onMoved: () => this.#unsavedIn(folder),
          onLimit: limit => this.#limitReached(spec, limit),
          onBroken: error => this.#broken(spec.id, error),
        },
        spec,
        ahead?.match ?? (await scan.find(spec)),
        ahead,
      )
      tap.startIfDue()
      this.#taps.set(spec.id, tap)
      this.#edits++
      if (!tap.record.hasBegun) this.#notBegun.add(tap)
      this.#failed.delete(spec.id)
    } catch (error) {
      this.#notOpened(spec, error)
    }
  }

  #notOpened(spec: TapSpec, error: unknown): void {
    const before = this.#failed.get(spec.id)
    const failed = failureOf({
      spec,
      error,
      tries: (before?.tries ?? 0) + 1,
      nowMs: this.#deps.clock.now(),
    })
    this.#failed.set(spec.id, failed)
    const { code, message } = failed
    // The numbers in a message may change with each try, so a failure with a code is logged once
    // per code.
    const isLogged =
      before !== undefined &&
      (code === undefined ? before.message === message : before.code === code)
    if (!isLogged)
      this.#deps.log.warn({ tap: spec.id, ...(code && { code }), error: message }, 'tap not opened')
  }

  /** Resolves to the time of the last packet that was taken. */
  async #close(id: string, reason: CloseReason): Promise<number | undefined> {
    this.#failed.delete(id)
    const tap = this.#taps.get(id)
    this.#taps.delete(id)
    this.#edits++
    if (!tap) return undefined
    this.#notBegun.delete(tap)
    const closed = this.#complete(id, tap.close(reason))
    this.#closing.set(tap, closed)
    return closed.finally(() => this.#closing.delete(tap))
  }

  /** A disk that refuses what a tap does last costs its files, and nothing else. */
  async #complete<T>(id: string, closed: Promise<T>): Promise<T | undefined> {
    try {
      return await closed
    } catch (error) {
      if (!isExpected(error)) throw error
      this.#deps.log.warn({ tap: id, error: error.message }, 'files not completed')
      return undefined
    }
  }

  /** Releases a tap whose files cannot be kept; it is opened again like a tap that failed. */
  #broken(id: string, error: Error): void {
    const tap = this.#taps.get(id)
    if (!tap) return
    this.#taps.delete(id)
    this.#edits++
    this.#notBegun.delete(tap)
    this.#failed.set(
      id,
      failureOf({ spec: tap.spec, error, tries: 1, nowMs: this.#deps.clock.now() }),
    )
    this.#releasing = Promise.all([
      this.#releasing,
      this.#complete(id, tap.release(error.message)).then(() => this.#changed()),
    ])
    this.#changed()
  }

  #adjust(spec: TapSpec): void {
    const tap = this.#taps.get(spec.id)
    const { packets, bytes } = tap?.spec.limits ?? {}
    tap?.adjust(spec)
    this.#edits++
    if (packets !== spec.limits.packets || bytes !== spec.limits.bytes) this.#folders.limit(spec)
  }

  #limitReached({ id, captureKey, limits }: TapSpec, kind: 'packets' | 'bytes'): void {
    const folder = this.#folders.folder(captureKey)
    const limit = (this.#taps.get(id)?.spec.limits ?? limits)[kind] // the tap may still be opening
    if (!folder || limit === undefined) return
    folder.setLimitHit({ kind, limit, atMs: this.#deps.clock.now() })
    void this.#folders.saveOne(folder, true)
    this.#changed()
  }

  #podsChanged(changed: ReadonlySet<string>): void {
    this.#retryMissing(({ spec: { endpoint } }) => changed.has(podKey(endpoint)))
    this.#changed()
  }

  #linkChanged(change: LinkChange): void {
    this.#hasLinkChanged = true
    if (change.kind !== 'down') void this.#podInterfaces.look(true).catch(this.#fail) // the other end may be in a pod
    for (const tap of this.#taps.values()) tap.linkChanged(change)
    if (change.kind === 'gone') return void this.#knownLinks.delete(change.index)
    const isNew = !this.#knownLinks.has(change.index)
    this.#knownLinks.add(change.index)
    // A new interface may be the one of any tap that is found by address; otherwise the name
    // decides.
    const isRetried = this.#retryMissing(({ spec }) => isNew || spec.interfaceName === change.name)
    if (isRetried) this.#changed()
  }

  /** True: there is a tap without an interface to try again now. */
  #retryMissing(isConcerned: (failed: FailedTap) => boolean): boolean {
    const missing = [...this.#failed].filter(
      ([, failed]) => failed.isMissing && isConcerned(failed),
    )
    for (const [id, failed] of missing)
      this.#failed.set(id, { ...failed, tries: 0, retryAtMs: this.#deps.clock.now() })
    return missing.length > 0
  }

  /** A new one sees the interfaces as they are now. */
  #resolver(): InterfaceResolver {
    return new InterfaceResolver(this.#deps.driver, this.#deps.netnsDirectory)
  }

  /** Compares what each tap is open on with what its spec leads to now. */
  #lookAtInterfaces(): void {
    const nowMs = performance.now()
    const isAll = this.#hasLinkChanged || nowMs - this.#lookedAtAllMs >= toldLookIntervalMs
    if (isAll) this.#lookedAtAllMs = nowMs
    this.#hasLinkChanged = false
    const scan = this.#resolver()
    for (const tap of [...this.#taps.values()])
      if (isAll || !tap.isTold) tap.look(spec => scan.find(spec))
    this.#podInterfaces.look().catch(this.#fail)
  }

  async #tickAndSave(): Promise<void> {
    const { clock } = this.#deps
    let savedAtMs = clock.now() // of the last save
    let lookedAtMs = clock.now()
    while (!this.#stop.signal.aborted) {
      await clock.sleepUntil(
        Math.min(clock.now() + tickMs, Math.max(clock.now() + tickMsMin, this.#ticks.dueAtMs)),
        this.#stop.signal,
      )
      this.#tick()
      this.#look()
      if (Math.abs(clock.now() - lookedAtMs) >= lookIntervalMs) {
        lookedAtMs = clock.now()
        this.#lookAtInterfaces()
      }
      if (Math.abs(clock.now() - savedAtMs) < saveIntervalMs) continue
      savedAtMs = clock.now()
      void this.#save()
      if (await this.#interfaceCounters.refresh(this.#taps.values())) this.#changed()
    }
  }

  /** What taps do by time. */
  #tick(): void {
    const nowMs = this.#deps.clock.now()
    if (!this.#ticks.begin(this.#changes(), nowMs)) return
    this.rotateDue()
    this.#saveChanged()
    for (const tap of this.#taps.values())
      this.#ticks.dueBy(tap.isSteady ? tap.files.dueAtMs : nowMs + tickMs)
  }

  /** The state of all captures, if anything may have changed. */
  async #save(): Promise<void> {
    if (!this.#saves.begin(this.#changes(), performance.now())) return
    if (!(await this.#folders.save(false))) this.#saves.dueBy(0) // until there is room
  }

  /** A text that differs when any tap counted anything, was opened or closed, or told anything. */
  #changes(): string {
    return `${this.#deps.driver.changes()} ${this.#edits}`
  }

  /** Asks for a turn. */
  #changed(): void {
    this.#edits++
    this.#listener()
  }

  /**
   * Saves what no file holds: a file says how many packets it has, and not how many were lost. At
   * most once a tick for each capture, however often its files are rotated.
   */
  #saveChanged(): void {
    for (const tap of this.#taps.values()) {
      const lost = tap.missingPackets
      if (lost === (this.#lost.get(tap) ?? 0)) continue
      this.#lost.set(tap, lost)
      this.#unsaved.add(tap.folder)
    }
    for (const folder of this.#unsaved) void this.#folders.saveOne(folder, false)
    this.#unsaved.clear()
  }

  /** Looks at the disk, without waiting for it. A disk that does not answer is asked only once. */
  #look(): void {
    if (performance.now() < this.#nextLookAtMs || this.#looking) return
    this.#nextLookAtMs = performance.now() + lookMs
    const { found } = this.#folders
    this.#looking = Promise.all([
      this.#space.refresh(),
      this.#checkFiles(),
      this.#folders.look(this.#taps.values().map(({ spec }) => spec.captureKey)),
    ])
      .catch(error => {
        if (!isExpected(error)) throw error // the last value stays
        this.#checks.dueBy(0)
      })
      .finally(() => {
        this.#looking = undefined
        if (this.#folders.found !== found) this.#changed() // others made or removed files
      })
  }

  /** After packets were counted, and after a look that found another directory. */
  async #checkFiles(): Promise<void> {
    const changes = `${this.#changes()} ${this.#folders.directoryChanges}`
    if (!this.#checks.begin(changes, performance.now())) return
    await Promise.all(this.#taps.values().map(tap => tap.checkFile()))
  }

  #unsavedIn(folder: CaptureFolder): void {
    this.#edits++
    this.#unsaved.add(folder)
  }

  /** A bug in work that no turn waits for ends the process. */
  readonly #fail = (error: unknown): void => {
    queueMicrotask(() => {
      throw error
    })
  }
}
