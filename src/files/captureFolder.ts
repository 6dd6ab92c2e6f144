// One capture's directory on this node: its files, its endpoints, its limits, in memory and in the
// state file. In: what the taps report. Out: the capture's actual state, which is cheap enough to
// compute in each turn and asks no disk. Refuses with ExpectedError a directory that another
// capture owns. Opens no tap and decides nothing.
import { randomBytes } from 'node:crypto'
import { lstat, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { ActualCapture, Halt, LimitHit } from '../model/actualState.ts'
import type { ArtifactResult } from '../model/artifact.ts'
import { type CaptureRef, captureKey } from '../model/captureRef.ts'
import type { CloseReason } from '../model/codes.ts'
import { endpointKey } from '../model/endpoint.ts'
import { ExpectedError } from '../model/errors.ts'
import { Disk, DiskQueue } from '../runtime/disk.ts'
import { ifThere } from '../runtime/ifThere.ts'
import { keepAside } from '../runtime/keepAside.ts'
import { makeFolder } from './directories.ts'
import { FileList } from './fileList.ts'
import { recounted, restored } from './recount.ts'
import { adoptWaitingFiles, repairFiles } from './repair.ts'
import type { RotationDeps } from './rotation.ts'
import { type FoundState, readState, stateFileName, writeState } from './stateFile.ts'
import type { StoredCapture, StoredEndpoint, WrittenTotal } from './storedTypes.ts'
import {
  actualCapture,
  listFiles,
  type ReadableFile,
  totalOf,
  type UsedFile,
  usedFiles,
} from './usage.ts'

/** An endpoint and its active file as its tap left them. */
export type EndedEndpoint = Required<Pick<StoredEndpoint, 'facts' | 'active'>>
/** The same of an open tap now. `isMoving`: the disk has not followed the last rotation yet. */
export type LiveEndpoint = EndedEndpoint & {
  readonly readable: ReadableFile
  readonly isMoving: boolean
}

export type NewFolder = {
  readonly captureDir: string
  readonly capture: CaptureRef
  readonly node: string
  readonly nowMs: number
  readonly disk?: Disk // of captureDir
}

const clockTickMs = 20 // of a file system's times, with room to spare
const listingRestFactor = 50 // a listing that takes 20 ms is made each second
const endpointsMax = 1_000 // the oldest that ended are removed: pods may come and go for years

export class CaptureFolder {
  readonly capture: CaptureRef
  readonly directory: string
  readonly #node: string
  readonly #stateId: string | undefined
  readonly #endpoints: Map<string, StoredEndpoint> // by endpointKey(), as they were when their tap last closed
  readonly #live = new Map<string, () => LiveEndpoint>() // by endpointKey(), of open taps
  readonly #settled = new Map<string, StoredEndpoint>() // by endpointKey(), of open taps: as they were last saved
  readonly #hidden = new Map<string, string>() // by endpointKey(): a new file of a tap whose window is not open yet
  #firstOpenedAtMs: number | undefined
  #limitHit: LimitHit | undefined
  #halt: Halt | undefined
  #artifact: ArtifactResult | undefined
  readonly #unreadable: string | undefined
  readonly queue: DiskQueue // of what changes the directory or the state file
  readonly list = new FileList()
  #listedMs = 0 // the directory's time of change when it was listed
  #changes = 0
  #nextLookAtMs = 0
  #looking: Promise<void> | undefined // queued, and not begun
  #unlisted: WrittenTotal // of endpoints that were removed from the list
  #savedText = ''
  #lastingText = '' // of the last save that survives a power cut
  #saving: { readonly done: Promise<void>; isLasting: boolean; atMs: number } | undefined // queued, and not begun

  private constructor(directory: string, state: StoredCapture, queue: DiskQueue) {
    this.capture = state.capture
    this.directory = directory
    this.queue = queue
    this.#node = state.node
    this.#stateId = state.stateId
    this.#endpoints = new Map(state.rows.map(endpoint => [endpointKey(endpoint.facts), endpoint]))
    this.#firstOpenedAtMs = state.firstOpenedAtMs
    this.#limitHit = state.limitHit
    this.#halt = state.halt
    this.#artifact = state.made
    this.#unreadable = state.unreadable
    this.#unlisted = state.goneRows ?? { packets: 0, bytes: 0 }
  }

  /** For a new capture. Refuses a directory that holds files of another capture. */
  static async create({
    captureDir,
    capture,
    node,
    nowMs,
    disk = new Disk(),
  }: NewFolder): Promise<CaptureFolder> {
    const queue = new DiskQueue(disk)
    const directory = await queue.run(() => makeFolder(captureDir, capture))
    const earlier = await queue.run(() => readState(directory))
    if (earlier && captureKey(earlier.capture) !== captureKey(capture))
      throw new ExpectedError(
        `Cannot keep files in "${directory}": its state file is that of "${captureKey(earlier.capture)}"; move the directory away`,
      )
    const stateId = randomBytes(4).toString('hex')
    const fresh: StoredCapture = {
      version: 1,
      capture,
      stateId,
      node,
      savedAtMs: nowMs,
      rows: [],
    }
    // Where nothing says whose files these are, what they hold counts for this capture.
    const isOurs = earlier && ['', capture.uid].includes(earlier.capture.uid)
    const folder = isOurs
      ? await CaptureFolder.adopt(directory, { ...earlier, capture }, node, disk)
      : new CaptureFolder(directory, fresh, queue)
    await folder.save(nowMs, false)
    folder.#savedText = '' // the next save() writes it again, durably: that may take long
    await folder.look()
    return folder
  }

  /**
   * For a capture of an earlier run: repairs its files and counts what they hold beyond the state
   * file.
   */
  static async adopt(
    directory: string,
    found: FoundState,
    node: string,
    disk = new Disk(),
  ): Promise<CaptureFolder> {
    const queue = new DiskQueue(disk)
    return queue.run(async () => {
      const list = new FileList()
      list.replace(await listFiles(directory, new Map()))
      await adoptWaitingFiles(directory, list)
      const state = found.isRestored ? await restoredState(directory, list, found) : found
      const { listed, unlisted } = bounded(state)
      const rows = []
      for (const endpoint of listed)
        rows.push(await recounted(directory, list, endpoint, state.savedAtMs))
      const folder = new CaptureFolder(
        directory,
        { ...state, node, rows, goneRows: unlisted },
        queue,
      )
      folder.list.replace(await listFiles(directory, new Map()))
      return folder
    })
  }

  /** Makes the directory and the state file again if they were removed. */
  async ensure(captureDir: string, nowMs: number): Promise<void> {
    const isThere = await this.queue.run(() => ifThere(lstat(join(this.directory, stateFileName))))
    if (isThere) return
    await this.queue.run(() => makeFolder(captureDir, this.capture))
    this.#savedText = ''
    await this.save(nowMs, true)
    await this.look()
  }

  get key(): string {
    return captureKey(this.capture)
  }

  /** An endpoint as it was when its tap last closed. */
  storedEndpoint(key: string): StoredEndpoint | undefined {
    return this.#endpoints.get(key)
  }

  /**
   * Whether a tap may append to the active file of that name, or must begin another one. A file that
   * was to become the active one, and could not be renamed, is that file.
   */
  continuation(
    endpoint: string,
    name: string,
    settings: string,
  ): Promise<Pick<RotationDeps, 'continues' | 'isOldEmpty'>> {
    return this.queue.run(async () => {
      await adoptWaitingFiles(this.directory, this.list, name)
      const { size, ino: inode } = (await ifThere(stat(join(this.directory, name)))) ?? {}
      if (size === undefined || inode === undefined)
        return { continues: undefined, isOldEmpty: false }
      const active = this.#endpoints.get(endpoint)?.active
      const isKnown = active?.name === name && active.settings === settings
      if (isKnown && active.bytes === size)
        return { continues: { ...active, inode }, isOldEmpty: active.packets === 0 }
      const [found] = await repairFiles(this.directory, [name])
      const isOldEmpty = found?.scan.records === 0
      if (!isKnown || !found) return { continues: undefined, isOldEmpty }
      const { records: packets, recordBytes } = found.scan
      const received = active.received + Math.max(0, packets - active.packets)
      return {
        continues: { ...active, inode, bytes: found.bytes, packets, recordBytes, received },
        isOldEmpty,
      }
    })
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
  }

  get firstOpenedAtMs(): number | undefined {
    return this.#firstOpenedAtMs
  }

  /** A tap is about to open, or waits for its window: its new file is hidden until begin(). */
  prepare(key: string, file: string): void {
    if (this.#endpoints.get(key)?.active?.name !== file) this.#hidden.set(key, file)
  }

  /** The tap did not open, or closed before its window. */
  dismiss(key: string): void {
    this.#hidden.delete(key)
  }

  /** A tap and its window are open: from now on `live` gives the endpoint. */
  begin(key: string, live: () => LiveEndpoint, atMs: number): void {
    this.#hidden.delete(key)
    this.#live.set(key, live)
    this.#firstOpenedAtMs ??= atMs
  }

  end(key: string, endpoint: EndedEndpoint, closed: CloseReason): void {
    this.#live.delete(key)
    this.#settled.delete(key)
    this.#endpoints.set(key, { ...endpoint, closed })
    this.#removeOldEndpoints()
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
      ...(this.#stateId !== undefined && { stateId: this.#stateId }),
      ...(this.#firstOpenedAtMs !== undefined && { firstOpenedAtMs: this.#firstOpenedAtMs }),
      ...(this.#limitHit && { limitHit: this.#limitHit }),
      ...(this.#halt && { halt: this.#halt }),
      ...(this.#artifact && { artifact: this.#artifact }),
      ...(this.#unreadable !== undefined && { unreadable: this.#unreadable }),
    }
    return actualCapture(state, this.files(), this.#current())
  }

  /** What may be read of each file now: complete records. */
  files(): readonly UsedFile[] {
    return usedFiles(
      this.list,
      new Set(this.#hidden.values()),
      [...this.#live.values()].map(live => live().readable),
    )
  }

  /** Lists the directory anew if anybody made, renamed or removed a file in it. */
  look(): Promise<void> {
    this.#looking ??= this.queue.run(() => {
      this.#looking = undefined
      return this.#list()
    })
    return this.#looking
  }

  /** How often a look found that the directory was changed, by this process or by others. */
  get changes(): number {
    return this.#changes
  }

  /** The same, less often the longer a listing takes. */
  async lookIfDue(): Promise<void> {
    if (performance.now() >= this.#nextLookAtMs) await this.look()
  }

  async #list(): Promise<void> {
    const beganMs = performance.now()
    const { mtimeMs = 0 } = (await ifThere(stat(this.directory))) ?? {}
    if (mtimeMs === this.#listedMs && mtimeMs !== 0) return
    this.#changes++
    this.list.replace(await listFiles(this.directory, this.list.sizes))
    // A change within the same tick of the disk's clock may come after the listing.
    this.#listedMs = Date.now() - mtimeMs > clockTickMs ? mtimeMs : 0
    const endedMs = performance.now()
    this.#nextLookAtMs = endedMs + (endedMs - beganMs) * listingRestFactor
  }

  /** Removes all files but the active ones. Counts stay as they are. */
  async clean(): Promise<void> {
    const names = this.files().flatMap(({ name, isActive }) => (isActive ? [] : [name]))
    for (const name of names) {
      await this.queue.run(() => rm(join(this.directory, name), { force: true }))
      this.list.delete(name)
    }
  }

  /** Writes the state file if anything in it changed. Saves that wait become one. */
  save(nowMs: number, isLasting: boolean): Promise<void> {
    const waiting = this.#saving
    if (waiting) {
      waiting.isLasting ||= isLasting
      waiting.atMs = nowMs
      return waiting.done
    }
    if (this.#isSaved(JSON.stringify(this.#state(this.#currentRows())), isLasting))
      return Promise.resolve()
    const done = this.queue.run(() => this.#write())
    this.#saving = { done, isLasting, atMs: nowMs }
    return done
  }

  async #write(): Promise<void> {
    const { isLasting, atMs } = this.#saving ?? { isLasting: false, atMs: 0 }
    this.#saving = undefined
    const state = this.#state(this.#settledRows())
    const text = JSON.stringify(state)
    if (this.#isSaved(text, isLasting)) return
    await writeState(this.directory, { ...state, savedAtMs: atMs }, isLasting)
    this.#savedText = text
    if (isLasting) this.#lastingText = text
  }

  #isSaved(text: string, isLasting: boolean): boolean {
    return text === this.#savedText && (!isLasting || text === this.#lastingText)
  }

  #state(rows: readonly StoredEndpoint[]): Omit<StoredCapture, 'savedAtMs'> {
    return {
      version: 1 as const,
      capture: this.capture,
      ...(this.#stateId !== undefined && { stateId: this.#stateId }),
      node: this.#node,
      ...(this.#firstOpenedAtMs !== undefined && { firstOpenedAtMs: this.#firstOpenedAtMs }),
      ...(this.#limitHit && { limitHit: this.#limitHit }),
      ...(this.#halt && { halt: this.#halt }),
      ...(this.#artifact && { made: this.#artifact }),
      ...(this.#unreadable !== undefined && { unreadable: this.#unreadable }),
      ...(this.#unlisted.packets > 0 && { goneRows: this.#unlisted }),
      rows,
    }
  }

  #currentRows(): readonly StoredEndpoint[] {
    return [...this.#current().values()]
  }

  /**
   * The files of an endpoint's row are on the disk once its rotation is done: until then its last
   * row with files that are there stays. The others are saved meanwhile.
   */
  #settledRows(): readonly StoredEndpoint[] {
    return [...this.#current()].flatMap(([name, row]) => {
      if (this.#live.get(name)?.().isMoving)
        return this.#settled.get(name) ?? this.#endpoints.get(name) ?? []
      if (this.#live.has(name)) this.#settled.set(name, row)
      return [row]
    })
  }

  #removeOldEndpoints(): void {
    const ended = [...this.#endpoints.values()].filter(
      ({ facts }) => !this.#live.has(endpointKey(facts)),
    )
    const byAge = ended.toSorted((a, b) => (a.facts.endedAtMs ?? 0) - (b.facts.endedAtMs ?? 0))
    const old = byAge
      .slice(0, Math.max(0, this.#endpoints.size - endpointsMax))
      .map(({ facts }) => facts)
    this.#unlisted = totalOf(old, this.#unlisted)
    for (const facts of old) this.#endpoints.delete(endpointKey(facts))
  }

  /** All endpoints as they are now. */
  #current(): Map<string, StoredEndpoint> {
    return new Map<string, StoredEndpoint>([
      ...this.#endpoints,
      ...[...this.#live].map(([key, live]): [string, StoredEndpoint] => {
        const { facts, active } = live()
        return [key, { facts, active }]
      }),
    ])
  }
}

/** The state that could not be read is kept aside; what was captured is counted from the files. */
async function restoredState(
  directory: string,
  list: FileList,
  found: FoundState,
): Promise<StoredCapture> {
  const { isRestored: _, ...state } = found
  const notKept = await keepAside(join(directory, stateFileName))
  const { rows, ...times } = await restored(directory, list, state)
  return {
    ...times,
    ...state,
    rows,
    ...(notKept !== undefined && { unreadable: `${state.unreadable}; not kept aside: ${notKept}` }),
  }
}

/** The newest endpoints of a state file, and what the others wrote. Any file may be longer. */
function bounded({ rows, goneRows = { packets: 0, bytes: 0 } }: StoredCapture): {
  readonly listed: readonly StoredEndpoint[]
  readonly unlisted: WrittenTotal
} {
  if (rows.length <= endpointsMax) return { listed: rows, unlisted: goneRows }
  const endOf = ({ facts }: StoredEndpoint) => facts.endedAtMs ?? Number.POSITIVE_INFINITY
  const newest = rows.toSorted((a, b) => (endOf(a) === endOf(b) ? 0 : endOf(b) - endOf(a)))
  const old = newest.slice(endpointsMax).map(({ facts }) => facts)
  return { listed: newest.slice(0, endpointsMax), unlisted: totalOf(old, goneRows) }
}
