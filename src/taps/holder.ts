// Owns every open tap, and the folders of their captures. In: actions of a turn. Out: deeds, and facts for the next turn.
// Closes first, then opens, all at once; what fails becomes a failed tap with a reason and a time to try again. It decides
// nothing: an event only makes it say "look again".
import type { Clock } from '../clock.ts'
import { CaptureFolder } from '../files/captureFolder.ts'
import { freePercent, listFolders, removeFolder } from '../files/folder.ts'
import type { Logger } from '../log.ts'
import type { CaptureRef } from '../model/capture.ts'
import type { Actual, Halt } from '../model/facts.ts'
import type { Settings } from '../model/settings.ts'
import type { Action, ActualTap, CloseReason, TapSpec } from '../model/tap.ts'
import type { Driver, LimitGroup, LinkChange } from './driver.ts'
import { type Failed, failureOf } from './failure.ts'
import { NodeScan } from './find.ts'
import { LiveTap } from './liveTap.ts'

export type HolderParts = {
  readonly driver: Driver
  readonly clock: Clock
  readonly node: string
  readonly settings: () => Settings
  readonly log: Logger
}

type Held = { readonly folder: CaptureFolder; readonly group: LimitGroup }

const saveMs = 10_000 // counters are stored this often, changes of state at once

export class TapHolder implements AsyncDisposable {
  readonly #parts: HolderParts
  readonly #captureDir: string
  readonly #held = new Map<string, Held>() // by capture key
  readonly #taps = new Map<string, LiveTap>() // by spec id
  readonly #failed = new Map<string, Failed>() // by spec id
  readonly #links: Disposable
  readonly #stop = new AbortController()
  #listener: () => void = () => {}

  private constructor(parts: HolderParts, held: ReadonlyMap<string, Held>) {
    this.#parts = parts
    this.#captureDir = parts.settings().captureDir
    for (const [key, each] of held) this.#held.set(key, each)
    this.#links = parts.driver.watchLinks(change => this.#linkChanged(change))
    void this.#saveNowAndThen()
  }

  /** Adopts what an earlier run left under captureDir: files are made whole, counters go on. */
  static async open(parts: HolderParts): Promise<TapHolder> {
    const found = await listFolders(parts.settings().captureDir)
    const held = new Map<string, Held>()
    for (const [key, { directory, state }] of found) {
      if (state.capture.uid === '')
        parts.log.error({ capture: key, directory }, 'state file not readable, its files stay and belong to the next capture of that name')
      held.set(key, { folder: await CaptureFolder.adopt(directory, state, parts.node), group: parts.driver.group() })
    }
    return new TapHolder(parts, held)
  }

  onChange(listener: () => void): void {
    this.#listener = listener
  }

