// Reads a whole list in pages. In: how to request a page, which part of an object to keep. Out: all
// objects and the list's version. Only one page of whole objects is in memory at a time. Rejects a
// list without a resourceVersion: treating it as empty would delete everything.
import type { IncomingMessage } from 'node:http'
import { ExpectedError } from '../model/errors.ts'
import { readJson } from './request.ts'

export type WholeList<T> = { readonly items: readonly T[]; readonly resourceVersion: string }

type ListPage<T> = {
  readonly items?: readonly T[] | null
  readonly metadata?: { readonly resourceVersion?: string; readonly continue?: string }
}
type PageQuery = Readonly<Record<string, string>>

const limit = '20' // objects of a page

/**
 * `first` is the query of the first page. A cached read returns one page; an empty `first` reads
 * consistent pages from etcd.
 */
export async function readPagedList<T, Kept = T>(
  ask: (query: PageQuery) => Promise<IncomingMessage>,
  first: PageQuery,
  keep: (object: T) => Kept,
): Promise<WholeList<Kept>> {
  const isPaged = Object.keys(first).length === 0
  const items: Kept[] = []
  let query: PageQuery = isPaged ? { limit } : first // of the next page
  for (;;) {
    const { items: some, metadata } = (await readJson(await ask(query))) as ListPage<T>
    if (!metadata?.resourceVersion)
      throw new ExpectedError('Cannot read a list: expected one with a resourceVersion')
    for (const item of some ?? []) items.push(keep(item))
    if (!metadata.continue) return { items, resourceVersion: metadata.resourceVersion }
    query = { limit, continue: metadata.continue }
  }
}
