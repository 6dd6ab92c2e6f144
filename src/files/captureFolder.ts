// One capture's directory on this node: its files, its endpoints, its limits, in memory and in the
// state file. In: what the taps report. Out: the capture's actual state, which is cheap enough to
// compute in each turn. Refuses with ExpectedError a directory that another capture owns. Opens no
// tap and decides nothing.
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { ActualCapture, Halt, LimitHit } from '../model/actualState.ts'
import type { ArtifactResult } from '../model/artifact.ts'
import { type CaptureRef, captureKey } from '../model/captureRef.ts'
import type { CloseReason } from '../model/codes.ts'
import { ExpectedError } from '../model/errors.ts'
import { makeFolder } from './directories.ts'
import { recounted } from './recount.ts'
import { adoptWaitingFiles, repairFiles } from './repair.ts'
import type { RotationDeps } from './rotation.ts'
import { readState, stateFileName, writeState } from './stateFile.ts'
import type { StoredCapture, StoredEndpoint, WrittenTotal } from './storedTypes.ts'
import {
  actualCapture,
  type FileSizes,
  fileSizesIn,
  totalOf,
  type UsedFile,
  usedFiles,
} from './usage.ts'

/** An endpoint and its active file as its open tap counts them now. */
export type LiveEndpoint = Required<Pick<StoredEndpoint, 'facts' | 'active'>>

const endpointsMax = 1_000 // the oldest that ended are removed: pods may come and go for years

export class CaptureFolder {
  readonly capture: CaptureRef
  readonly directory: string
  readonly #node: string
  readonly #endpoints: Map<string, StoredEndpoint> // by name, as they were when their tap last closed
  readonly #live = new Map<string, () => LiveEndpoint>() // by name, of open taps
  readonly #hidden = new Map<string, string>() // by name: a new file of a tap whose window is not open yet
  #firstOpenedAtMs: number | undefined
  #limitHit: LimitHit | undefined
  #halt: Halt | undefined
  #artifact: ArtifactResult | undefined
  #sizes: FileSizes | undefined // undefined: to be read from the directory
  #unlisted: WrittenTotal // of endpoints that were removed from the list
  #savedText = ''

  private constructor(directory: string, state: StoredCapture) {
    this.capture = state.capture
    this.directory = directory
    this.#node = state.node
    this.#endpoints = new Map(state.rows.map(endpoint => [endpoint.facts.name, endpoint]))
    this.#firstOpenedAtMs = state.firstOpenedAtMs
    this.#limitHit = state.limitHit
    this.#halt = state.halt
    this.#artifact = state.made
    this.#unlisted = state.goneRows ?? { packets: 0, bytes: 0 }
  }

  /** For a new capture. Refuses a directory that holds files of another capture. */
  static create(
    captureDir: string,
    capture: CaptureRef,
    node: string,
    nowMs: number,
  ): CaptureFolder {
    const directory = makeFolder(captureDir, capture)
    const earlier = readState(directory)
    if (earlier && captureKey(earlier.capture) !== captureKey(capture))
      throw new ExpectedError(
        `Cannot keep files in "${directory}": its state file is that of "${captureKey(earlier.capture)}"; move the directory away`,
      )
    const folder = new CaptureFolder(directory, {
      version: 1,
      capture,
      node,
      savedAtMs: nowMs,
      rows: [],
    })
    folder.save(nowMs, false)
    folder.#savedText = '' // the next save() writes it again, durably: that may take long
    return folder
  }

  /**
   * For a capture of an earlier run: repairs its files and counts what they hold beyond the state
   * file.
   */
  static async adopt(
    directory: string,
    state: StoredCapture,
    node: string,
  ): Promise<CaptureFolder> {
    await adoptWaitingFiles(directory)
    // Without a readable state any file may be torn.
    if (state.rows.length === 0) await repairFiles(directory, readdirSync(directory))
    const rows = []
    for (const endpoint of state.rows)
      rows.push(await recounted(directory, endpoint, state.savedAtMs))
    return new CaptureFolder(directory, { ...state, node, rows })
  }

  /** Makes the directory and the state file again if they were removed. */
  ensure(captureDir: string, nowMs: number): void {
    if (existsSync(join(this.directory, stateFileName))) return
    makeFolder(captureDir, this.capture)
    this.#savedText = ''
    this.save(nowMs, true)
    this.forgetFileSizes()
  }

  get key(): string {
    return captureKey(this.capture)
  }

  /** An endpoint as it was when its tap last closed. */
  storedEndpoint(name: string): StoredEndpoint | undefined {
    return this.#endpoints.get(name)
  }

  /** Whether a tap may append to the active file of that name, or must begin another one. */
  async continuation(
    endpoint: string,
    name: string,
    settings: string,
  ): Promise<Pick<RotationDeps, 'continues' | 'isOldEmpty'>> {
    const { size, ino: inode } =
      statSync(join(this.directory, name), { throwIfNoEntry: false }) ?? {}
    if (size === undefined || inode === undefined)
      return { continues: undefined, isOldEmpty: false }
    const active = this.#endpoints.get(endpoint)?.active
    const isKnown = active?.name === name && active.settings === settings
    if (isKnown && active.bytes === size)
      return { continues: active, isOldEmpty: active.packets === 0 }
    const [found] = await repairFiles(this.directory, [name])
    const isOldEmpty = found?.scan.records === 0
    if (!isKnown || !found) return { continues: undefined, isOldEmpty }
    const { records: packets, recordBytes } = found.scan
    const received = active.received + Math.max(0, packets - active.packets)
    return {
      continues: { ...active, inode, bytes: found.bytes, packets, recordBytes, received },
      isOldEmpty,
    }
  }

