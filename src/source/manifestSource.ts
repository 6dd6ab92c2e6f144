// A world from a directory of manifests: PacketCapture and WorkloadEndpoint documents, several per
// file. manifestWatch.ts only starts another read. A broken file keeps its last good documents and is
// reported (manifestFiles.ts). A missing document counts as deleted after a second
// (deletionGrace.ts): its capture stops. While a file was never good, no files of captures are
// removed: it may describe them. standaloneMeta.ts assigns uids. While the directory cannot be
// read, the last state stays.
import { readdir } from 'node:fs/promises'
import type { Document } from '../manifest/read.ts'
import { osErrorMessage } from '../model/errors.ts'
import type { Settings } from '../model/settings.ts'
import type { PacketCapture, WorkloadEndpoint, World } from '../model/world.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/log.ts'
import { singleFlight } from '../runtime/singleFlight.ts'
import { type RetainedDocument, retainMissing } from './deletionGrace.ts'
import { ignoredManifests, type ManifestFiles, readManifestFiles } from './manifestFiles.ts'
import { ManifestWatch } from './manifestWatch.ts'
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
  readonly #deps: ManifestSourceDeps
  #watch: ManifestWatch | undefined
  readonly #stop = new AbortController()
  readonly #requestRead: () => Promise<void>
  #files: ManifestFiles = new Map()
  #ignored: ReadonlySet<string> = new Set() // files that were told of
  #retained: ReadonlyMap<string, RetainedDocument> = new Map()
  #captures: readonly PacketCapture[] = []
  #wake = new AbortController() // ends the wait for a missing document's grace
  #listener: () => void = () => {}
  #troubles: ReadonlyMap<string, string> = new Map() // each is logged once: message → the system's error

  private constructor(deps: ManifestSourceDeps) {
    this.#deps = deps
    this.#requestRead = singleFlight(() => this.#read())
  }

  /** Resolves after the first read. Refuses a directory that cannot be read. */
  static async open(deps: ManifestSourceDeps): Promise<ManifestSource> {
    await readdir(deps.directory)
    const manifests = new ManifestSource(deps)
    manifests.#watch = await ManifestWatch.open(deps, () => void manifests.#requestRead())
    await manifests.#requestRead()
    return manifests
  }

  onChange(listener: () => void): void {
    this.#listener = listener
  }

  /** The capture's ttl passed: it leaves the world although its manifest stays. */
  expire(key: string): void {
    this.#deps.identities.expire(key)
    this.#identify()
    this.#listener()
  }

  snapshot(): World {
    const { node, settings } = this.#deps
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
      isSynced: true, // the first read was done, and what is missing from a file was withdrawn
      isComplete: this.#isComplete,
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#watch?.[Symbol.asyncDispose]()
    await this.#deps.identities.stored()
  }

  async #read(): Promise<void> {
    if (this.#stop.signal.aborted) return
    const before = this.#files
    const unread = await this.#readFiles()
    this.#logProblems(before)
    const { retained, wakeAtMs } = retainMissing(
      this.#retained,
      byKey(this.#files),
      this.#deps.clock.now(),
    )
    this.#retained = retained
    this.#identify()
    const troubles = {
      'manifests not readable, all stays as it is': unread,
      'identities not stored': await this.#deps.identities.stored(),
    }
    this.#logTroubles(troubles)
    this.#wakeAt(
      this.#troubles.size > 0
        ? Math.min(wakeAtMs, this.#deps.clock.now() + retryDelayMs)
        : wakeAtMs,
    )
    this.#listener()
  }

  /** Why the manifests cannot be read; undefined: they were read. */
  async #readFiles(): Promise<string | undefined> {
    const { directory } = this.#deps
    try {
      this.#files = await readManifestFiles(directory, this.#files)
      this.#logIgnored(await ignoredManifests(directory))
      return undefined
    } catch (error) {
      return osErrorMessage(error)
    }
  }

  #identify(): void {
    this.#captures = this.#deps.identities.assign(
      this.#documents('PacketCapture') as unknown as CaptureManifest[],
      this.#deps.clock.now(),
      this.#isComplete,
    )
  }

  // A file that was never good may describe a capture whose packets are on disk.
  get #isComplete(): boolean {
    return [...this.#files.values()].every(file => file.isGood)
  }

  #documents(kind: Document['kind']): Document[] {
    return [...this.#retained.values()]
      .map(({ document }) => document)
      .filter(document => document.kind === kind)
  }

  #wakeAt(atMs: number): void {
    this.#wake.abort()
    this.#wake = new AbortController()
    if (atMs === Number.POSITIVE_INFINITY) return
    const signal = AbortSignal.any([this.#wake.signal, this.#stop.signal])
    void this.#deps.clock
      .sleepUntil(atMs, signal)
      .then(() => (signal.aborted ? undefined : this.#requestRead()))
  }

  #logTroubles(found: Readonly<Record<string, string | undefined>>): void {
    const before = this.#troubles
    this.#troubles = new Map(
      Object.entries(found).filter((entry): entry is [string, string] => entry[1] !== undefined),
    )
    for (const [message, error] of this.#troubles)
      if (before.get(message) !== error)
        this.#deps.log.error({ error, directory: this.#deps.directory }, message)
  }

  #logIgnored(names: readonly string[]): void {
    for (const file of names)
      if (!this.#ignored.has(file))
        this.#deps.log.warn({ file }, 'manifest ignored: its name begins with a dot')
    this.#ignored = new Set(names)
  }

  #logProblems(before: ManifestFiles): void {
    for (const [name, file] of this.#files) {
      if (file === before.get(name)) continue
      for (const problem of file.problems)
        this.#deps.log.error({ file: name, problem }, 'manifest refused, its last good state stays')
      if (file.problems.length === 0)
        this.#deps.log.info({ file: name, documents: file.documents.length }, 'manifest read')
    }
    for (const name of before.keys())
      if (!this.#files.has(name)) this.#deps.log.info({ file: name }, 'manifest gone')
  }
}

const retryDelayMs = 5_000

// If two files describe one object, the first by name wins.
function byKey(files: ManifestFiles): Map<string, Document> {
  const documents = [...files.values()].flatMap(file => file.documents)
  return new Map(
    documents
      .toReversed()
      .map(document => [
        `${document.kind}/${document.metadata.namespace}/${document.metadata.name}`,
        document,
      ]),
  )
}
