// Reads a whole list. In: how to ask for it, and what is kept of an object. Out: all objects and the version they stand for.
// In pages where the server counts them: of what is not kept, the status of a thousand nodes say, no more than a page of
// objects is in memory at a time. Refuses what is no list: an answer without a version is nobody's word that all are gone.
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

/** `first` is what the first page is asked with; a cache gives all in one, an empty `first` asks for pages of one moment. */
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
    if (!metadata?.resourceVersion) throw new ExpectedError('Cannot read a list: expected one with a resourceVersion')
    for (const item of some ?? []) items.push(keep(item))
    if (!metadata.continue) return { items, resourceVersion: metadata.resourceVersion }
    query = { limit, continue: metadata.continue }
  }
}