  facts(): Omit<Actual, 'filterErrors'> {
    const known = [...this.#held]
      .filter(([, { folder }]) => folder.capture.uid !== '')
      .map(([key, { folder }]) => [key, folder.facts()] as const)
    const open = [...this.#taps].map(
      ([id, tap]) => [id, { spec: tap.spec, state: 'open', ...(tap.message !== undefined && { message: tap.message }) }] as const,
    )
    const failed = [...this.#failed].map(
      ([id, { spec, message, retryAtMs }]) =>
        [id, { spec, state: 'failed', message, ...(retryAtMs !== undefined && { retryAtMs }) }] as const,
    )
    return {
      taps: new Map<string, ActualTap>([...open, ...failed]),
      captures: new Map(known),
      disk: { usedBytes: known.reduce((bytes, [, facts]) => bytes + facts.fileBytes, 0), freePercent: this.#freePercent() },
    }
  }

  /** Carries out a turn's actions; resolves when all are done. */
  async apply(actions: readonly Action[]): Promise<void> {
    if (actions.length === 0) return
    const scan = new NodeScan(this.#parts.driver)
    await Promise.all(actions.map(action => action.kind === 'close' && this.#close(action.id, action.reason)))
    for (const action of actions) if (action.kind === 'forget') await this.#forget(action.captureKey, action.uid)
    for (const action of actions) if (action.kind === 'adjust') this.#adjust(action.spec)
    await Promise.all(actions.map(action => action.kind === 'open' && this.#open(action.spec, scan)))
    this.#save(false)
  }

  halt(key: string, halt: Halt | undefined): void {
    this.#held.get(key)?.folder.setHalt(halt)
  }

  /** Files that are too old for their capture go their way. */
  rotateWhatIsDue(): void {
    for (const tap of this.#taps.values()) tap.rotateIfDue(this.#parts.clock.now())
  }

  /** Closes every tap; files are complete and the counts final when it resolves. */
  async stop(): Promise<void> {
    this.#stop.abort()
    this.#links[Symbol.dispose]()
    await Promise.all([...this.#taps.keys()].map(id => this.#close(id, 'stopping')))
    this.#save(true)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  async #open(spec: TapSpec, scan: NodeScan): Promise<void> {
    try {
      const { folder, group } = this.#holdFor(spec)
      this.#limit(spec)
      const tap = await LiveTap.open(
        {
          driver: this.#parts.driver,
          clock: this.#parts.clock,
          folder,
          group,
          node: this.#parts.node,
          find: wanted => (wanted === spec ? scan : new NodeScan(this.#parts.driver)).find(wanted),
          onChange: () => this.#listener(),
          onMoved: () => this.#saveOne(folder, false),
          onLimit: limit => this.#limitReached(spec.id, limit),
        },
        spec,
      )
      this.#taps.set(spec.id, tap)
      this.#failed.delete(spec.id)
    } catch (error) {
      this.#failed.set(
        spec.id,
        failureOf({ spec, error, tries: (this.#failed.get(spec.id)?.tries ?? 0) + 1, nowMs: this.#parts.clock.now() }),
      )
    }
  }

  async #close(id: string, reason: CloseReason): Promise<void> {
    this.#failed.delete(id)
    const tap = this.#taps.get(id)
    this.#taps.delete(id)
    await tap?.close(reason)
  }

  #adjust(spec: TapSpec): void {
    this.#taps.get(spec.id)?.adjust(spec)
    this.#limit(spec, true)
  }

  async #forget(key: string, uid: string): Promise<void> {
    const held = this.#held.get(key)
    if (held?.folder.capture.uid !== uid) return
    this.#held.delete(key)
    await removeFolder(this.#captureDir, held.folder.capture)
  }

  #holdFor({ capture, captureKey }: TapSpec): Held {
    const held = this.#held.get(captureKey)
    if (held?.folder.capture.uid === capture.uid) return held
    const made = { folder: this.#folderFor(capture, held), group: this.#parts.driver.group() }
    this.#held.set(captureKey, made)
    return made
  }

  #folderFor(capture: CaptureRef, held: Held | undefined): CaptureFolder {
    if (held && held.folder.capture.uid !== '')
      throw new Error(
        `Cannot open a tap of "${capture.namespace}/${capture.name}": files of an earlier capture of that name are still there`,
      )
    return CaptureFolder.create(this.#captureDir, capture, this.#parts.node, this.#parts.clock.now())
  }

  /** What the limits leave, over all taps of the capture; the driver counts down by itself while any is open. */
  #limit({ captureKey, limits }: TapSpec, isChanged = false): void {
    const held = this.#held.get(captureKey)
    const isCounting = [...this.#taps.values()].some(tap => tap.spec.captureKey === captureKey)
    if (!held || (isCounting && !isChanged)) return
    const { packets, bytes } = held.folder.written()
    held.group.setLeft({
      ...(limits.packets !== undefined && { packets: Math.max(0, limits.packets - packets) }),
      ...(limits.bytes !== undefined && { bytes: Math.max(0, limits.bytes - bytes) }),
    })
  }

  #limitReached(id: string, kind: 'packets' | 'bytes'): void {
    const tap = this.#taps.get(id)
    const limit = tap?.spec.limits[kind]
    if (!tap || limit === undefined) return
    this.#held.get(tap.spec.captureKey)?.folder.setLimitHit({ kind, limit, atMs: this.#parts.clock.now() })
    this.#listener()
  }

  #linkChanged(change: LinkChange): void {
    for (const tap of this.#taps.values()) tap.linkChanged(change)
    if (change.kind === 'gone') return
    const missing = [...this.#failed].filter(
      ([, { spec, isMissing }]) => isMissing && (spec.interfaceName === undefined || spec.interfaceName === change.name),
    )
    for (const [id, failed] of missing) this.#failed.set(id, { ...failed, retryAtMs: this.#parts.clock.now() })
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

  async #saveNowAndThen(): Promise<void> {
    const { clock } = this.#parts
    while (!this.#stop.signal.aborted) {
      await clock.sleepUntil(clock.now() + saveMs, this.#stop.signal)
      this.#save(false)
    }
  }

  #save(isLasting: boolean): void {
    for (const { folder } of this.#held.values()) this.#saveOne(folder, isLasting)
  }

  // A disk that is full must not end the capture: what is stored lags behind until there is room.
  #saveOne(folder: CaptureFolder, isLasting: boolean): void {
    try {
      folder.save(this.#parts.clock.now(), isLasting)
    } catch (error) {
      this.#parts.log.warn({ capture: folder.key, error: (error as Error).message }, 'state not stored')
    }
  }
}
