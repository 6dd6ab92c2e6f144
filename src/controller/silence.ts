// Which nodes still report, by this machine's clock: a report that changes is a sign of life. In: reports as they stand.
// Out: since when a node is silent. The time written in a report counts only when the node is met for the first time.
export const silentMs = 180_000 // three signs of life missed

export type Reporting = { readonly name: string; readonly resourceVersion: string; readonly reportedAt: string }

type Seen = { readonly version: string; readonly atMs: number }

export class Silence {
  readonly #seen = new Map<string, Seen>()

  /** Takes note of all reports there are now. */
  look(reports: readonly Reporting[], nowMs: number): void {
    const names = new Set(reports.map(({ name }) => name))
    for (const name of this.#seen.keys()) if (!names.has(name)) this.#seen.delete(name)
    for (const { name, resourceVersion: version, reportedAt } of reports) {
      const before = this.#seen.get(name)
      const writtenMs = Date.parse(reportedAt) || 0
      if (before?.version !== version) this.#seen.set(name, { version, atMs: before ? nowMs : Math.min(nowMs, writtenMs) })
      else if (before.atMs > nowMs) this.#seen.set(name, { version, atMs: nowMs }) // the clock was set back
    }
  }

  /** undefined: it reports. */
  since(name: string, nowMs: number): number | undefined {
    const atMs = this.#seen.get(name)?.atMs
    return atMs !== undefined && nowMs - atMs > silentMs ? atMs : undefined
  }

  /** When the next one falls silent, if nothing comes. */
  nextAtMs(nowMs: number): number {
    const coming = [...this.#seen.values()].map(({ atMs }) => atMs + silentMs + 1).filter(atMs => atMs > nowMs)
    return Math.min(Number.POSITIVE_INFINITY, ...coming)
  }
}
