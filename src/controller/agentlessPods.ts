// Finds matching pods that nobody can capture, because no agent runs on their node. In: the nodes
// and who reports, a capture's intent. Out: such pods by node, and when to look again. Pods are
// listed only while a node has no agent, and then at intervals. Nodes get a while to start an
// agent. Namespaces are listed for a capture that selects by their labels. What was told of a node
// stays until that node is judged anew, also by another process, and for good once the capture is
// over. Where pods may not be listed, none are found, and the log says so.

import { podToEndpoint } from '../core/endpoint/endpoint.ts'
import { candidatesOf, matchEndpoints } from '../core/match.ts'
import { phaseAt } from '../core/schedule/phase.ts'
import type { KubeObject, Labelled } from '../kube/informer.ts'
import type { Kube } from '../kube/request.ts'
import { trimPod } from '../kube/trimPod.ts'
import type { Intent, Rejection } from '../model/capture.ts'
import type { Endpoint } from '../model/endpoint.ts'
import type { Labels } from '../model/labels.ts'
import type { Pod } from '../model/pod.ts'
import type { Settings } from '../model/settings.ts'
import type { AgentlessNode } from '../model/status.ts'
import { compareText } from '../model/text.ts'
import { never } from '../model/time.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/log.ts'
import { type ListDeps, listLabels, listNamespaceLabels, listObjects } from './listObjects.ts'

export type AgentlessPodsDeps = {
  readonly kube: Kube
  readonly clock: Clock
  readonly log: Logger
  readonly settings: () => Settings
}

type AgentlessInput = {
  readonly read: Intent | Rejection // without labels of namespaces
  readonly readIn: (namespaceLabels: NamespaceLabels) => Intent | Rejection
  readonly reported: ReadonlySet<string> // nodes with a row of the capture, which tell of their pods themselves
  readonly previous: readonly AgentlessNode[] // of the capture's status
  readonly isOver: boolean // by its status
}
type NamespaceLabels = ReadonlyMap<string, Labels>
type FoundPods = { readonly nodes: readonly AgentlessNode[]; readonly wakeAtMs: number }
type Lists = {
  readonly endpoints: readonly Endpoint[]
  readonly nodes: ReadonlySet<string> // that the endpoints are of: none if every list failed
  readonly atMs: number
  readonly for: string
}
type Inherited = {
  readonly namespaceLabels: NamespaceLabels
  readonly serviceAccountLabels: ReadonlyMap<string, Labels>
}

const startMs = 15_000 // in which a new node's agent makes its first report
const intervalMs = { few: 30_000, many: 120_000 } as const
const listsMax = 8 // of single nodes or namespaces; for more all pods are listed at once
const timeoutMs = 30_000

export class AgentlessPods {
  readonly #deps: AgentlessPodsDeps
  readonly #sinceMs = new Map<string, number>() // by node, without a report
  readonly #lists = new Map<string, Lists>() // by namespace and the labels that are needed
  #namespaces: { readonly labels: NamespaceLabels | undefined; readonly atMs: number } | undefined
  #nodes = new Map<string, Labels>() // without an agent now
  #unconfirmed = new Set<string>() // with a report that may be of a dead agent
  #nextMs = never // when another node counts as one

  constructor(deps: AgentlessPodsDeps) {
    this.#deps = deps
  }

