// The captures whose files this node keeps: each with its folder and the limits that its taps
// share. In: specs of taps that open, deletions. Out: folders, the captures' actual state, state
// files. Opens no tap. Refuses with ExpectedError a capture whose directory still has files of an
// earlier one.

import type { Driver, LimitGroup } from '../driver/driver.ts'
import { removeArtifactFiles } from '../files/artifactFiles.ts'
import { CaptureFolder } from '../files/captureFolder.ts'
import { type FoundFolder, listFolders, removeFolder } from '../files/directories.ts'
import type { ActualCapture } from '../model/actualState.ts'
import type { ArtifactResult } from '../model/artifact.ts'
import type { CaptureRef } from '../model/captureRef.ts'
import { ExpectedError, isExpected, osErrorMessage } from '../model/errors.ts'
import type { TapSpec } from '../model/tap.ts'
import type { Clock } from '../runtime/clock.ts'
import { Disk, DiskQueue } from '../runtime/disk.ts'
import type { Logger } from '../runtime/log.ts'

export type CaptureHandle = { readonly folder: CaptureFolder; readonly group: LimitGroup }

type CaptureFoldersDeps = {
  readonly driver: Driver
  readonly clock: Clock
  readonly node: string
  readonly log: Logger
}

const restLooks = 2 // at captures without an open tap, in each look

export class CaptureFolders {
  readonly #deps: CaptureFoldersDeps
  readonly #captureDir: string
  readonly disk = new Disk() // of captureDir
  readonly #artifactDisk = new Disk(1) // of directories elsewhere
  readonly #captures = new Map<string, CaptureHandle>() // by capture key
  readonly #creating = new Map<string, Promise<CaptureHandle>>() // by capture key
  readonly #removing = new Map<string, Promise<void>>() // by capture uid
  readonly #unsaved = new Set<CaptureFolder>() // their state file would not survive a power cut yet

  #nextLook = 0 // in the captures without an open tap

  private constructor(deps: CaptureFoldersDeps, captureDir: string) {
    this.#deps = deps
    this.#captureDir = captureDir
  }

  /**
   * Adopts the captures of an earlier run under captureDir: repairs files and continues counters.
   */
  static async open(deps: CaptureFoldersDeps, captureDir: string): Promise<CaptureFolders> {
    const folders = new CaptureFolders(deps, captureDir)
    const { found, others, unlisted } = await listFolders(captureDir)
    for (const [directory, error] of unlisted)
      deps.log.error({ directory, error }, 'directory not readable, it is left alone')
    for (const directory of others)
      deps.log.warn({ directory }, 'state file of another capture, the directory is left alone')
    for (const [key, folder] of found) await folders.#adopt(key, folder)
    return folders
  }

