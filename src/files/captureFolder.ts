// All that is kept of one capture on this node: its directory, its rows, its limits, in memory and in the state file.
// In: what the taps tell. Out: CaptureFacts, cheap to ask for each turn. Opens no tap and decides nothing.
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { ActualCapture, ActualEndpoint, Halt, LimitHit } from '../model/actualState.ts'
import type { ArtifactResult } from '../model/artifact.ts'
import { type CaptureRef, captureKey } from '../model/captureRef.ts'
import type { CloseReason } from '../model/codes.ts'
import { ExpectedError } from '../model/errors.ts'
import { sum } from '../model/numbers.ts'
import { makeFolder } from './directories.ts'
import { isCaptureFile } from './names.ts'
import { recounted } from './recount.ts'
import { adoptWaitingFiles, repairFiles } from './repair.ts'
import type { RotationDeps } from './rotation.ts'
import { type ActiveFile, readState, type StoredCapture, type StoredEndpoint, stateFileName, writeState } from './stateFile.ts'

/** A row as its open tap knows it now; asked for whenever facts or the state file are made. */
export type LiveRow = { readonly facts: ActualEndpoint; readonly active: ActiveFile }

const rowsMax = 1_000 // the oldest that ended go: pods may come and go for years

export class CaptureFolder {
  readonly capture: CaptureRef
  readonly directory: string
  readonly #node: string
  readonly #rows: Map<string, StoredEndpoint>
  readonly #live = new Map<string, () => LiveRow>()
  readonly #prepared = new Map<string, string>() // row name → a new file that is not to be seen yet
  #firstOpenedAtMs: number | undefined
  #limitHit: LimitHit | undefined
  #halt: Halt | undefined
  #made: ArtifactResult | undefined
  #sizes: ReadonlyMap<string, number> | undefined // of the files; undefined: to be looked up
  #goneRows: { readonly packets: number; readonly bytes: number }
  #saved = ''

  private constructor(directory: string, state: StoredCapture) {
    this.capture = state.capture
    this.directory = directory
    this.#node = state.node
    this.#rows = new Map(state.rows.map(row => [row.facts.name, row]))
    this.#firstOpenedAtMs = state.firstOpenedAtMs
    this.#limitHit = state.limitHit
    this.#halt = state.halt
    this.#made = state.made
    this.#goneRows = state.goneRows ?? { packets: 0, bytes: 0 }
  }

  /** A new capture's. Refuses a directory that is another's. */
  static create(captureDir: string, capture: CaptureRef, node: string, nowMs: number): CaptureFolder {
    const directory = makeFolder(captureDir, capture)
    const earlier = readState(directory)
    if (earlier && captureKey(earlier.capture) !== captureKey(capture))
      throw new ExpectedError(
        `Cannot keep files in "${directory}": its state file is that of "${captureKey(earlier.capture)}"; move the directory away`,
      )
    const folder = new CaptureFolder(directory, { version: 1, capture, node, savedAtMs: nowMs, rows: [] })
    folder.save(nowMs, false)
    folder.#saved = '' // written again once its taps are open, and for good: that may take long
    return folder
  }

  /** One that an earlier run left: files made whole, counters brought up to what the files hold. */
  static async adopt(directory: string, state: StoredCapture, node: string): Promise<CaptureFolder> {
    await adoptWaitingFiles(directory)
    // Without a state that can be read any file may be torn.
    if (state.rows.length === 0) await repairFiles(directory, readdirSync(directory))
    const rows = []
    for (const row of state.rows) rows.push(await recounted(directory, row, state.savedAtMs))
    return new CaptureFolder(directory, { ...state, node, rows })
  }

  /** Its directory, made again if somebody took it away. */
  ensure(captureDir: string, nowMs: number): void {
    if (existsSync(join(this.directory, stateFileName))) return
    makeFolder(captureDir, this.capture)
    this.#saved = ''
    this.save(nowMs, true)
    this.checkActiveFiles()
  }

  get key(): string {
    return captureKey(this.capture)
  }

  row(name: string): StoredEndpoint | undefined {
    return this.#rows.get(name)
  }

  /** Whether the active file of that name goes on as it is, or gives way to a new one. `settings`: what its records follow. */
  async continuation(rowName: string, name: string, settings: string): Promise<Pick<RotationDeps, 'continues' | 'isOldEmpty'>> {
    const { size, ino: inode } = statSync(join(this.directory, name), { throwIfNoEntry: false }) ?? {}
    if (size === undefined || inode === undefined) return { continues: undefined, isOldEmpty: false }
    const active = this.#rows.get(rowName)?.active
    const isOurs = active?.name === name && active.settings === settings
    if (isOurs && active.bytes === size) return { continues: active, isOldEmpty: active.packets === 0 }
    const [found] = await repairFiles(this.directory, [name])
    const isOldEmpty = found?.scan.records === 0
    if (!isOurs || !found) return { continues: undefined, isOldEmpty }
    const { records: packets, recordBytes } = found.scan
    const received = active.received + Math.max(0, packets - active.packets)
    return { continues: { ...active, inode, bytes: found.bytes, packets, recordBytes, received }, isOldEmpty }
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
    return this.#made
  }

