// Owns all taps and the folders of their captures. In: the actions of a turn. Out: open and closed
// taps, and the actual state for the next turn. Closes taps before it opens others, all at once. A
// tap that does not open becomes a failed tap with a reason and a retry time. Decides nothing: an
// event only asks the engine for another turn.

import type { Driver, LinkChange } from '../driver/driver.ts'
import { removeArtifactFiles } from '../files/artifactFiles.ts'
import type { CaptureFolder } from '../files/captureFolder.ts'
import { freePercent } from '../files/directories.ts'
import type { ActualState, Halt } from '../model/actualState.ts'
import type { ArtifactResult } from '../model/artifact.ts'
import type { CloseReason } from '../model/codes.ts'
import type { Settings } from '../model/settings.ts'
import type { Action, ActualTap, TapSpec } from '../model/tap.ts'
import { InterfaceResolver } from '../netdev/interfaceResolver.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/log.ts'
import { CaptureStore } from './captureStore.ts'
import { type FailedTap, failureOf } from './failure.ts'
import { InterfaceCounters } from './interfaceCounters.ts'
import { Tap } from './tap.ts'

export type TapManagerDeps = {
  readonly driver: Driver
  readonly clock: Clock
  readonly node: string
  readonly settings: () => Settings
  readonly log: Logger
}

const saveIntervalMs = 10_000 // of the counters; a change of state is saved at once
const tickMs = 1_000 // and when a file reaches its maximum age
const tickMsMin = 20

export class TapManager implements AsyncDisposable {
  readonly #deps: TapManagerDeps
  readonly #captureDir: string
  readonly #store: CaptureStore
  readonly #taps = new Map<string, Tap>() // by spec id
  readonly #notBegun = new Set<Tap>() // of these, those whose window was not open in the last turn
  readonly #failed = new Map<string, FailedTap>() // by spec id
  readonly #knownLinks = new Set<number>() // by interface index
  #releasing: Promise<unknown> = Promise.resolve() // of taps that broke down: they own their files until they are closed
  readonly #interfaceCounters: InterfaceCounters
  readonly #links: Disposable
  readonly #stop = new AbortController()
  #listener: () => void = () => {}

  private constructor(deps: TapManagerDeps, captureDir: string, store: CaptureStore) {
    this.#deps = deps
    this.#captureDir = captureDir
    this.#store = store
    this.#interfaceCounters = new InterfaceCounters(deps.driver)
    this.#links = deps.driver.watchLinks(change => this.#linkChanged(change))
    void this.#tickAndSave()
  }

  /**
   * Adopts the captures of an earlier run under captureDir: repairs files and continues counters.
   */
  static async open(deps: TapManagerDeps): Promise<TapManager> {
    const { captureDir } = deps.settings()
    return new TapManager(deps, captureDir, await CaptureStore.open(deps, captureDir))
  }

  onChange(listener: () => void): void {
    this.#listener = listener
  }

  actualState(): Omit<ActualState, 'filterErrors'> {
    const captures = this.#store.actualCaptures()
    const open = [...this.#taps].map(
      ([id, tap]) =>
        [
          id,
          {
            spec: tap.spec,
            state: 'open',
            ...(tap.message !== undefined && { message: tap.message }),
          },
        ] as const,
    )
    const failed = [...this.#failed].map(
      ([id, { spec, message, tries, retryAtMs }]) =>
        [
          id,
          { spec, state: 'failed', message, tries, ...(retryAtMs !== undefined && { retryAtMs }) },
        ] as const,
    )
    return {
      taps: new Map<string, ActualTap>([...open, ...failed]),
      captures,
      disk: {
        usedBytes: [...captures.values()].reduce((bytes, { fileBytes }) => bytes + fileBytes, 0),
        freePercent: this.#freePercent(),
      },
    }
  }

  /**
   * A text that changes with every counted packet and with the disk's free space; far cheaper than
   * actualState().
   */
  changeCounter(): string {
    const counted = this.#taps.values().reduce((sum, tap) => sum + tap.changeCounter, 0)
    return `${counted} ${Math.floor(this.#freePercent() * 10)}`
  }

