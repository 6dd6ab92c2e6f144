// The captures whose files this node keeps: for each its folder and the limits that its taps share.
// In: specs of taps that open, deletions. Out: folders, facts, stored state. TapHolder's; opens no tap.

import type { Driver, LimitGroup } from '../driver/driver.ts'
import { removeArtifactFiles } from '../files/artifactFiles.ts'
import { CaptureFolder } from '../files/captureFolder.ts'
import { listFolders, removeFolder } from '../files/directories.ts'
import type { ActualCapture } from '../model/actualState.ts'
import { ExpectedError, isExpected } from '../model/errors.ts'
import type { TapSpec } from '../model/tap.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/log.ts'

export type StoredCapture = { readonly folder: CaptureFolder; readonly group: LimitGroup }

type CaptureStoreDeps = { readonly driver: Driver; readonly clock: Clock; readonly node: string; readonly log: Logger }

export class CaptureStore {
  readonly #parts: CaptureStoreDeps
  readonly #captureDir: string
  readonly #held = new Map<string, StoredCapture>() // by capture key
  readonly #fresh = new Set<CaptureFolder>() // not stored for good yet

  private constructor(parts: CaptureStoreDeps, captureDir: string) {
    this.#parts = parts
    this.#captureDir = captureDir
  }

  /** Adopts what an earlier run left under captureDir: files are made whole, counters go on. */
  static async open(parts: CaptureStoreDeps, captureDir: string): Promise<CaptureStore> {
    const captures = new CaptureStore(parts, captureDir)
    const { found, foreign } = listFolders(captureDir)
    for (const directory of foreign) parts.log.warn({ directory }, 'state file of another capture, the directory is left alone')
    for (const [key, { directory, state }] of found) {
      if (state.capture.uid === '')
        parts.log.error({ capture: key, directory }, 'state file not readable, its files stay and belong to the next capture of that name')
      captures.#held.set(key, { folder: await CaptureFolder.adopt(directory, state, parts.node), group: parts.driver.group() })
    }
    return captures
  }

  folder(key: string): CaptureFolder | undefined {
    return this.#held.get(key)?.folder
  }

  /** By capture key. */
  actualCaptures(): ReadonlyMap<string, ActualCapture> {
    const known = [...this.#held.values()].filter(({ folder }) => folder.capture.uid !== '')
    return new Map(known.map(({ folder }) => [folder.key, folder.actualState()]))
  }

  /** For a tap that opens. Refuses while files of an earlier capture of that name are there. */
  open({ capture, captureKey }: TapSpec): StoredCapture {
    const held = this.#held.get(captureKey)
    const nowMs = this.#parts.clock.now()
    if (held?.folder.capture.uid === capture.uid) {
      held.folder.ensure(this.#captureDir, nowMs)
      return held
    }
    if (held && held.folder.capture.uid !== '')
      throw new ExpectedError(`Cannot open a tap of "${captureKey}": files of an earlier capture of that name are still there`)
    const folder = CaptureFolder.create(this.#captureDir, capture, this.#parts.node, nowMs)
    const made = { folder, group: this.#parts.driver.group() }
    this.#held.set(captureKey, made)
    this.#fresh.add(folder)
    return made
  }

  /** What the limits leave, over all taps of the capture; the driver counts down from there by itself. */
  limit({ captureKey, limits }: TapSpec): void {
    const held = this.#held.get(captureKey)
    if (!held) return
    const { packets, bytes } = held.folder.written()
    held.group.setLeft({
      ...(limits.packets !== undefined && { packets: Math.max(0, limits.packets - packets) }),
      ...(limits.bytes !== undefined && { bytes: Math.max(0, limits.bytes - bytes) }),
    })
  }

  /** A deleted capture's directory goes, and what was made of its files. One that cannot be removed now stays held, so that it is tried again. */
  remove(key: string, uid: string): void {
    const folder = this.folder(key)
    if (folder?.capture.uid !== uid) return
    try {
      removeArtifactFiles(folder.actualState().artifact)
      removeFolder(this.#captureDir, folder.capture)
      this.#held.delete(key)
    } catch (error) {
      if (!isExpected(error)) throw error
      folder.forgetFileSizes()
      this.#parts.log.warn({ capture: key, error: error.message }, 'directory not removed, tried again')
    }
  }

  /** `isLasting`: also after a power cut. */
  save(isLasting: boolean): void {
    for (const { folder } of this.#held.values()) this.saveOne(folder, this.#fresh.delete(folder) || isLasting)
  }

  /** A disk that is full must not end the capture: what is stored lags behind until there is room. */
  saveOne(folder: CaptureFolder, isLasting: boolean): void {
    try {
      folder.save(this.#parts.clock.now(), isLasting)
    } catch (error) {
      if (!isExpected(error)) throw error
      this.#parts.log.warn({ capture: folder.key, error: error.message }, 'state not stored')
    }
  }
}
