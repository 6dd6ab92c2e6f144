// Which nodes have stopped reporting: a report that changes is a heartbeat. In: the current
// reports, and for how long they have been followed. Out: since when a node is silent. Time during
// which the reports were not followed does not count, so neither an API server that was away nor a
// paused controller makes a node silent. A clock that is set does not either. The time in a report
// counts only when the nodes are observed for the first time, and then relative to the newest
// report, because all nodes may have been cut off.
export const silentMs = 180_000 // three missed heartbeats

export type ReportTime = {
  readonly name: string
  readonly resourceVersion: string
  readonly reportedAt: string
}

type NodeSeen = {
  readonly version: string
  readonly atMs: number
  readonly followedMs: number
  readonly isFirst: boolean // as it was found: its agent may have been dead by then
}

export class NodeLiveness {
  readonly #seen = new Map<string, NodeSeen>()
  #isFirstObservation = true

  /** Records all current reports. */
  observe(reports: readonly ReportTime[], nowMs: number, followedMs: number): void {
    const names = new Set(reports.map(({ name }) => name))
    for (const name of this.#seen.keys()) if (!names.has(name)) this.#seen.delete(name)
    const newestMs = reports.reduce(
      (newest, report) => Math.max(newest, writtenMs(report, nowMs)),
      0,
    )
    for (const report of reports) {
      const { name, resourceVersion: version } = report
      if (this.#seen.get(name)?.version === version) continue
      const atMs = this.#isFirstObservation ? writtenMs(report, nowMs) : nowMs
      this.#seen.set(name, {
        version,
        atMs,
        followedMs: followedMs - (this.#isFirstObservation ? newestMs - atMs : 0),
        isFirst: this.#isFirstObservation,
      })
    }
    this.#isFirstObservation = false
  }

  /** undefined: it reports. */
  silentSince(name: string, followedMs: number): number | undefined {
    const seen = this.#seen.get(name)
    return seen && followedMs - seen.followedMs > silentMs ? seen.atMs : undefined
  }

  /** Names of the silent nodes. */
  silentNodes(followedMs: number): string[] {
    return [...this.#seen.keys()].filter(name => this.silentSince(name, followedMs) !== undefined)
  }

  /** Names of nodes that have not reported since they were observed for the first time. */
  unconfirmedNodes(): string[] {
    return [...this.#seen].filter(([, { isFirst }]) => isFirst).map(([name]) => name)
  }

  /** How long until the next node becomes silent if no report comes. */
  nextSilentInMs(followedMs: number): number {
    const left = [...this.#seen.values()]
      .map(seen => seen.followedMs + silentMs + 1 - followedMs)
      .filter(ms => ms > 0)
    return left.reduce((least, ms) => Math.min(least, ms), Number.POSITIVE_INFINITY)
  }
}

function writtenMs({ reportedAt }: ReportTime, nowMs: number): number {
  return Math.min(nowMs, Date.parse(reportedAt) || 0)
}