  /** Carries out a turn's actions; resolves when all are done. */
  async apply(actions: readonly Action[]): Promise<void> {
    if (actions.length === 0) return
    await this.#releasing
    const scan = new InterfaceResolver(this.#deps.driver)
    await Promise.all(
      actions.map(action => action.kind === 'close' && this.#close(action.id, action.reason)),
    )
    for (const action of actions)
      if (action.kind === 'forget') this.#store.remove(action.captureKey, action.uid)
    for (const action of actions) if (action.kind === 'adjust') this.#adjust(action.spec)
    await Promise.all(
      actions.map(action => action.kind === 'open' && this.#open(action.spec, scan)),
    )
    this.#store.save(false)
    if (actions.some(action => action.kind === 'open'))
      await this.#interfaceCounters.refresh(this.#taps.values()) // the first reading of new taps
  }

  /** Shows the endpoints of taps whose window has opened. */
  startDue(): void {
    const notBegun = [...this.#notBegun]
    for (const tap of notBegun) tap.startIfDue()
    const begun = notBegun.filter(tap => tap.record.hasBegun)
    for (const tap of begun) this.#notBegun.delete(tap)
    if (begun.length === 0) return
    this.#store.save(false)
    void this.#interfaceCounters.refresh(begun) // the first reading
  }

  /** The folder of a capture; undefined: there is none of that uid. */
  folderOf(key: string, uid: string): CaptureFolder | undefined {
    const folder = this.#store.folder(key)
    return folder?.capture.uid === uid ? folder : undefined
  }

  halt(key: string, halt: Halt | undefined): void {
    const folder = this.#store.folder(key)
    folder?.setHalt(halt)
    if (folder) this.#store.saveOne(folder, false)
  }

  /**
   * Stores what became of a capture's artifact and removes the files it was made of. Without the
   * capture the artifact is removed.
   */
  setArtifactResult(key: string, uid: string, artifact: ArtifactResult): void {
    const folder = this.folderOf(key, uid)
    if (!folder) return removeArtifactFiles(artifact)
    folder.setArtifactResult(artifact)
    this.#store.saveOne(folder, true)
    if (artifact.error === undefined) folder.clean()
  }

  /** Rotates files of maximum age and retries whatever is due. */
  rotateDue(): void {
    for (const tap of [...this.#taps.values()]) tap.tick(this.#deps.clock.now())
  }

  /** Closes every tap; resolves when files are complete and counts final. */
  async stop(): Promise<void> {
    this.#stop.abort()
    this.#links[Symbol.dispose]()
    await Promise.all([
      this.#releasing,
      ...[...this.#taps.keys()].map(id => this.#close(id, 'stopping')),
    ])
    this.#store.save(true)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  async #open(spec: TapSpec, scan: InterfaceResolver): Promise<void> {
    try {
      const { folder, group } = this.#store.open(spec)
      const isCounting = [...this.#taps.values()].some(
        tap => tap.spec.captureKey === spec.captureKey,
      )
      if (!isCounting) this.#store.limit(spec)
      const tap = await Tap.open(
        {
          driver: this.#deps.driver,
          clock: this.#deps.clock,
          folder,
          group,
          node: this.#deps.node,
          resolve: wanted =>
            (wanted === spec ? scan : new InterfaceResolver(this.#deps.driver)).find(wanted),
          onChange: () => this.#listener(),
          onMoved: () => this.#store.saveOne(folder, false),
          onLimit: limit => this.#limitReached(spec, limit),
          onBroken: error => this.#broken(spec.id, error),
        },
        spec,
      )
      tap.startIfDue()
      this.#taps.set(spec.id, tap)
      if (!tap.record.hasBegun) this.#notBegun.add(tap)
      this.#failed.delete(spec.id)
    } catch (error) {
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
        this.#deps.log.warn(
          { tap: spec.id, ...(code && { code }), error: message },
          'tap not opened',
        )
    }
  }

  async #close(id: string, reason: CloseReason): Promise<void> {
    this.#failed.delete(id)
    const tap = this.#taps.get(id)
    this.#taps.delete(id)
    if (tap) this.#notBegun.delete(tap)
    await tap?.close(reason)
  }

  /** Releases a tap whose files cannot be kept; it is opened again like a tap that failed. */
  #broken(id: string, error: Error): void {
    const tap = this.#taps.get(id)
    if (!tap) return
    this.#taps.delete(id)
    this.#notBegun.delete(tap)
    this.#failed.set(
      id,
      failureOf({ spec: tap.spec, error, tries: 1, nowMs: this.#deps.clock.now() }),
    )
    this.#releasing = Promise.all([
      this.#releasing,
      tap.release(error.message).then(() => this.#listener()),
    ])
    this.#listener()
  }

  #adjust(spec: TapSpec): void {
    const tap = this.#taps.get(spec.id)
    const { packets, bytes } = tap?.spec.limits ?? {}
    tap?.adjust(spec)
    if (packets !== spec.limits.packets || bytes !== spec.limits.bytes) this.#store.limit(spec)
  }

  #limitReached({ id, captureKey, limits }: TapSpec, kind: 'packets' | 'bytes'): void {
    const folder = this.#store.folder(captureKey)
    const limit = (this.#taps.get(id)?.spec.limits ?? limits)[kind] // the tap may still be opening
    if (!folder || limit === undefined) return
    folder.setLimitHit({ kind, limit, atMs: this.#deps.clock.now() })
    this.#store.saveOne(folder, false)
    this.#listener()
  }

  #linkChanged(change: LinkChange): void {
    for (const tap of this.#taps.values()) tap.linkChanged(change)
    if (change.kind === 'gone') return void this.#knownLinks.delete(change.index)
    const isNew = !this.#knownLinks.has(change.index)
    this.#knownLinks.add(change.index)
    // A new interface may be the one of any tap that is found by address; otherwise the name
    // decides.
    const missing = [...this.#failed].filter(
      ([, { spec, isMissing }]) => isMissing && (isNew || spec.interfaceName === change.name),
    )
    for (const [id, failed] of missing)
      this.#failed.set(id, { ...failed, tries: 0, retryAtMs: this.#deps.clock.now() })
    if (missing.length > 0) this.#listener()
  }

  #freePercent(): number {
    try {
      return freePercent(this.#captureDir)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 100 // nothing was captured yet
      throw error
    }
  }

  async #tickAndSave(): Promise<void> {
    const { clock } = this.#deps
    let savedAtMs = clock.now() // of the last save
    while (!this.#stop.signal.aborted) {
      const dueAtMs = Math.min(...[...this.#taps.values()].map(tap => tap.files.dueAtMs))
      await clock.sleepUntil(
        Math.min(clock.now() + tickMs, Math.max(clock.now() + tickMsMin, dueAtMs)),
        this.#stop.signal,
      )
      this.rotateDue()
      if (Math.abs(clock.now() - savedAtMs) < saveIntervalMs) continue
      savedAtMs = clock.now()
      this.#store.save(false)
      if (await this.#interfaceCounters.refresh(this.#taps.values())) this.#listener()
    }
  }
}
