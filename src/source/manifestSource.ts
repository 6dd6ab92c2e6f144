// A world from a directory of manifests: PacketCapture and WorkloadEndpoint documents, several per
// file. A file system event only starts another read (chokidar: atomic replacement, symbolic
// links, ConfigMaps). A broken file keeps its last good documents and is reported
// (manifestFiles.ts). A missing document counts as deleted after a second (deletionGrace.ts).
// standaloneMeta.ts assigns uids. While the directory cannot be read, the last state stays.
import { readdir } from 'node:fs/promises'
import { type FSWatcher, watch } from 'chokidar'
import type { Document } from '../manifest/read.ts'
import { osErrorMessage } from '../model/errors.ts'
import type { Settings } from '../model/settings.ts'
import type { PacketCapture, WorkloadEndpoint, World } from '../model/world.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/log.ts'
import { singleFlight } from '../runtime/singleFlight.ts'
import { type RetainedDocument, retainMissing } from './deletionGrace.ts'
import { type ManifestFiles, readManifestFiles } from './manifestFiles.ts'
import type { Source } from './source.ts'
import type { CaptureManifest, StandaloneMeta } from './standaloneMeta.ts'

export type ManifestSourceDeps = {
  readonly directory: string
  readonly node: string
  readonly settings: () => Settings
  readonly identities: StandaloneMeta
  readonly clock: Clock
  readonly log: Logger
}

export class ManifestSource implements Source {
  readonly #parts: ManifestSourceDeps
  readonly #watcher: FSWatcher
  readonly #stop = new AbortController()
  readonly #lookAgain: () => Promise<void>
  #files: ManifestFiles = new Map()
  #standing: ReadonlyMap<string, RetainedDocument> = new Map()
  #captures: readonly PacketCapture[] = []
  #wake = new AbortController() // ends the wait for a missing document's grace
  #listener: () => void = () => {}
  #troubles: ReadonlyMap<string, string> = new Map() // each is logged once: message → the system's error

  private constructor(parts: ManifestSourceDeps) {
    this.#parts = parts
    this.#lookAgain = singleFlight(() => this.#read())
    this.#watcher = watch(parts.directory, { ignoreInitial: true, depth: 1 })
  }

  /** Resolves after the first read. Refuses a directory that cannot be read. */
  static async open(parts: ManifestSourceDeps): Promise<ManifestSource> {
    await readdir(parts.directory)
    const manifests = new ManifestSource(parts)
    manifests.#watcher.on('error', error => parts.log.error({ err: error, directory: parts.directory }, 'watching manifests failed'))
    await new Promise<void>(resolve => manifests.#watcher.once('ready', resolve))
    manifests.#watcher.on('all', () => void manifests.#lookAgain())
    await manifests.#lookAgain()
    return manifests
  }

  onChange(listener: () => void): void {
    this.#listener = listener
  }

  /** The capture's ttl passed: it leaves the world although its manifest stays. */
  expire(key: string): void {
    this.#parts.identities.expire(key)
    this.#identify()
    this.#listener()
  }

  snapshot(): World {
    const { node, settings } = this.#parts
    return {
      node,
      settings: settings(),
      captures: this.#captures,
      endpoints: this.#documents('WorkloadEndpoint') as WorkloadEndpoint[],
      namespaceLabels: new Map(),
      serviceAccountLabels: new Map(),
      pods: [],
      nodeLabels: {},
      hostInterfaces: [],
      hostVeth: 'TwoSided',
      // A file that was never valid may describe a capture whose packets are on disk.
      isSynced: [...this.#files.values()].every(file => file.isGood),
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#watcher.close()
  }

  async #read(): Promise<void> {
    if (this.#stop.signal.aborted) return
    const before = this.#files
    const unread = await this.#readFiles()
    this.#logProblems(before)
    const { standing, wakeAtMs } = retainMissing(this.#standing, byKey(this.#files), this.#parts.clock.now())
    this.#standing = standing
    this.#identify()
    const troubles = { 'manifests not readable, all stays as it is': unread, 'identities not stored': this.#parts.identities.unstored }
    this.#logTroubles(troubles)
    this.#wakeAt(this.#troubles.size > 0 ? Math.min(wakeAtMs, this.#parts.clock.now() + retryDelayMs) : wakeAtMs)
    this.#listener()
  }

  /** Why the manifests cannot be read; undefined: they were read. */
  async #readFiles(): Promise<string | undefined> {
    try {
      this.#files = await readManifestFiles(this.#parts.directory, this.#files)
      return undefined
    } catch (error) {
      return osErrorMessage(error)
    }
  }

  #identify(): void {
    this.#captures = this.#parts.identities.assign(
      this.#documents('PacketCapture') as unknown as CaptureManifest[],
      this.#parts.clock.now(),
    )
  }

  #documents(kind: Document['kind']): Document[] {
    return [...this.#standing.values()].map(({ document }) => document).filter(document => document.kind === kind)
  }

  #wakeAt(atMs: number): void {
    this.#wake.abort()
    this.#wake = new AbortController()
    if (atMs === Number.POSITIVE_INFINITY) return
    const signal = AbortSignal.any([this.#wake.signal, this.#stop.signal])
    void this.#parts.clock.sleepUntil(atMs, signal).then(() => (signal.aborted ? undefined : this.#lookAgain()))
  }

  #logTroubles(found: Readonly<Record<string, string | undefined>>): void {
    const before = this.#troubles
    this.#troubles = new Map(Object.entries(found).filter((entry): entry is [string, string] => entry[1] !== undefined))
    for (const [message, error] of this.#troubles)
      if (before.get(message) !== error) this.#parts.log.error({ error, directory: this.#parts.directory }, message)
  }

  #logProblems(before: ManifestFiles): void {
    for (const [name, file] of this.#files) {
      if (file === before.get(name)) continue
      for (const problem of file.problems) this.#parts.log.error({ file: name, problem }, 'manifest refused, its last good state stays')
      if (file.problems.length === 0) this.#parts.log.info({ file: name, documents: file.documents.length }, 'manifest read')
    }
    for (const name of before.keys()) if (!this.#files.has(name)) this.#parts.log.info({ file: name }, 'manifest gone')
  }
}

const retryDelayMs = 5_000

// If two files describe one object, the first by name wins.
function byKey(files: ManifestFiles): Map<string, Document> {
  const documents = [...files.values()].flatMap(file => file.documents)
  return new Map(
    documents.toReversed().map(document => [`${document.kind}/${document.metadata.namespace}/${document.metadata.name}`, document]),
  )
}
