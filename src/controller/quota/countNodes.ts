// Counts the nodes that a capture needs now: asks the API server for the pods that it may select, each time anew, and keeps nothing.
// In: a capture, the cluster's nodes. Out: names of nodes. Throws what the API server refuses.
import type { IncomingMessage } from 'node:http'
import { apiRefusalOf } from '../../kube/apiError.ts'
import type { Labelled } from '../../kube/informer.ts'
import { readPagedList } from '../../kube/pagedList.ts'
import type { Kube } from '../../kube/request.ts'
import { trimPod } from '../../kube/trimPod.ts'
import type { Labels } from '../../model/labels.ts'
import type { Pod } from '../../model/pod.ts'
import type { Settings } from '../../model/settings.ts'
import type { CaptureDocument } from '../../model/world.ts'
import { scopeOf, targetNodes } from './targetNodes.ts'

export type CountNodesDeps = { readonly kube: Kube; readonly settings: Settings; readonly signal: AbortSignal }

type Query = Readonly<Record<string, string>>

const countTimeoutMs = 30_000
const pageObjects = '250'
const listsMax = 8 // of single namespaces; more are read with all others

export async function countNodes(parts: CountNodesDeps, capture: CaptureDocument, nodes: ReadonlyMap<string, Labels>): Promise<string[]> {
  const timed = { ...parts, signal: AbortSignal.any([parts.signal, AbortSignal.timeout(countTimeoutMs)]) }
  const bare = { settings: parts.settings, nodes, namespaceLabels: new Map<string, Labels>() }
  const scope = scopeOf(capture, bare)
  if (scope.kind === 'Host') return targetNodes(capture, { ...bare, pods: [] })
  if (scope.names.length > 0) return targetNodes(capture, { ...bare, pods: await podsIn(timed, scope.names) })
  const known = { ...bare, namespaceLabels: await namespaces(timed) }
  const selected = scopeOf(capture, known)
  return targetNodes(capture, { ...known, pods: selected.kind === 'Namespaces' ? await podsIn(timed, selected.names) : [] })
}

async function podsIn(parts: CountNodesDeps, names: readonly string[]): Promise<Pod[]> {
  const paths = names.length > listsMax ? ['/api/v1/pods'] : names.map(name => `/api/v1/namespaces/${name}/pods`)
  const lists: Pod[][] = []
  for (const path of paths) lists.push(await list(parts, path, 'application/json', trimPod)) // one after the other: a page in memory at a time
  return lists.flat()
}

async function namespaces(parts: CountNodesDeps): Promise<Map<string, Labels>> {
  const accept = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1'
  return new Map(
    await list(parts, '/api/v1/namespaces', accept, ({ metadata }: Labelled) => [metadata.name, metadata.labels ?? {}] as const),
  )
}

async function list<T, K>({ kube, signal }: CountNodesDeps, path: string, accept: string, keep: (object: T) => K): Promise<K[]> {
  const ask = async (query: Query): Promise<IncomingMessage> => {
    const paged = 'limit' in query ? { ...query, limit: pageObjects } : query
    const response = await kube({ path, query: paged, headers: { accept }, signal })
    if (response.statusCode === 200) return response
    throw await apiRefusalOf(response, path)
  }
  const { items } = await readPagedList<T, K>(ask, {}, keep)
  return [...items]
}