  /** A directory that cannot be adopted costs its own capture: its taps try again, and say why. */
  async #adopt(key: string, { directory, state }: FoundFolder): Promise<void> {
    const { driver, node, log } = this.#deps
    const place = { capture: key, directory }
    if (state.isRestored)
      log.error({ ...place, error: state.unreadable }, 'state file not readable')
    if (state.capture.uid === '')
      log.error(place, 'its files stay and belong to the next capture of that name')
    try {
      const folder = await CaptureFolder.adopt(directory, state, node, this.disk)
      this.#captures.set(key, { folder, group: driver.group() })
    } catch (error) {
      log.error({ ...place, error: osErrorMessage(error) }, 'files not adopted')
    }
  }

  folder(key: string): CaptureFolder | undefined {
    return this.#captures.get(key)?.folder
  }

  /** By capture key. */
  actualCaptures(): ReadonlyMap<string, ActualCapture> {
    const known = [...this.#captures.values()].filter(({ folder }) => folder.capture.uid !== '')
    return new Map(known.map(({ folder }) => [folder.key, folder.actualState()]))
  }

  /** For a tap that opens. */
  async open({ capture, captureKey }: TapSpec): Promise<CaptureHandle> {
    // Whoever asked first gets the error, and the next one tries again.
    while (this.#creating.has(captureKey)) await this.#creating.get(captureKey)?.catch(() => {})
    const stored = this.#captures.get(captureKey)
    if (stored?.folder.capture.uid === capture.uid) {
      await stored.folder.ensure(this.#captureDir, this.#deps.clock.now())
      return stored
    }
    if (stored && stored.folder.capture.uid !== '')
      throw new ExpectedError(
        `Cannot open a tap of "${captureKey}": files of an earlier capture of that name are still there`,
      )
    const creating = this.#create(captureKey, capture)
    this.#creating.set(captureKey, creating)
    return creating.finally(() => this.#creating.delete(captureKey))
  }

  async #create(captureKey: string, capture: CaptureRef): Promise<CaptureHandle> {
    const { node, clock, driver } = this.#deps
    const place = { captureDir: this.#captureDir, node, nowMs: clock.now(), disk: this.disk }
    const folder = await CaptureFolder.create({ ...place, capture })
    const made = { folder, group: driver.group() }
    this.#captures.set(captureKey, made)
    this.#unsaved.add(folder)
    return made
  }

  /** Sets what the limits leave for all taps of the capture; the driver counts down from there. */
  limit({ captureKey, limits }: TapSpec): void {
    const stored = this.#captures.get(captureKey)
    if (!stored) return
    const { packets, bytes } = stored.folder.written()
    stored.group.setLeft({
      ...(limits.packets !== undefined && { packets: Math.max(0, limits.packets - packets) }),
      ...(limits.bytes !== undefined && { bytes: Math.max(0, limits.bytes - bytes) }),
    })
  }

  /**
   * Removes a deleted capture's directory and artifact. A directory that cannot be removed stays
   * known, so that the next turn tries again. Does not wait for an artifact's disk that is stalled.
   */
  async remove(key: string, uid: string): Promise<void> {
    const folder = this.folder(key)
    if (folder?.capture.uid !== uid) return
    const removing =
      this.#removing.get(uid) ?? this.#remove(key, folder).finally(() => this.#removing.delete(uid))
    this.#removing.set(uid, removing)
    await (folder.artifact ? this.#artifactDisk.answered(removing) : removing)
  }

  async #remove(key: string, folder: CaptureFolder): Promise<void> {
    try {
      await this.removeArtifact(folder.artifact)
      await removeFolder(this.#captureDir, folder.capture, new DiskQueue(this.disk))
      this.#captures.delete(key)
    } catch (error) {
      if (!isExpected(error)) throw error
      await folder.look().catch(() => {}) // the next look tells why
      this.#deps.log.warn(
        { capture: key, error: error.message },
        'directory not removed, tried again',
      )
    }
  }

  /** What a process that ends would wait for. */
  get isRemovingStalled(): boolean {
    return this.#artifactDisk.isStalled
  }

  async removeArtifact(artifact: ArtifactResult | undefined): Promise<void> {
    if (artifact) await this.#artifactDisk.run(() => removeArtifactFiles(artifact))
  }

  /** Grows when a look found that others made or removed files. */
  get found(): number {
    return this.#captures.values().reduce((sum, { folder }) => sum + folder.list.found, 0)
  }

  /**
   * Sees what others did in the directories of these captures, and of a few others: their turn
   * comes with the next calls.
   */
  async look(keys: Iterable<string>): Promise<void> {
    const asked = new Set(keys)
    const rest = [...this.#captures.keys()].filter(key => !asked.has(key))
    this.#nextLook = this.#nextLook < rest.length ? this.#nextLook : 0
    const further = rest.slice(this.#nextLook, this.#nextLook + restLooks)
    this.#nextLook += restLooks
    const folders = [...asked, ...further].flatMap(key => this.folder(key) ?? [])
    await Promise.all(folders.map(folder => this.#lookAt(folder)))
  }

  async lookAtAll(): Promise<void> {
    await Promise.all(
      this.#captures.values().map(({ folder }) => this.#lookAt(folder, () => folder.look())),
    )
  }

  async #lookAt(folder: CaptureFolder, look = () => folder.lookIfDue()): Promise<void> {
    try {
      await look()
    } catch (error) {
      if (!isExpected(error)) throw error // a directory that cannot be listed: its taps say so
    }
  }

  /** Differs when others, or this process, changed any directory. */
  get directoryChanges(): number {
    return this.#captures.values().reduce((sum, { folder }) => sum + folder.changes, 0)
  }

  /** `isLasting`: also after a power cut. False: not all is saved. */
  async save(isLasting: boolean): Promise<boolean> {
    const saved = await Promise.all(
      [...this.#captures.values()].map(({ folder }) =>
        this.saveOne(folder, this.#unsaved.delete(folder) || isLasting),
      ),
    )
    return saved.every(each => each)
  }

  /** A full disk does not end the capture: the state file lags behind until there is room, false. */
  async saveOne(folder: CaptureFolder, isLasting: boolean): Promise<boolean> {
    try {
      await folder.save(this.#deps.clock.now(), isLasting)
      return true
    } catch (error) {
      if (!isExpected(error)) throw error
      this.#deps.log.warn({ capture: folder.key, error: error.message }, 'state not stored')
      return false
    }
  }
}