  get limitHit(): LimitHit | undefined {
    return this.#limitHit
  }

  setLimitHit(hit: LimitHit): void {
    this.#limitHit = hit
  }

  setHalt(halt: Halt | undefined): void {
    this.#halt = halt
  }

  get artifact(): ArtifactResult | undefined {
    return this.#artifact
  }

  setArtifactResult(artifact: ArtifactResult): void {
    this.#artifact = artifact
    this.forgetFileSizes()
  }

  get firstOpenedAtMs(): number | undefined {
    return this.#firstOpenedAtMs
  }

  /** A tap is about to open, or waits for its window: its new file is hidden until begin(). */
  prepare(name: string, file: string): void {
    if (this.#endpoints.get(name)?.active?.name !== file) this.#hidden.set(name, file)
    this.forgetFileSizes()
  }

  /** The tap did not open, or closed before its window. */
  dismiss(name: string): void {
    this.#hidden.delete(name)
    this.forgetFileSizes()
  }

  /** A tap and its window are open: from now on `live` gives the endpoint. */
  begin(name: string, live: () => LiveEndpoint, atMs: number): void {
    this.#hidden.delete(name)
    this.#live.set(name, live)
    this.#firstOpenedAtMs ??= atMs
    this.forgetFileSizes()
  }

  end(name: string, endpoint: LiveEndpoint, closed: CloseReason): void {
    this.#live.delete(name)
    this.#endpoints.set(name, { ...endpoint, closed })
    this.#removeOldEndpoints()
    this.forgetFileSizes()
  }

  /** What was written for all endpoints: it counts against the limits. */
  written(): WrittenTotal {
    const endpoints = [...this.#current().values()].map(({ facts }) => facts)
    return totalOf(endpoints, this.#unlisted)
  }

  actualState(): ActualCapture {
    const state = {
      key: this.key,
      uid: this.capture.uid,
      ...(this.#firstOpenedAtMs !== undefined && { firstOpenedAtMs: this.#firstOpenedAtMs }),
      ...(this.#limitHit && { limitHit: this.#limitHit }),
      ...(this.#halt && { halt: this.#halt }),
      ...(this.#artifact && { artifact: this.#artifact }),
    }
    return actualCapture(state, this.#fileSizes(), this.#current())
  }

  /** What may be read of each file now: complete records. */
  files(): readonly UsedFile[] {
    return usedFiles(
      this.#fileSizes(),
      [...this.#live.values()].map(live => live().active),
    )
  }

  /** Removes all files but the active ones. Counts stay as they are. */
  clean(): void {
    for (const { name, isActive } of this.files())
      if (!isActive) rmSync(join(this.directory, name), { force: true })
    this.forgetFileSizes()
  }

  /**
   * To be called after files came, went or were renamed: their sizes are read again when they are
   * next needed.
   */
  forgetFileSizes(): void {
    this.#sizes = undefined
  }

  /** Writes the state file if anything in it changed. */
  save(nowMs: number, isLasting: boolean): void {
    const state = {
      version: 1 as const,
      capture: this.capture,
      node: this.#node,
      ...(this.#firstOpenedAtMs !== undefined && { firstOpenedAtMs: this.#firstOpenedAtMs }),
      ...(this.#limitHit && { limitHit: this.#limitHit }),
      ...(this.#halt && { halt: this.#halt }),
      ...(this.#artifact && { made: this.#artifact }),
      ...(this.#unlisted.packets > 0 && { goneRows: this.#unlisted }),
      rows: [...this.#current().values()],
    }
    const text = JSON.stringify(state)
    if (text === this.#savedText) return
    writeState(this.directory, { ...state, savedAtMs: nowMs }, isLasting)
    this.#savedText = text
  }

  #removeOldEndpoints(): void {
    const ended = [...this.#endpoints.values()].filter(({ facts }) => !this.#live.has(facts.name))
    const byAge = ended.toSorted((a, b) => (a.facts.endedAtMs ?? 0) - (b.facts.endedAtMs ?? 0))
    const old = byAge
      .slice(0, Math.max(0, this.#endpoints.size - endpointsMax))
      .map(({ facts }) => facts)
    this.#unlisted = totalOf(old, this.#unlisted)
    for (const { name } of old) this.#endpoints.delete(name)
  }

  #fileSizes(): FileSizes {
    this.#sizes ??= fileSizesIn(this.directory, new Set(this.#hidden.values()))
    return this.#sizes
  }

  /** All endpoints as they are now. */
  #current(): Map<string, StoredEndpoint> {
    return new Map<string, StoredEndpoint>([
      ...this.#endpoints,
      ...[...this.#live].map(([name, live]): [string, StoredEndpoint] => [name, live()]),
    ])
  }
}
