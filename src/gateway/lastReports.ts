// Keeps the last report of each node for a while after it is gone: a report that somebody deleted
// is written again within a minute, and the node has its files meanwhile. Pure but for its memory.
// In: each report as it comes. Out: those that are there, and those that were there lately.
type Named = { readonly metadata: { readonly name: string } }

export const keptMs = 180_000 // three heartbeats: after them a node is silent

export class LastReports<T extends Named> {
  readonly #last = new Map<string, { readonly report: T; readonly atMs: number }>() // by node

  seen(report: T, nowMs: number): void {
    this.#last.set(report.metadata.name, { report, atMs: nowMs })
  }

  /** `there`: the reports at this moment. */
  withGone(there: Iterable<T>, nowMs: number): T[] {
    const byNode = new Map([...there].map(report => [report.metadata.name, report]))
    for (const [node, { report, atMs }] of this.#last) {
      if (byNode.has(node)) continue
      if (Math.abs(nowMs - atMs) > keptMs) this.#last.delete(node)
      else byNode.set(node, report)
    }
    return [...byNode.values()]
  }
}
