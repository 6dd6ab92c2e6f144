// Lists objects once, in pages. In: a path and its query, which part of an object to keep. Out: what
// was kept, or the labels of each. Throws the API server's refusal.
import type { IncomingMessage } from 'node:http'
import { apiRefusalOf } from '../kube/apiError.ts'
import type { Labelled } from '../kube/informer.ts'
import { readPagedList } from '../kube/pagedList.ts'
import type { Kube } from '../kube/request.ts'
import { partialMetadata } from '../kube/resources.ts'
import type { Labels } from '../model/labels.ts'

export type ListDeps = { readonly kube: Kube; readonly signal: AbortSignal }
type Query = Readonly<Record<string, string>>
export type Listed = { readonly path: string; readonly query?: Query; readonly accept?: string }

const pageObjects = '250'

export async function listObjects<T, K>(
  { kube, signal }: ListDeps,
  { path, query = {}, accept = 'application/json' }: Listed,
  keep: (object: T) => K,
): Promise<K[]> {
  const request = async (page: Query): Promise<IncomingMessage> => {
    const paged = 'limit' in page ? { ...page, limit: pageObjects } : page
    const response = await kube({
      path,
      query: { ...query, ...paged },
      headers: { accept },
      signal,
    })
    if (response.statusCode === 200) return response
    throw await apiRefusalOf(response, path)
  }
  const { items } = await readPagedList<T, K>(request, {}, keep)
  return [...items]
}

/** By name. */
export async function listLabels(deps: ListDeps, listed: Listed): Promise<Map<string, Labels>> {
  const labels = ({ metadata }: Labelled) => [metadata.name, metadata.labels ?? {}] as const
  return new Map(await listObjects(deps, listed, labels))
}

/** Of all namespaces. */
export function listNamespaceLabels(deps: ListDeps): Promise<Map<string, Labels>> {
  const accept = partialMetadata('PartialObjectMetadataList')
  return listLabels(deps, { path: '/api/v1/namespaces', accept })
}
