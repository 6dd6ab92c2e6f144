// Decides which documents exist. Pure. In: the documents before and those just read. Out: both, without those missing for graceMs.
// Editors replace files in steps (truncate and write, unlink and create), and a capture that is deleted loses its packets.
import type { Document } from '../manifest/read.ts'

export const graceMs = 1_000

export type RetainedDocument = { readonly document: Document; readonly goneSinceMs?: number }

/** By kind, namespace and name. `wakeAtMs`: when a missing one will be believed gone. */
export function retainMissing(
  before: ReadonlyMap<string, RetainedDocument>,
  documents: ReadonlyMap<string, Document>,
  nowMs: number,
): { standing: Map<string, RetainedDocument>; wakeAtMs: number } {
  const missing = [...before].flatMap(
    ([key, { document, goneSinceMs = nowMs }]): [string, RetainedDocument & { goneSinceMs: number }][] => {
      // A clock set back must not keep it for longer.
      const sinceMs = Math.min(goneSinceMs, nowMs)
      return documents.has(key) || nowMs - sinceMs >= graceMs ? [] : [[key, { document, goneSinceMs: sinceMs }]]
    },
  )
  const present = [...documents].map(([key, document]): [string, RetainedDocument] => [key, { document }])
  return { standing: new Map([...present, ...missing]), wakeAtMs: Math.min(...missing.map(([, { goneSinceMs }]) => goneSinceMs + graceMs)) }
}
