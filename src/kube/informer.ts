// A copy of one kind of object, kept current by list and watch. In: the path and what to select. Out: the objects as
// they stand, and "look again" whenever they change. It outlives whatever happens to the API server: gone, restarted,
// 410 Gone, 401, 429, a watch that goes silent. While it cannot reach the server its last copy stays.
// client-node's informer is not used: on most errors it stops for good, and it can watch neither metadata nor bookmarks.
// Objects whose status is large and of no interest are listed whole and then watched by their metadata alone: only a new
// generation is fetched.
import type { IncomingMessage } from 'node:http'
import { createInterface } from 'node:readline'
import { isDeepStrictEqual } from 'node:util'
import { ExpectedError } from '../model/errors.ts'
import type { Labels } from '../model/labels.ts'
import type { Clock } from '../runtime/clock.ts'
import { ApiRefusal, apiRefusalOf, waitMsAfter } from './apiError.ts'
import { readPagedList, type WholeList } from './pagedList.ts'
import { type Kube, readJson } from './request.ts'

export type KubeObject = {
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly uid: string
    readonly resourceVersion: string
    readonly generation?: number
  }
}
export type Labelled = KubeObject & { readonly metadata: { readonly labels?: Labels } }

export type InformerState = 'listed' | 'watching' | 'failed'

export type InformerOptions<T> = {
  readonly kube: Kube
  readonly clock: Clock
  readonly path: string
  readonly query?: Readonly<Record<string, string>> // fieldSelector, labelSelector
  /** What is wanted of the objects: all, metadata, or all but what no new generation tells of. */
  readonly wanted?: 'whole' | 'metadata' | 'spec'
  /** Lists hold all that was written before they were asked for, not what the server's cache holds: where something missing is deleted. */
  readonly isConsistent?: boolean
  /** What is kept of an object in memory. */
  readonly keep?: (object: T) => T
  readonly silentMsMax?: number // a watch without a line for this long is dead; bookmarks come about every minute
  readonly random?: () => number
  readonly onState?: (state: InformerState, detail: string) => void
}

const shortWatchMs = 1_000 // a watch that ends sooner without a line is no watch
const fetchesMax = 20 // more new generations than that are listed whole

type ListQuery = Readonly<Record<string, string>>
type WatchLine = { readonly type: string; readonly object: KubeObject & { readonly code?: number; readonly message?: string } }

export class Informer<T extends KubeObject> implements AsyncDisposable {
  readonly #options: InformerOptions<T>
  readonly #stop = new AbortController()
  #objects = new Map<string, T>()
  #resourceVersion: string | undefined // undefined: list before watching
  #seenVersion: string | undefined // no list may be older than what was seen
  #isListed = false
  #failures = 0
  #isGone = false // the version we watched from was forgotten, and no line has come since
  #listener: () => void = () => {}
  #done: Promise<void> | undefined

  constructor(options: InformerOptions<T>) {
    this.#options = options
  }

  /** By uid. Empty before the first list. */
  get objects(): ReadonlyMap<string, T> {
    return this.#objects
  }

  /** True once the whole list was seen. */
  get hasSynced(): boolean {
    return this.#isListed
  }

  onChange(listener: () => void): void {
    this.#listener = listener
  }

  start(): void {
    this.#done ??= this.#run()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#done
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        if (this.#resourceVersion === undefined) await this.#list()
        await this.#watch()
      } catch (error) {
        if (this.#stop.signal.aborted) return
        await this.#backOff(error)
      }
    }
  }

