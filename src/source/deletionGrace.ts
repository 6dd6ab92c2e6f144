// Delays deletions of documents. Pure. In: the documents before and those just read. Out: all
// documents, without those missing for graceMs. Editors replace files in steps (truncate and
// write, unlink and create), and a deleted capture loses its packets.
import type { Document } from '../manifest/read.ts'

export const graceMs = 1_000

export type RetainedDocument = { readonly document: Document; readonly goneSinceMs?: number }

/**
 * Keyed by kind, namespace and name. `wakeAtMs`: when the next missing document counts as deleted.
 */
export function retainMissing(
  before: ReadonlyMap<string, RetainedDocument>,
  documents: ReadonlyMap<string, Document>,
  nowMs: number,
): { retained: Map<string, RetainedDocument>; wakeAtMs: number } {
  const missing = [...before].flatMap(
    ([key, { document, goneSinceMs = nowMs }]): [
      string,
      RetainedDocument & { goneSinceMs: number },
    ][] => {
      // A clock that is set back must not extend the grace.
      const sinceMs = Math.min(goneSinceMs, nowMs)
      return documents.has(key) || nowMs - sinceMs >= graceMs
        ? []
        : [[key, { document, goneSinceMs: sinceMs }]]
    },
  )
  const present = [...documents].map(([key, document]): [string, RetainedDocument] => [
    key,
    { document },
  ])
  return {
    retained: new Map([...present, ...missing]),
    wakeAtMs: Math.min(...missing.map(([, { goneSinceMs }]) => goneSinceMs + graceMs)),
  }
}
