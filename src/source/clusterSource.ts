// The world of one node from a Kubernetes cluster: every capture, the node's own pods, and
// inherited labels. Labels of namespaces and service accounts are watched only while a live
// selector reads them. Other objects and fields are not fetched or not kept. While the API server
// is away, the last world stays. A deleted capture stays while the node has work left with it.

import { parseSelector } from '../../grammar/selector.ts'
import { labelsOf as selectorLabels } from '../../grammar/visit.ts'
import { DeletedObjects } from '../kube/deletedObjects.ts'
import { Informer, type InformerOptions, type KubeObject, type Labelled } from '../kube/informer.ts'
import { informerLog } from '../kube/informerLog.ts'
import type { Kube } from '../kube/request.ts'
import { listPath } from '../kube/resources.ts'
import { stripManagedFields } from '../kube/stripManagedFields.ts'
import { trimPod } from '../kube/trimPod.ts'
import { type Api, captureKey } from '../model/captureRef.ts'
import type { Labels } from '../model/labels.ts'
import type { Pod } from '../model/pod.ts'
import type { Settings } from '../model/settings.ts'
import type { CaptureDocument, World } from '../model/world.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/log.ts'
import { followFelix } from './felixConfiguration.ts'
import type { Source } from './source.ts'

export type ClusterSourceDeps = {
  readonly kube: Kube
  readonly node: string
  readonly apis: readonly Api[] // the kinds that are served here
  readonly group: string // of PacketCapture: projectcalico.org, or selcap.dev if Calico serves it
  readonly settings: () => Settings
  readonly hostInterfaces: () => readonly string[]
  /** Whether the node has work left with a capture that was deleted; missing: with none. */
  readonly isDeletedNeeded?: (capture: CaptureDocument) => boolean
  readonly clock: Clock
  readonly log: Logger
}

const deletedMs = { most: 1_800_000, beforeNamesake: 60_000 } as const // the first as Retina's grace period

const prefixes = ['pcns.', 'pcsa.'] as const // of labels inherited from a namespace or a service account
type LabelPrefix = (typeof prefixes)[number]
type ListedObjects<T> = T & KubeObject

export class ClusterSource implements Source {
  readonly #deps: ClusterSourceDeps
  readonly #captures: readonly Informer<ListedObjects<CaptureDocument>>[] // one for each kind
  readonly #deleted = new DeletedObjects<ListedObjects<CaptureDocument>>(deletedMs.most)
  readonly #pods: Informer<ListedObjects<Pod>>
  readonly #node: Informer<Labelled> | undefined // only if a served kind may select nodes
  readonly #stop = new AbortController()
  #namespaces: Informer<Labelled> | undefined // only while a selector reads their labels
  #serviceAccounts: Informer<Labelled> | undefined
  readonly #felix: Promise<void>
  #hostVeth: World['hostVeth'] | undefined // undefined until Calico's configuration was read
  #listener: () => void = () => {}