  async #list(): Promise<void> {
    const list = await this.#read(this.#options.wanted === 'metadata' || (this.#options.wanted === 'spec' && this.#isListed))
    const objects = await this.#completed(list.items)
    this.#objects = new Map(objects.map(object => [object.metadata.uid, this.#kept(object)]))
    this.#resourceVersion = this.#seenVersion = list.resourceVersion
    this.#isListed = true
    this.#options.onState?.('listed', `${objects.length} objects`)
    this.#listener()
  }

  #read(isPartial: boolean): Promise<WholeList<T>> {
    const { path } = this.#options
    const accept = isPartial ? partial('PartialObjectMetadataList') : 'application/json'
    const ask = (query: ListQuery) => this.#get(path, query, accept, AbortSignal.timeout(60_000))
    return readPagedList<T>(ask, this.#freshness(), object => this.#kept(object))
  }

  // When a server has forgotten what we saw last, every agent lists again: what is known by its generation is not sent again.
  async #completed(items: readonly T[]): Promise<readonly T[]> {
    if (this.#options.wanted !== 'spec' || !this.#isListed) return items
    const isKnown = ({ metadata }: T) => this.#objects.get(metadata.uid)?.metadata.generation === metadata.generation
    if (items.filter(item => !isKnown(item)).length > fetchesMax) return (await this.#read(false)).items
    const objects: (T | undefined)[] = []
    for (const item of items) objects.push(await this.#wholeOf(item))
    return objects.filter(object => object !== undefined)
  }

  // From the API server's watch cache, which spares etcd when many agents start at once.
  #freshness(): ListQuery {
    if (this.#options.isConsistent) return {}
    return { resourceVersion: this.#seenVersion ?? '0', resourceVersionMatch: 'NotOlderThan' }
  }

  async #watch(): Promise<void> {
    const { path, wanted = 'whole', silentMsMax = 150_000, random = Math.random } = this.#options
    const startedMs = performance.now()
    const end = new AbortController()
    const timer = setTimeout(() => end.abort(), silentMsMax)
    let isHeard = false // an end without a line is well after minutes, not at once
    try {
      const query = {
        watch: 'true',
        allowWatchBookmarks: 'true',
        resourceVersion: this.#resourceVersion ?? '',
        timeoutSeconds: String(Math.round(270 + 60 * random())),
      }
      const accept = wanted === 'whole' ? 'application/json' : partial('PartialObjectMetadata')
      const response = await this.#get(path, query, accept, end.signal)
      this.#options.onState?.('watching', `from ${this.#resourceVersion}`)
      const lines = createInterface({ input: response, crlfDelay: Number.POSITIVE_INFINITY })
      lines.on('error', () => {}) // the loop throws it; after the loop nobody would listen, which ends the process
      for await (const line of lines) {
        timer.refresh()
        isHeard = true
        await this.#take(JSON.parse(line) as WatchLine)
        this.#failures = 0
        this.#isGone = false
      }
    } catch (error) {
      if (!end.signal.aborted) throw error
      // Perhaps the connection is dead, perhaps what we saw is not in the server's past any more: to that it says nothing at all.
      this.#resourceVersion = undefined
      throw new ExpectedError(`Cannot watch ${path}: nothing was heard for ${silentMsMax} ms`, { cause: error })
    } finally {
      clearTimeout(timer)
      end.abort() // left early, the connection would stay
    }
    if (!isHeard && performance.now() - startedMs < shortWatchMs) throw new ExpectedError(`Cannot watch ${path}: it ended at once`)
  }

  async #take({ type, object }: WatchLine): Promise<void> {
    if (type === 'ERROR') {
      this.#resourceVersion = undefined // 410 Gone, or anything else: a list is the answer to all of them
      throw new ApiRefusal({ status: object.code ?? 500, said: object.message ?? 'without a reason', path: this.#options.path })
    }
    const { resourceVersion, uid } = object.metadata
    const before = this.#objects.get(uid)
    if (type !== 'BOOKMARK') {
      const next = type === 'DELETED' ? undefined : await this.#wholeOf(object as unknown as T)
      if (next) this.#objects.set(uid, this.#kept(next))
      else this.#objects.delete(uid)
    }
    this.#resourceVersion = this.#seenVersion = resourceVersion // only now: an event that could not be followed is asked for again
    if (!isAlike(before, this.#objects.get(uid))) this.#listener()
  }

  /** The object behind an event; undefined: it has gone since, and the event that says so is on its way. */
  async #wholeOf(told: T): Promise<T | undefined> {
    const { wanted = 'whole', path } = this.#options
    if (wanted !== 'spec') return told
    const { uid, generation, namespace, name } = told.metadata
    const known = this.#objects.get(uid)
    if (known && known.metadata.generation === generation) return { ...known, metadata: told.metadata }
    const within = namespace === undefined ? '' : `namespaces/${namespace}/`
    const one = path.replace(/[^/]+$/, plural => `${within}${plural}/${name}`)
    try {
      const found = (await readJson(await this.#get(one, {}, 'application/json', AbortSignal.timeout(30_000)))) as T
      return found.metadata.uid === uid ? found : undefined
    } catch (error) {
      if (error instanceof ApiRefusal && error.isAbsenceOf(name)) return undefined
      throw error
    }
  }

  #kept(object: T): T {
    return this.#options.keep?.(object) ?? object
  }

  async #get(path: string, query: ListQuery, accept: string, signal: AbortSignal): Promise<IncomingMessage> {
    const { kube, path: own, query: selection = {} } = this.#options
    const response = await kube({
      path,
      query: { ...(path === own && selection), ...query },
      headers: { accept },
      signal: AbortSignal.any([signal, this.#stop.signal]),
    })
    if (response.statusCode === 200) return response
    throw await apiRefusalOf(response, path)
  }

  async #backOff(error: unknown): Promise<void> {
    const { clock, random = Math.random } = this.#options
    if (error instanceof ApiRefusal && error.status === 410) this.#forget()
    if (error instanceof ApiRefusal && error.isFromFuture) this.#resourceVersion = this.#seenVersion = undefined
    this.#options.onState?.('failed', error instanceof Error ? error.message : String(error))
    const waitMs = waitMsAfter(error, this.#failures++, random())
    await clock.sleepUntil(clock.now() + waitMs, this.#stop.signal)
  }

  // The server is there, so the list comes soon, however long it was away. If that repeats, ever later: lists are dear.
  #forget(): void {
    this.#resourceVersion = undefined
    if (!this.#isGone) this.#failures = 0
    this.#isGone = true
  }
}

function partial(kind: string): string {
  return `application/json;as=${kind};g=meta.k8s.io;v=v1`
}

/** They differ in nothing that is kept but their version: no reason to look again. */
function isAlike(a: KubeObject | undefined, b: KubeObject | undefined): boolean {
  return isDeepStrictEqual(withoutVersion(a), withoutVersion(b))
}

function withoutVersion(object: KubeObject | undefined): unknown {
  return object && { ...object, metadata: { ...object.metadata, resourceVersion: undefined, managedFields: undefined } }
}
