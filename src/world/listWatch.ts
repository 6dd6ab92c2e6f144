// A copy of one kind of object, kept current by list and watch. In: the path and what to select. Out: the objects as
// they stand, and "look again" whenever they change. It outlives whatever happens to the API server: gone, restarted,
// 410 Gone, 401, 429, a watch that goes silent. While it cannot reach the server its last copy stays.
// client-node's informer is not used: on most errors it stops for good, and it can watch neither metadata nor bookmarks.
import type { IncomingMessage } from 'node:http'
import { createInterface } from 'node:readline'
import type { Clock } from '../clock.ts'
import { type Kube, readJson } from './kube.ts'

export type KubeObject = {
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly uid: string; readonly resourceVersion: string }
}

export type ListWatchOptions = {
  readonly kube: Kube
  readonly clock: Clock
  readonly path: string
  readonly query?: Readonly<Record<string, string>> // fieldSelector, labelSelector
  readonly isMetadataOnly?: boolean
  readonly silentMsMax?: number // a watch without a line for this long is dead; bookmarks come about every minute
  readonly random?: () => number
  readonly onState?: (state: 'listed' | 'watching' | 'failed', detail: string) => void
}

const backOffMs = { first: 500, most: 30_000 }

/** The server said something other than 200; `retryAfterMs` is its own wish. */
class Refused extends Error {
  override readonly name = 'Refused'
  readonly status: number
  readonly retryAfterMs: number

  constructor(status: number, retryAfter: string | undefined, path: string) {
    super(`Cannot read ${path}: the API server answered ${status}`)
    this.status = status
    this.retryAfterMs = (Number(retryAfter) || 0) * 1_000
  }
}

type WatchLine = { readonly type: string; readonly object: KubeObject & { readonly code?: number; readonly message?: string } }

export class ListWatch<T extends KubeObject> implements AsyncDisposable {
  readonly #options: ListWatchOptions
  readonly #stop = new AbortController()
  #objects = new Map<string, T>()
  #resourceVersion: string | undefined // undefined: list before watching
  #isListed = false
  #failures = 0
  #listener: () => void = () => {}
  #done: Promise<void> | undefined

  constructor(options: ListWatchOptions) {
    this.#options = options
  }

  /** By uid. Empty before the first list. */
  get objects(): ReadonlyMap<string, T> {
    return this.#objects
  }

  /** True once the whole list was seen. */
  get isListed(): boolean {
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
    // Version 0: from the API server's watch cache, which spares etcd when many agents start at once.
    const list = (await readJson(await this.#get({ resourceVersion: '0' }, 'PartialObjectMetadataList', AbortSignal.timeout(60_000)))) as {
      items: T[]
      metadata: { resourceVersion: string }
    }
    this.#objects = new Map(list.items.map(object => [object.metadata.uid, object]))
    this.#resourceVersion = list.metadata.resourceVersion
    this.#isListed = true
    this.#options.onState?.('listed', `${list.items.length} objects`)
    this.#listener()
  }

  async #watch(): Promise<void> {
    const { silentMsMax = 150_000, random = Math.random } = this.#options
    const silence = new AbortController()
    const timer = setTimeout(() => silence.abort(), silentMsMax)
    try {
      const query = {
        watch: 'true',
        allowWatchBookmarks: 'true',
        resourceVersion: this.#resourceVersion ?? '',
        timeoutSeconds: String(Math.round(270 + 60 * random())),
      }
      const response = await this.#get(query, 'PartialObjectMetadata', silence.signal)
      this.#options.onState?.('watching', `from ${this.#resourceVersion}`)
      for await (const line of createInterface({ input: response, crlfDelay: Number.POSITIVE_INFINITY })) {
        timer.refresh()
        this.#failures = 0
        this.#take(JSON.parse(line) as WatchLine)
      }
    } finally {
      clearTimeout(timer)
    }
  }

  #take({ type, object }: WatchLine): void {
    if (type === 'ERROR') {
      this.#resourceVersion = undefined // 410 Gone, or anything else: a list is the answer to all of them
      throw new Refused(object.code ?? 500, undefined, this.#options.path)
    }
    this.#resourceVersion = object.metadata.resourceVersion
    if (type === 'BOOKMARK') return
    if (type === 'DELETED') this.#objects.delete(object.metadata.uid)
    else this.#objects.set(object.metadata.uid, object as unknown as T)
    this.#listener()
  }

  async #get(query: Readonly<Record<string, string>>, metadataKind: string, signal: AbortSignal): Promise<IncomingMessage> {
    const { kube, path, query: selection = {}, isMetadataOnly = false } = this.#options
    const accept = isMetadataOnly ? `application/json;as=${metadataKind};g=meta.k8s.io;v=v1` : 'application/json'
    const response = await kube({
      path,
      query: { ...selection, ...query },
      headers: { accept },
      signal: AbortSignal.any([signal, this.#stop.signal]),
    })
    if (response.statusCode === 200) return response
    response.resume()
    throw new Refused(response.statusCode ?? 0, response.headers['retry-after'], path)
  }

  async #backOff(error: unknown): Promise<void> {
    const { clock, random = Math.random } = this.#options
    if (error instanceof Refused && error.status === 410) this.#resourceVersion = undefined
    this.#options.onState?.('failed', error instanceof Error ? error.message : String(error))
    const most = Math.min(backOffMs.most, backOffMs.first * 2 ** this.#failures++)
    const waitMs = Math.max(most * random(), error instanceof Refused ? error.retryAfterMs : 0)
    await clock.sleepUntil(clock.now() + waitMs, this.#stop.signal)
  }
}