  setArtifactResult(made: ArtifactResult): void {
    this.#made = made
    this.checkActiveFiles()
  }

  get firstOpenedAtMs(): number | undefined {
    return this.#firstOpenedAtMs
  }

  /** A tap is about to open, or waits for its window: what it made is not to be seen before it begins. */
  prepare(name: string, file: string): void {
    if (this.#rows.get(name)?.active?.name !== file) this.#prepared.set(name, file)
    this.checkActiveFiles()
  }

  dismiss(name: string): void {
    this.#prepared.delete(name)
    this.checkActiveFiles()
  }

  /** A tap is open, and its window: from now on it is asked for the row. */
  begin(name: string, live: () => LiveRow, atMs: number): void {
    this.#prepared.delete(name)
    this.#live.set(name, live)
    this.#firstOpenedAtMs ??= atMs
    this.checkActiveFiles()
  }

  end(name: string, row: LiveRow, closed: CloseReason): void {
    this.#live.delete(name)
    this.#rows.set(name, { ...row, closed })
    this.#letOldRowsGo()
    this.checkActiveFiles()
  }

  /** Packets and record bytes written so far, of all endpoints: what counts against the limits. */
  written(): { readonly packets: number; readonly bytes: number } {
    const rows = [...this.#current().values()].map(({ facts }) => facts)
    const { packets, bytes } = this.#goneRows
    return { packets: packets + sum(rows.map(row => row.packets)), bytes: bytes + sum(rows.map(row => row.bytes)) }
  }

  actualState(): ActualCapture {
    const current = this.#current()
    const active = new Map([...current.values()].flatMap(({ active: file }) => (file ? [[file.name, file.bytes] as const] : [])))
    const files = this.#fileSizes()
    const sizes = [...files].map(([name, bytes]) => active.get(name) ?? bytes)
    return {
      key: this.key,
      uid: this.capture.uid,
      ...(this.#firstOpenedAtMs !== undefined && { firstOpenedAtMs: this.#firstOpenedAtMs }),
      ...(this.#limitHit && { limitHit: this.#limitHit }),
      ...(this.#halt && { halt: this.#halt }),
      ...(this.#made && { artifact: this.#made }),
      fileNames: [...files.keys()].toSorted(),
      fileBytes: sum(sizes),
      endpoints: new Map([...current].map(([name, { facts }]) => [name, facts])),
    }
  }

  /** What may be read of each file now: whole records. */
  files(): readonly { readonly name: string; readonly bytes: number; readonly isActive: boolean }[] {
    const active = new Map([...this.#live.values()].map(live => live().active).map(file => [file.name, file.bytes]))
    return [...this.#fileSizes()]
      .map(([name, bytes]) => ({ name, bytes: active.get(name) ?? bytes, isActive: active.has(name) }))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
  }

  /** Removes rotated files and those of taps that are closed; the active ones stay. Counts stay as they are. */
  clean(): void {
    for (const { name, isActive } of this.files()) if (!isActive) rmSync(join(this.directory, name), { force: true })
    this.checkActiveFiles()
  }

  /** Files came, went or were renamed: looks at the directory again when next asked, however many taps say so. */
  checkActiveFiles(): void {
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
      ...(this.#made && { made: this.#made }),
      ...(this.#goneRows.packets > 0 && { goneRows: this.#goneRows }),
      rows: [...this.#current().values()],
    }
    const text = JSON.stringify(state)
    if (text === this.#saved) return
    writeState(this.directory, { ...state, savedAtMs: nowMs }, isLasting)
    this.#saved = text
  }

  #letOldRowsGo(): void {
    const ended = [...this.#rows.values()].filter(({ facts }) => !this.#live.has(facts.name))
    const byAge = ended.toSorted((a, b) => (a.facts.endedAtMs ?? 0) - (b.facts.endedAtMs ?? 0))
    for (const { facts } of byAge.slice(0, Math.max(0, this.#rows.size - rowsMax))) {
      const { packets, bytes } = this.#goneRows
      this.#goneRows = { packets: packets + facts.packets, bytes: bytes + facts.bytes }
      this.#rows.delete(facts.name)
    }
  }

  #fileSizes(): ReadonlyMap<string, number> {
    this.#sizes ??= sizesIn(this.directory, new Set(this.#prepared.values()))
    return this.#sizes
  }

  #current(): Map<string, StoredEndpoint> {
    return new Map<string, StoredEndpoint>([
      ...this.#rows,
      ...[...this.#live].map(([name, live]): [string, StoredEndpoint] => [name, live()]),
    ])
  }
}

function sizesIn(directory: string, hidden: ReadonlySet<string>): ReadonlyMap<string, number> {
  const names = existsSync(directory) ? readdirSync(directory).filter(name => isCaptureFile(name) && !hidden.has(name)) : []
  return new Map(names.map(name => [name, statSync(join(directory, name), { throwIfNoEntry: false })?.size ?? 0]))
}
