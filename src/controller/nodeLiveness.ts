// Which nodes still report: a report that changes is a sign of life. In: reports as they stand, and for how long they could be
// followed up to now. Out: since when a node is silent.
// Time in which nobody could report, or nobody looked, does not count: an API server that was away, or a controller that was
// paused, makes no node silent. Nor does a clock that is set. What a report says of its own time counts only when the nodes are
// met for the first time, and then against the newest of them, since all of them may have been cut off.
export const silentMs = 180_000 // three signs of life missed

export type ReportTime = { readonly name: string; readonly resourceVersion: string; readonly reportedAt: string }

type NodeSeen = { readonly version: string; readonly atMs: number; readonly followedMs: number }

export class NodeLiveness {
  readonly #seen = new Map<string, NodeSeen>()
  #isFirst = true

  /** Takes note of all reports there are now. */
  observe(reports: readonly ReportTime[], nowMs: number, followedMs: number): void {
    const names = new Set(reports.map(({ name }) => name))
    for (const name of this.#seen.keys()) if (!names.has(name)) this.#seen.delete(name)
    const newestMs = reports.reduce((newest, report) => Math.max(newest, writtenMs(report, nowMs)), 0)
    for (const report of reports) {
      const { name, resourceVersion: version } = report
      if (this.#seen.get(name)?.version === version) continue
      const atMs = this.#isFirst ? writtenMs(report, nowMs) : nowMs
      this.#seen.set(name, { version, atMs, followedMs: followedMs - (this.#isFirst ? newestMs - atMs : 0) })
    }
    this.#isFirst = false
  }

  /** undefined: it reports. */
  silentSince(name: string, followedMs: number): number | undefined {
    const seen = this.#seen.get(name)
    return seen && followedMs - seen.followedMs > silentMs ? seen.atMs : undefined
  }

  /** Names of all that do not report. */
  silentNodes(followedMs: number): string[] {
    return [...this.#seen.keys()].filter(name => this.silentSince(name, followedMs) !== undefined)
  }

  /** How long until the next one falls silent, if nothing comes. */
  nextSilentInMs(followedMs: number): number {
    const left = [...this.#seen.values()].map(seen => seen.followedMs + silentMs + 1 - followedMs).filter(ms => ms > 0)
    return left.reduce((least, ms) => Math.min(least, ms), Number.POSITIVE_INFINITY)
  }
}

function writtenMs({ reportedAt }: ReportTime, nowMs: number): number {
  return Math.min(nowMs, Date.parse(reportedAt) || 0)
}
