// Lists objects once, in pages. In: a path and its query, which part of an object to keep. Out: what
// was kept. Throws the API server's refusal.
import type { IncomingMessage } from 'node:http'
import { apiRefusalOf } from '../kube/apiError.ts'
import { readPagedList } from '../kube/pagedList.ts'
import type { Kube } from '../kube/request.ts'

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
