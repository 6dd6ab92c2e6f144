// Owns every open tap, and the folders of their captures. In: actions of a turn. Out: deeds, and facts for the next turn.
// Closes first, then opens, all at once; what fails becomes a failed tap with a reason and a time to try again. It decides
// nothing: an event only makes it say "look again".

import type { Driver, LinkChange } from '../driver/driver.ts'
import { removeArtifactFiles } from '../files/artifactFiles.ts'
import type { CaptureFolder } from '../files/captureFolder.ts'
import { freePercent } from '../files/directories.ts'
import type { ActualState, Halt } from '../model/actualState.ts'
import type { ArtifactResult } from '../model/artifact.ts'
import type { CloseReason } from '../model/codes.ts'
import type { Settings } from '../model/settings.ts'
import type { Action, ActualTap, TapSpec } from '../model/tap.ts'
import { NodeScan } from '../netdev/interfaceResolver.ts'
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

const saveMs = 10_000 // counters are stored this often, changes of state at once
const tickMs = 1_000 // what time alone brings about is looked at this often, and when a file is due
const tickMsMin = 20

export class TapManager implements AsyncDisposable {
  readonly #parts: TapManagerDeps
  readonly #captureDir: string
  readonly #held: CaptureStore
  readonly #taps = new Map<string, Tap>() // by spec id
  readonly #early = new Set<Tap>() // of these, those whose window was not open when last looked at
  readonly #failed = new Map<string, FailedTap>() // by spec id
  readonly #seen = new Set<number>() // indexes of interfaces that were told of
  #leaving: Promise<unknown> = Promise.resolve() // taps that broke down: their files are theirs until they are closed
  readonly #carried: InterfaceCounters
  readonly #links: Disposable
  readonly #stop = new AbortController()
  #listener: () => void = () => {}

  private constructor(parts: TapManagerDeps, captureDir: string, held: CaptureStore) {
    this.#parts = parts
    this.#captureDir = captureDir
    this.#held = held
    this.#carried = new InterfaceCounters(parts.driver)
    this.#links = parts.driver.watchLinks(change => this.#linkChanged(change))
    void this.#tickAndSave()
  }

  /** Adopts what an earlier run left under captureDir: files are made whole, counters go on. */
  static async open(parts: TapManagerDeps): Promise<TapManager> {
    const { captureDir } = parts.settings()
    return new TapManager(parts, captureDir, await CaptureStore.open(parts, captureDir))
  }

  onChange(listener: () => void): void {
    this.#listener = listener
  }

