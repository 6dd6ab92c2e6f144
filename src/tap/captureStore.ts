// The captures whose files this node keeps: each with its folder and the limits that its taps
// share. In: specs of taps that open, deletions. Out: folders, the captures' actual state, state
// files. Opens no tap. Refuses with ExpectedError a capture whose directory still has files of an
// earlier one.

import type { Driver, LimitGroup } from '../driver/driver.ts'
import { removeArtifactFiles } from '../files/artifactFiles.ts'
import { CaptureFolder } from '../files/captureFolder.ts'
import { listFolders, removeFolder } from '../files/directories.ts'
import type { ActualCapture } from '../model/actualState.ts'
import { ExpectedError, isExpected } from '../model/errors.ts'
import type { TapSpec } from '../model/tap.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/log.ts'

export type CaptureHandle = { readonly folder: CaptureFolder; readonly group: LimitGroup }

type CaptureStoreDeps = {
  readonly driver: Driver
  readonly clock: Clock
  readonly node: string
  readonly log: Logger
}

export class CaptureStore {
  readonly #deps: CaptureStoreDeps
  readonly #captureDir: string
  readonly #captures = new Map<string, CaptureHandle>() // by capture key
  readonly #unsaved = new Set<CaptureFolder>() // their state file would not survive a power cut yet

  private constructor(deps: CaptureStoreDeps, captureDir: string) {
    this.#deps = deps
    this.#captureDir = captureDir
  }

  /**
   * Adopts the captures of an earlier run under captureDir: repairs files and continues counters.
   */
  static async open(deps: CaptureStoreDeps, captureDir: string): Promise<CaptureStore> {
    const captures = new CaptureStore(deps, captureDir)
    const { found, others } = listFolders(captureDir)
    for (const directory of others)
      deps.log.warn({ directory }, 'state file of another capture, the directory is left alone')
    for (const [key, { directory, state }] of found) {
      if (state.capture.uid === '')
        deps.log.error(
          { capture: key, directory },
          'state file not readable, its files stay and belong to the next capture of that name',
        )
      captures.#captures.set(key, {
        folder: await CaptureFolder.adopt(directory, state, deps.node),
        group: deps.driver.group(),
      })
    }
    return captures
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
  open({ capture, captureKey }: TapSpec): CaptureHandle {
    const stored = this.#captures.get(captureKey)
    const nowMs = this.#deps.clock.now()
    if (stored?.folder.capture.uid === capture.uid) {
      stored.folder.ensure(this.#captureDir, nowMs)
      return stored
    }
    if (stored && stored.folder.capture.uid !== '')
      throw new ExpectedError(
        `Cannot open a tap of "${captureKey}": files of an earlier capture of that name are still there`,
      )
    const folder = CaptureFolder.create(this.#captureDir, capture, this.#deps.node, nowMs)
    const made = { folder, group: this.#deps.driver.group() }
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
   * known, so that the next turn tries again.
   */
  remove(key: string, uid: string): void {
    const folder = this.folder(key)
    if (folder?.capture.uid !== uid) return
    try {
      removeArtifactFiles(folder.actualState().artifact)
      removeFolder(this.#captureDir, folder.capture)
      this.#captures.delete(key)
    } catch (error) {
      if (!isExpected(error)) throw error
      folder.forgetFileSizes()
      this.#deps.log.warn(
        { capture: key, error: error.message },
        'directory not removed, tried again',
      )
    }
  }

  /** `isLasting`: also after a power cut. */
  save(isLasting: boolean): void {
    for (const { folder } of this.#captures.values())
      this.saveOne(folder, this.#unsaved.delete(folder) || isLasting)
  }

  /** A full disk does not end the capture: the state file lags behind until there is room. */
  saveOne(folder: CaptureFolder, isLasting: boolean): void {
    try {
      folder.save(this.#deps.clock.now(), isLasting)
    } catch (error) {
      if (!isExpected(error)) throw error
      this.#deps.log.warn({ capture: folder.key, error: error.message }, 'state not stored')
    }
  }
}
