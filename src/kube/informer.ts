// Caches the objects of one kind by list and watch. In: a path, a selection. Out: the objects, and
// a call on every change. Survives an API server that is away, restarts, or answers 410, 401 or
// 429, and a watch that goes silent: the last state stays meanwhile. client-node's informer is not
// used: it stops for good on most errors, and can watch neither metadata nor bookmarks. Objects
// whose large status is not needed are listed whole and then watched by metadata: only a new
// generation is fetched.
import type { IncomingMessage } from 'node:http'
import { isDeepStrictEqual } from 'node:util'
import type { Labels } from '../model/labels.ts'
import type { Clock } from '../runtime/clock.ts'
import { ApiRefusal, apiRefusalOf, waitMsAfter } from './apiError.ts'
import { readPagedList, type WholeList } from './pagedList.ts'
import { type Kube, readJson } from './request.ts'
import { partialMetadata } from './resources.ts'
import { SilentWatch, type WatchEvent, watchStream } from './watchStream.ts'

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
  /**
   * The part of the objects that is fetched: all, the metadata, or all but changes without a new
   * generation.
   */
  readonly wanted?: 'whole' | 'metadata' | 'spec'
  /**
   * Lists are read from etcd, not from the server's cache: needed where a missing object leads to a
   * deletion.
   */
  readonly isConsistent?: boolean
  /** Returns the part of an object that stays in memory. */
  readonly keep?: (object: T) => T
  readonly silentMsMax?: number // a watch without a line for this long is dead: bookmarks come every minute
  readonly random?: () => number
  readonly onState?: (state: InformerState, detail: string) => void
}

const fetchesMax = 20 // beyond this number of new generations the whole list is read

type ListQuery = Readonly<Record<string, string>>

export class Informer<T extends KubeObject> implements AsyncDisposable {
  readonly #options: InformerOptions<T>
  readonly #stop = new AbortController()
  #objects = new Map<string, T>()
  #resourceVersion: string | undefined // undefined: list before watching
  #seenVersion: string | undefined // no list may be older than this
  #isListed = false
  #failures = 0
  #isGone = false // the server answered 410, and no event has come since
  #listener: () => void = () => {}
  #done: Promise<void> | undefined

  constructor(options: InformerOptions<T>) {
    this.#options = options
  }

  /** By uid. Empty before the first list. */
  get objects(): ReadonlyMap<string, T> {
    return this.#objects
  }

  /** True once a complete list was received. */
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
    const list = await this.#read(
      this.#options.wanted === 'metadata' || (this.#options.wanted === 'spec' && this.#isListed),
    )
    const objects = await this.#completed(list.items)
    this.#objects = new Map(objects.map(object => [object.metadata.uid, this.#kept(object)]))
    this.#resourceVersion = this.#seenVersion = list.resourceVersion
    this.#isListed = true
    this.#options.onState?.('listed', `${objects.length} objects`)
    this.#listener()
  }

  #read(isPartial: boolean): Promise<WholeList<T>> {
    const { path } = this.#options
    const accept = isPartial ? partialMetadata('PartialObjectMetadataList') : 'application/json'
    const ask = (query: ListQuery) => this.#get(path, query, accept, AbortSignal.timeout(60_000))
    return readPagedList<T>(ask, this.#freshness(), object => this.#kept(object))
  }

  // After 410 every agent lists again: objects of a known generation are not fetched again.
  async #completed(items: readonly T[]): Promise<readonly T[]> {
    if (this.#options.wanted !== 'spec' || !this.#isListed) return items
    const isKnown = ({ metadata }: T) =>
      this.#objects.get(metadata.uid)?.metadata.generation === metadata.generation
    if (items.filter(item => !isKnown(item)).length > fetchesMax)
      return (await this.#read(false)).items
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
    const query = {
      watch: 'true',
      allowWatchBookmarks: 'true',
      resourceVersion: this.#resourceVersion ?? '',
      timeoutSeconds: String(Math.round(270 + 60 * random())),
    }
    const accept =
      wanted === 'whole' ? 'application/json' : partialMetadata('PartialObjectMetadata')
    const open = async (signal: AbortSignal) => {
      const response = await this.#get(path, query, accept, signal)
      this.#options.onState?.('watching', `from ${this.#resourceVersion}`)
      return response
    }
    try {
      for await (const event of watchStream({ path, open, silentMsMax })) {
        await this.#take(event)
        this.#failures = 0
        this.#isGone = false
      }
    } catch (error) {
      // The server sends no events for a version outside its history: list again.
      if (error instanceof SilentWatch) this.#resourceVersion = undefined
      throw error
    }
  }

  async #take({ type, object }: WatchEvent): Promise<void> {
    if (type === 'ERROR') {
      this.#resourceVersion = undefined // 410 Gone or another error: list again
      throw new ApiRefusal({
        status: object.code ?? 500,
        said: object.message ?? 'without a reason',
        path: this.#options.path,
      })
    }
    const { resourceVersion, uid } = object.metadata
    const before = this.#objects.get(uid)
    if (type !== 'BOOKMARK') {
      const next = type === 'DELETED' ? undefined : await this.#wholeOf(object as unknown as T)
      if (next) this.#objects.set(uid, this.#kept(next))
      else this.#objects.delete(uid)
    }
    this.#resourceVersion = this.#seenVersion = resourceVersion // last: an event whose object could not be fetched is sent again
    if (!isAlike(before, this.#objects.get(uid))) this.#listener()
  }

  /**
   * Fetches the whole object of an event; undefined: it was deleted meanwhile, and that event
   * follows.
   */
  async #wholeOf(partialObject: T): Promise<T | undefined> {
    const { wanted = 'whole', path } = this.#options
    if (wanted !== 'spec') return partialObject
    const { uid, generation, namespace, name } = partialObject.metadata
    const known = this.#objects.get(uid)
    if (known && known.metadata.generation === generation)
      return { ...known, metadata: partialObject.metadata }
    const within = namespace === undefined ? '' : `namespaces/${namespace}/`
    const one = path.replace(/[^/]+$/, plural => `${within}${plural}/${name}`)
    try {
      const found = (await readJson(
        await this.#get(one, {}, 'application/json', AbortSignal.timeout(30_000)),
      )) as T
      return found.metadata.uid === uid ? found : undefined
    } catch (error) {
      if (error instanceof ApiRefusal && error.isAbsenceOf(name)) return undefined
      throw error
    }
  }

  #kept(object: T): T {
    return this.#options.keep?.(object) ?? object
  }

  async #get(
    path: string,
    query: ListQuery,
    accept: string,
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
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
    if (error instanceof ApiRefusal && error.isFromFuture)
      this.#resourceVersion = this.#seenVersion = undefined
    this.#options.onState?.('failed', error instanceof Error ? error.message : String(error))
    const waitMs = waitMsAfter(error, this.#failures++, random())
    await clock.sleepUntil(clock.now() + waitMs, this.#stop.signal)
  }

  // The server answers, so the first list follows at once. If 410 repeats, the delay grows: lists
  // are expensive.
  #forget(): void {
    this.#resourceVersion = undefined
    if (!this.#isGone) this.#failures = 0
    this.#isGone = true
  }
}

/** True if the objects differ only in their version. */
function isAlike(a: KubeObject | undefined, b: KubeObject | undefined): boolean {
  return isDeepStrictEqual(withoutVersion(a), withoutVersion(b))
}

function withoutVersion(object: KubeObject | undefined): unknown {
  return (
    object && {
      ...object,
      metadata: { ...object.metadata, resourceVersion: undefined, managedFields: undefined },
    }
  )
}