  actualState(): Omit<ActualState, 'filterErrors'> {
    const captures = this.#held.actualCaptures()
    const open = [...this.#taps].map(
      ([id, tap]) => [id, { spec: tap.spec, state: 'open', ...(tap.message !== undefined && { message: tap.message }) }] as const,
    )
    const failed = [...this.#failed].map(
      ([id, { spec, message, tries, retryAtMs }]) =>
        [id, { spec, state: 'failed', message, tries, ...(retryAtMs !== undefined && { retryAtMs }) }] as const,
    )
    return {
      taps: new Map<string, ActualTap>([...open, ...failed]),
      captures,
      disk: { usedBytes: [...captures.values()].reduce((bytes, facts) => bytes + facts.fileBytes, 0), freePercent: this.#freePercent() },
    }
  }

  /** Another one with every packet that any open tap counts, and when the disk's free space moves; far cheaper than facts(). */
  changeCounter(): string {
    const counted = this.#taps.values().reduce((sum, tap) => sum + tap.counted, 0)
    return `${counted} ${Math.floor(this.#freePercent() * 10)}`
  }

  /** Carries out a turn's actions; resolves when all are done. */
  async apply(actions: readonly Action[]): Promise<void> {
    if (actions.length === 0) return
    await this.#leaving
    const scan = new NodeScan(this.#parts.driver)
    await Promise.all(actions.map(action => action.kind === 'close' && this.#close(action.id, action.reason)))
    for (const action of actions) if (action.kind === 'forget') this.#held.remove(action.captureKey, action.uid)
    for (const action of actions) if (action.kind === 'adjust') this.#adjust(action.spec)
    await Promise.all(actions.map(action => action.kind === 'open' && this.#open(action.spec, scan)))
    this.#held.save(false)
    if (actions.some(action => action.kind === 'open')) await this.#carried.refresh(this.#taps.values()) // what they have carried so far
  }

  /** Taps whose window has opened are to be seen from now on. */
  startDue(): void {
    const early = [...this.#early]
    for (const tap of early) tap.startIfDue()
    const begun = early.filter(tap => tap.row.hasBegun)
    for (const tap of begun) this.#early.delete(tap)
    if (begun.length === 0) return
    this.#held.save(false)
    void this.#carried.refresh(begun) // what they have carried so far
  }

  /** The folder of a capture, for its files to be read; undefined: none of that identity. */
  folderOf(key: string, uid: string): CaptureFolder | undefined {
    const folder = this.#held.folder(key)
    return folder?.capture.uid === uid ? folder : undefined
  }

  halt(key: string, halt: Halt | undefined): void {
    const folder = this.#held.folder(key)
    folder?.setHalt(halt)
    if (folder) this.#held.saveOne(folder, false)
  }

  /** What became of a capture's artifact. What it was made of goes; if the capture is gone meanwhile, so does the artifact. */
  setArtifactResult(key: string, uid: string, made: ArtifactResult): void {
    const folder = this.folderOf(key, uid)
    if (!folder) return removeArtifactFiles(made)
    folder.setArtifactResult(made)
    this.#held.saveOne(folder, true)
    if (made.error === undefined) folder.clean()
  }

  /** Files that are too old for their capture go their way, whatever waits for its time is tried again. */
  rotateDue(): void {
    for (const tap of [...this.#taps.values()]) tap.tick(this.#parts.clock.now())
  }

  /** Closes every tap; files are complete and the counts final when it resolves. */
  async stop(): Promise<void> {
    this.#stop.abort()
    this.#links[Symbol.dispose]()
    await Promise.all([this.#leaving, ...[...this.#taps.keys()].map(id => this.#close(id, 'stopping'))])
    this.#held.save(true)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  async #open(spec: TapSpec, scan: NodeScan): Promise<void> {
    try {
      const { folder, group } = this.#held.open(spec)
      const isCounting = [...this.#taps.values()].some(tap => tap.spec.captureKey === spec.captureKey)
      if (!isCounting) this.#held.limit(spec)
      const tap = await Tap.open(
        {
          driver: this.#parts.driver,
          clock: this.#parts.clock,
          folder,
          group,
          node: this.#parts.node,
          find: wanted => (wanted === spec ? scan : new NodeScan(this.#parts.driver)).find(wanted),
          onChange: () => this.#listener(),
          onMoved: () => this.#held.saveOne(folder, false),
          onLimit: limit => this.#limitReached(spec, limit),
          onBroken: error => this.#broken(spec.id, error),
        },
        spec,
      )
      tap.startIfDue()
      this.#taps.set(spec.id, tap)
      if (!tap.row.hasBegun) this.#early.add(tap)
      this.#failed.delete(spec.id)
    } catch (error) {
      const before = this.#failed.get(spec.id)
      const failed = failureOf({ spec, error, tries: (before?.tries ?? 0) + 1, nowMs: this.#parts.clock.now() })
      this.#failed.set(spec.id, failed)
      const { code, message } = failed
      // Numbers in a message may change with each try; a code is logged once.
      const isLogged = before !== undefined && (code === undefined ? before.message === message : before.code === code)
      if (!isLogged) this.#parts.log.warn({ tap: spec.id, ...(code && { code }), error: message }, 'tap not opened')
    }
  }

  async #close(id: string, reason: CloseReason): Promise<void> {
    this.#failed.delete(id)
    const tap = this.#taps.get(id)
    this.#taps.delete(id)
    if (tap) this.#early.delete(tap)
    await tap?.close(reason)
  }

  /** A tap whose files cannot be kept any more is let go, and opened again like one that failed. */
  #broken(id: string, error: Error): void {
    const tap = this.#taps.get(id)
    if (!tap) return
    this.#taps.delete(id)
    this.#early.delete(tap)
    this.#failed.set(id, failureOf({ spec: tap.spec, error, tries: 1, nowMs: this.#parts.clock.now() }))
    this.#leaving = Promise.all([this.#leaving, tap.release(error.message).then(() => this.#listener())])
    this.#listener()
  }

  #adjust(spec: TapSpec): void {
    const tap = this.#taps.get(spec.id)
    const { packets, bytes } = tap?.spec.limits ?? {}
    tap?.adjust(spec)
    if (packets !== spec.limits.packets || bytes !== spec.limits.bytes) this.#held.limit(spec)
  }

  #limitReached({ id, captureKey, limits }: TapSpec, kind: 'packets' | 'bytes'): void {
    const folder = this.#held.folder(captureKey)
    const limit = (this.#taps.get(id)?.spec.limits ?? limits)[kind] // the tap may not be among the open ones yet
    if (!folder || limit === undefined) return
    folder.setLimitHit({ kind, limit, atMs: this.#parts.clock.now() })
    this.#held.saveOne(folder, false)
    this.#listener()
  }

  #linkChanged(change: LinkChange): void {
    for (const tap of this.#taps.values()) tap.linkChanged(change)
    if (change.kind === 'gone') return void this.#seen.delete(change.index)
    const isNew = !this.#seen.has(change.index)
    this.#seen.add(change.index)
    // A name is what was waited for; where the interface is found by address it may be any that is new.
    const missing = [...this.#failed].filter(([, { spec, isMissing }]) => isMissing && (isNew || spec.interfaceName === change.name))
    for (const [id, failed] of missing) this.#failed.set(id, { ...failed, tries: 0, retryAtMs: this.#parts.clock.now() })
    if (missing.length > 0) this.#listener()
  }

  #freePercent(): number {
    try {
      return freePercent(this.#captureDir)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 100 // nothing captured yet
      throw error
    }
  }

  async #tickAndSave(): Promise<void> {
    const { clock } = this.#parts
    let savedAtMs = clock.now() // moves on with each save
    while (!this.#stop.signal.aborted) {
      const dueAtMs = Math.min(...[...this.#taps.values()].map(tap => tap.files.dueAtMs))
      await clock.sleepUntil(Math.min(clock.now() + tickMs, Math.max(clock.now() + tickMsMin, dueAtMs)), this.#stop.signal)
      this.rotateDue()
      if (Math.abs(clock.now() - savedAtMs) < saveMs) continue
      savedAtMs = clock.now()
      this.#held.save(false)
      if (await this.#carried.refresh(this.#taps.values())) this.#listener()
    }
  }
}
