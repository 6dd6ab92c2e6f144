// Remembers objects that a watch showed until they were deleted, for a process that has work left
// with them. In: what the watch shows, again and again. Out: those that are gone, each with the
// time at which this was noticed as its deletionTimestamp. Unlike a finalizer it holds nothing in
// the API server, and ends with the process.
import type { KubeObject } from './informer.ts'

export class DeletedObjects<T extends KubeObject> {
  readonly #forMs: number
  #present: ReadonlyMap<string, T> = new Map()
  readonly #deleted = new Map<string, { readonly object: T; readonly atMs: number }>()

  /** `forMs`: the longest that one is remembered. */
  constructor(forMs: number) {
    this.#forMs = forMs
  }

  /** Takes what the watch shows now, by uid. Not before its first list. */
  observe(present: ReadonlyMap<string, T>, nowMs: number): void {
    for (const [uid, object] of this.#present)
      if (!present.has(uid))
        this.#deleted.set(uid, { object: deletedAt(object, nowMs), atMs: nowMs })
    for (const [uid, { atMs }] of this.#deleted)
      if (present.has(uid) || nowMs - atMs >= this.#forMs) this.#deleted.delete(uid)
    this.#present = new Map(present)
  }

  get objects(): T[] {
    return [...this.#deleted.values()].map(({ object }) => object)
  }

  forget(uid: string): void {
    this.#deleted.delete(uid)
  }
}

/** One that was being deleted before, for a finalizer of others, keeps its own time. */
function deletedAt<T extends KubeObject>(object: T, nowMs: number): T {
  const metadata = { deletionTimestamp: new Date(nowMs).toISOString(), ...object.metadata }
  return { ...object, metadata }
}