  /**
   * Called once a turn. A node whose agent fell silent has none. `unconfirmed`: nodes with the same
   * report since this process began.
   */
  observe(
    nodes: readonly KubeObject[],
    reporting: ReadonlySet<string>,
    nowMs: number,
    unconfirmed: ReadonlySet<string> = new Set(),
  ): void {
    const existing = new Set(nodes.map(({ metadata }) => metadata.name))
    this.#unconfirmed = existing.intersection(unconfirmed)
    const without = nodes.filter(({ metadata }) => !reporting.has(metadata.name))
    const names = new Set(without.map(({ metadata }) => metadata.name))
    for (const name of this.#sinceMs.keys()) if (!names.has(name)) this.#sinceMs.delete(name)
    for (const name of names)
      this.#sinceMs.set(name, Math.min(nowMs, this.#sinceMs.get(name) ?? nowMs))
    const countsAtMs = (name: string) => (this.#sinceMs.get(name) ?? nowMs) + startMs
    this.#nodes = new Map(
      without
        .filter(({ metadata }) => countsAtMs(metadata.name) <= nowMs)
        .map(({ metadata }) => [metadata.name, (metadata as Labelled['metadata']).labels ?? {}]),
    )
    const later = [...names].map(countsAtMs).filter(atMs => atMs > nowMs)
    this.#nextMs = later.reduce((least, atMs) => Math.min(least, atMs), never)
    if (this.#nodes.size > 0) return
    this.#lists.clear()
    this.#namespaces = undefined
  }

  async matching(input: AgentlessInput, signal: AbortSignal): Promise<FoundPods> {
    const { reported, previous, isOver } = input
    const nowMs = this.#deps.clock.now()
    if (!input.read.ok || input.read.scope.kind !== 'Namespaces')
      return { nodes: [], wakeAtMs: never }
    if (isOver || phaseAt(input.read, undefined, nowMs).phase.kind === 'Finished')
      return { nodes: previous.filter(({ node }) => !reported.has(node)), wakeAtMs: never }
    const isByLabels = input.read.scope.names.length === 0 && this.#nodes.size > 0
    const namespaces = isByLabels ? await this.#labelsOfNamespaces(nowMs, signal) : new Map()
    const isKnown = namespaces !== undefined
    const read = isByLabels && isKnown ? input.readIn(namespaces) : input.read
    if (!read.ok) return { nodes: [], wakeAtMs: never }
    const lists: Lists[] = []
    if (this.#nodes.size > 0)
      for (const namespace of namespacesOf(read))
        lists.push(await this.#listsOf(namespace, read.selector, nowMs, signal))
    const isJudged = (node: string) =>
      this.#nodes.has(node) && isKnown && lists.every(({ nodes }) => nodes.has(node))
    const isPossible = (node: string) => this.#sinceMs.has(node) || this.#unconfirmed.has(node)
    const kept = previous.filter(
      ({ node }) => isPossible(node) && !reported.has(node) && !isJudged(node),
    )
    const keptNames = new Set(kept.map(({ node }) => node))
    const byNode = Map.groupBy(
      lists.flatMap(({ endpoints }) => endpoints),
      ({ node }) => node,
    )
    const found = [...byNode].flatMap(([node, all]): AgentlessNode[] => {
      const { matched } = matchEndpoints(read, candidatesOf(all, node), node)
      const labels = this.#nodes.get(node)
      if (matched.length === 0 || !labels || reported.has(node) || keptNames.has(node)) return []
      return [{ node, kind: kindOf(labels), pods: matched.map(({ name }) => name) }]
    })
    const nodes = [...kept, ...found].toSorted((a, b) => compareText(a.node, b.node))
    if (this.#nodes.size === 0) return { nodes, wakeAtMs: this.#nextMs }
    return {
      nodes,
      wakeAtMs: Math.min(this.#nextMs, nowMs + this.#intervalMs),
    }
  }

  get #intervalMs(): number {
    return this.#nodes.size > listsMax ? intervalMs.many : intervalMs.few
  }

  /** Shared by all captures. undefined: they never could be listed. */
  async #labelsOfNamespaces(
    nowMs: number,
    signal: AbortSignal,
  ): Promise<NamespaceLabels | undefined> {
    const before = this.#namespaces
    if (before && before.atMs <= nowMs && nowMs < before.atMs + this.#intervalMs)
      return before.labels
    const limited = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
    const deps = { kube: this.#deps.kube, signal: limited }
    const labels = await listNamespaceLabels(deps).catch((error: Error) => {
      this.#deps.log.warn({ error: error.message }, 'namespaces not listed')
      return before?.labels
    })
    this.#namespaces = { labels, atMs: nowMs }
    return labels
  }

  async #listsOf(
    namespace: string,
    selector: string,
    nowMs: number,
    signal: AbortSignal,
  ): Promise<Lists> {
    const prefixes = ['pcns.', 'pcsa.'].filter(prefix => selector.includes(prefix))
    const key = [namespace, ...prefixes].join(' ')
    const nodes = [...this.#nodes.keys()].toSorted(compareText)
    const before = this.#lists.get(key)
    const isFresh =
      before &&
      before.for === nodes.join() &&
      before.atMs <= nowMs &&
      nowMs < before.atMs + this.#intervalMs
    if (isFresh) return before
    const limited = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
    const listed = await this.#list(namespace, prefixes, nodes, limited).then(
      endpoints => ({ endpoints, nodes: new Set(nodes) }),
      (error: Error) => {
        this.#deps.log.warn({ namespace, error: error.message }, 'pods without an agent not listed')
        return { endpoints: before?.endpoints ?? [], nodes: before?.nodes ?? new Set<string>() }
      },
    )
    const lists = { ...listed, atMs: nowMs, for: nodes.join() }
    this.#lists.set(key, lists)
    return lists
  }

  async #list(
    namespace: string,
    prefixes: readonly string[],
    nodes: readonly string[],
    signal: AbortSignal,
  ): Promise<Endpoint[]> {
    const deps = { kube: this.#deps.kube, signal }
    const path =
      namespace === allNamespaces ? '/api/v1/pods' : `/api/v1/namespaces/${namespace}/pods`
    const queries =
      nodes.length > listsMax
        ? [{}]
        : nodes.map(node => ({ fieldSelector: `spec.nodeName=${node}` }))
    const pods: Pod[] = []
    for (const query of queries) pods.push(...(await listObjects(deps, { path, query }, trimPod)))
    const here = pods.filter(({ spec }) => this.#nodes.has(spec.nodeName ?? ''))
    const inherited = here.length > 0 ? await inheritedLabels(deps, namespace, prefixes) : none
    const context = { ...inherited, node: '', settings: this.#deps.settings() }
    return here.flatMap(pod => podToEndpoint(pod, context) ?? [])
  }
}

const allNamespaces = ''

/** Labels of many namespaces are read by no selector that asks for those of a pod's own. */
function namespacesOf({ scope, selector }: Intent): readonly string[] {
  const names = scope.kind === 'Namespaces' ? scope.names : []
  return names.length > listsMax && !/pc(ns|sa)\./.test(selector) ? [allNamespaces] : names
}

const none: Inherited = { namespaceLabels: new Map(), serviceAccountLabels: new Map() }

async function inheritedLabels(
  deps: ListDeps,
  namespace: string,
  prefixes: readonly string[],
): Promise<Inherited> {
  const query = { fieldSelector: `metadata.name=${namespace}` }
  const namespaceLabels = prefixes.includes('pcns.')
    ? await listLabels(deps, { path: '/api/v1/namespaces', query })
    : none.namespaceLabels
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts`
  const accounts = prefixes.includes('pcsa.') ? await listLabels(deps, { path }) : new Map()
  const serviceAccountLabels = new Map<string, Labels>(
    [...accounts].map(([name, own]) => [`${namespace}/${name}`, own]),
  )
  return { namespaceLabels, serviceAccountLabels }
}

/** Why no agent runs there, as far as the node's labels say. */
function kindOf(labels: Labels): AgentlessNode['kind'] {
  if (labels['kubernetes.io/os'] === 'windows') return 'Windows'
  if (labels['eks.amazonaws.com/compute-type'] === 'fargate') return 'Fargate'
  const isVirtual = ['virtual-kubelet', 'kwok'].includes(labels.type ?? '')
  return isVirtual || labels['liqo.io/type'] === 'virtual-node' ? 'Virtual' : 'Linux'
}