  constructor(deps: ClusterSourceDeps) {
    this.#deps = deps
    const { kube, clock, node, group, apis, log } = deps
    this.#captures = apis.map(api =>
      this.#follow(`${api}s`, { path: listPath(api, group), ...whole }),
    )
    this.#pods = this.#follow('pods', {
      path: '/api/v1/pods',
      query: { fieldSelector: `spec.nodeName=${node}` },
      keep: trimPod,
    })
    if (apis.includes('Capture'))
      this.#node = this.#followLabels('node', '/api/v1/nodes', {
        fieldSelector: `metadata.name=${node}`,
      })
    this.#felix = followFelix({ kube, node, clock, log, signal: this.#stop.signal }, answer => {
      const hostVeth = answer ?? this.#hostVeth ?? 'TwoSided'
      if (hostVeth === this.#hostVeth) return
      this.#hostVeth = hostVeth
      this.#listener()
    })
  }

  onChange(listener: () => void): void {
    this.#listener = listener
  }

  snapshot(): World {
    const { node, settings, hostInterfaces } = this.#deps
    const captures = this.#withDeleted()
    this.#watchLabels(captures)
    const needed = [
      ...this.#captures,
      this.#pods,
      this.#node,
      this.#namespaces,
      this.#serviceAccounts,
    ]
    const isKnown = {
      'pcns.': this.#namespaces?.hasSynced,
      'pcsa.': this.#serviceAccounts?.hasSynced,
    }
    return {
      node,
      settings: settings(),
      // A selector with != or !has(…) matches too much without the labels it reads, so those must
      // be synced first.
      captures: captures.filter(capture =>
        prefixes.every(prefix => isKnown[prefix] === true || !mentions(capture, prefix)),
      ),
      endpoints: [],
      pods: this.#hostVeth === undefined ? [] : [...this.#pods.objects.values()], // a wrong hostVeth would open each tap twice
      nodeLabels: this.#node?.objects.values().next().value?.metadata.labels ?? {},
      hostInterfaces: hostInterfaces(),
      namespaceLabels: labelsOf(this.#namespaces, ({ name }) => name),
      serviceAccountLabels: labelsOf(
        this.#serviceAccounts,
        ({ namespace, name }) => `${namespace}/${name}`,
      ),
      hostVeth: this.#hostVeth ?? 'TwoSided',
      isSynced:
        this.#hostVeth !== undefined &&
        needed.every(watch => watch === undefined || watch.hasSynced),
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    const all = [...this.#captures, this.#pods, this.#node, this.#namespaces, this.#serviceAccounts]
    await Promise.all([this.#felix, ...all.map(watch => watch?.[Symbol.asyncDispose]())])
  }

  /**
   * A deleted capture ends now, and stays until the node is done with it. A new one of its name
   * waits so long, but for a minute at most.
   */
  #withDeleted(): ListedObjects<CaptureDocument>[] {
    const { clock, isDeletedNeeded = () => false } = this.#deps
    const nowMs = clock.now()
    const present = new Map(this.#captures.flatMap(({ objects }) => [...objects]))
    if (this.#captures.every(({ hasSynced }) => hasSynced)) this.#deleted.observe(present, nowMs)
    const captures = [...present.values()]
    const keys = new Set(captures.map(keyOf))
    for (const capture of this.#deleted.objects) {
      const isLate =
        nowMs - Date.parse(capture.metadata.deletionTimestamp ?? '') >= deletedMs.beforeNamesake
      if (!isDeletedNeeded(capture) || (isLate && keys.has(keyOf(capture))))
        this.#deleted.forget(capture.metadata.uid)
    }
    const deleted = this.#deleted.objects
    const held = new Set(deleted.map(keyOf))
    return [...captures.filter(capture => !held.has(keyOf(capture))), ...deleted]
  }

  #watchLabels(captures: readonly CaptureDocument[]): void {
    const isMentioned = (prefix: LabelPrefix) => captures.some(capture => mentions(capture, prefix))
    this.#namespaces = this.#while(
      isMentioned('pcns.'),
      this.#namespaces,
      'namespaces',
      '/api/v1/namespaces',
    )
    this.#serviceAccounts = this.#while(
      isMentioned('pcsa.'),
      this.#serviceAccounts,
      'service accounts',
      '/api/v1/serviceaccounts',
    )
  }

  #while(
    isNeeded: boolean,
    watch: Informer<Labelled> | undefined,
    what: string,
    path: string,
  ): Informer<Labelled> | undefined {
    if (isNeeded) return watch ?? this.#followLabels(what, path)
    void watch?.[Symbol.asyncDispose]()
    return undefined
  }

  #followLabels(
    what: string,
    path: string,
    query: Readonly<Record<string, string>> = {},
  ): Informer<Labelled> {
    return this.#follow(what, {
      path,
      query,
      wanted: 'metadata',
      keep: ({ metadata }) => stripManagedFields({ metadata }),
    })
  }

  #follow<T extends KubeObject>(
    what: string,
    options: Omit<InformerOptions<T>, 'kube' | 'clock'>,
  ): Informer<T> {
    const { kube, clock, log } = this.#deps
    const watch = new Informer<T>({ ...options, kube, clock, onState: informerLog(log, what) })
    watch.onChange(() => this.#listener())
    watch.start()
    return watch
  }
}

function keyOf({ kind, metadata }: CaptureDocument): string {
  return captureKey({ api: kind, ...metadata })
}

const readPrefixes = new WeakMap<CaptureDocument, readonly LabelPrefix[]>() // informers keep a document until it changes

function mentions(capture: CaptureDocument, prefix: LabelPrefix): boolean {
  const known = readPrefixes.get(capture) ?? prefixesOf(capture)
  readPrefixes.set(capture, known)
  return known.includes(prefix)
}

/**
 * The inherited labels that a capture's selector reads. Retina's Capture selects namespaces by
 * their labels.
 */
function prefixesOf({ kind, spec }: CaptureDocument): readonly LabelPrefix[] {
  if (kind !== 'PacketCapture')
    return JSON.stringify(spec).includes('"namespaceSelector"') ? ['pcns.'] : []
  const parsed = parseSelector(spec.selector ?? '')
  const labels = parsed.ok ? selectorLabels(parsed.selector.tree) : [] // a selector that does not parse reads no label
  return prefixes.filter(prefix => labels.some(label => label.startsWith(prefix)))
}

const whole = {
  wanted: 'spec',
  isConsistent: true, // files of a capture that is missing are removed
  keep: ({ apiVersion, kind, metadata, spec }: ListedObjects<CaptureDocument>) =>
    stripManagedFields({
      apiVersion,
      kind,
      metadata: { ...metadata, namespace: metadata.namespace ?? '' },
      spec,
    } as ListedObjects<CaptureDocument>),
} as const

function labelsOf(
  watch: Informer<Labelled> | undefined,
  keyOf: (metadata: Labelled['metadata']) => string,
): Map<string, Labels> {
  return new Map(
    [...(watch?.objects.values() ?? [])].map(({ metadata }) => [
      keyOf(metadata),
      metadata.labels ?? {},
    ]),
  )
}
