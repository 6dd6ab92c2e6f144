// Writes a node's report to the API server. In: a report each turn. Out: one NodeCaptureReport,
// named after the node: changes of state at once, counters every 10 s, a heartbeat every minute; one
// that somebody deleted within 10 s. An
// unreachable API server never delays a turn: the newest report is written when the server answers
// again.

import { sameButCounts } from '../core/status/counters.ts'
import {
  type Budgets,
  type NodeIdentity,
  type NodeReportStatus,
  reportOf,
  reportState,
} from '../core/status/nodeReport.ts'
import { apply, call, refusalText } from '../kube/client.ts'
import type { Kube } from '../kube/request.ts'
import { partialMetadata, reportPath } from '../kube/resources.ts'
import { doubledMs } from '../model/backoff.ts'
import { isExpected } from '../model/errors.ts'
import type { NodeReport, Publisher } from '../model/publisher.ts'
import { accounts } from '../model/wellKnown.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/log.ts'

export type ReportWriterDeps = {
  readonly kube: Kube
  readonly clock: Clock
  readonly log: Logger
  readonly node: string
  readonly identity: () => NodeIdentity // changes when a port that was taken is free
  readonly budgets: () => Budgets
  readonly clockOffsetMs: () => number | undefined
  readonly random?: () => number
}

const countersMs = 10_000
const heartbeatMs = 60_000 // readers take a node for silent after three of them
const burstMs = 250 // changes within it are written together
const apiTimeoutMs = 15_000
const retryDelayMs = { first: 1_000, most: 60_000 } as const

/** `state`: the report without its counts, to compare. */
type ComparedReport = { readonly status: NodeReportStatus; readonly state: object }

export class ReportWriter implements Publisher, AsyncDisposable {
  readonly #deps: ReportWriterDeps
  readonly #stop = new AbortController()
  readonly #done: Promise<void>
  #latest: ComparedReport | undefined
  #written: ComparedReport | undefined
  #writtenAtMs = 0
  #isFailing = false
  #wake = new AbortController()

  constructor(deps: ReportWriterDeps) {
    this.#deps = deps
    this.#done = this.#run()
  }

  async publish(report: NodeReport): Promise<void> {
    if (!report.world.isSynced) return // a capture that is missing here may still be captured: the last report stays
    const { budgets, clockOffsetMs } = this.#deps
    const identity = this.#deps.identity()
    const status = reportOf(report, { ...identity, ...clockOf(clockOffsetMs()) }, budgets())
    this.#latest = { status, state: reportState(report, identity) }
    if (this.#isUrgent()) this.#wake.abort()
  }

  /** Writes the last report, if the server answers within 3 s. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#done
    if (
      this.#latest &&
      JSON.stringify(this.#latest.status) !== JSON.stringify(this.#written?.status)
    )
      await this.#write(this.#latest, AbortSignal.timeout(3_000))
  }

  async #run(): Promise<void> {
    const { clock, random = Math.random } = this.#deps
    let failures = 0
    while (!this.#stop.signal.aborted) {
      const waitMs =
        failures > 0 ? doubledMs(failures, retryDelayMs) * (0.5 + random() / 2) : burstMs
      await this.#waitUntilDue(failures > 0)
      await clock.sleepUntil(clock.now() + waitMs, this.#stop.signal)
      const report = this.#latest
      if (!report || this.#stop.signal.aborted) continue
      failures = (await this.#write(report, this.#stop.signal)) ? 0 : failures + 1
    }
  }

  // Returns at once for a change of state or after a failed write; else when counters or the
  // heartbeat are due.
  async #waitUntilDue(isDue: boolean): Promise<void> {
    const { clock } = this.#deps
    while (!isDue && !this.#stop.signal.aborted && !this.#isUrgent()) {
      const isCounted =
        JSON.stringify(this.#latest?.status) !== JSON.stringify(this.#written?.status)
      const atMs = this.#writtenAtMs + (isCounted ? countersMs : heartbeatMs)
      if (clock.now() >= atMs || clock.now() < this.#writtenAtMs) return
      this.#wake = new AbortController()
      await clock.sleepUntil(
        Math.min(atMs, clock.now() + countersMs),
        AbortSignal.any([this.#wake.signal, this.#stop.signal]),
      )
      if (!isCounted && !this.#isUrgent() && (await this.#isGone())) this.#written = undefined
    }
  }

  // Somebody deleted it: without a look it would be missing until the next heartbeat.
  async #isGone(): Promise<boolean> {
    if (!this.#written || this.#stop.signal.aborted) return false
    const { kube, node } = this.#deps
    const options = {
      query: { resourceVersion: '0' }, // of the server's cache
      signal: this.#stop.signal,
      timeoutMs: apiTimeoutMs,
    }
    const headers = { accept: partialMetadata('PartialObjectMetadata') }
    try {
      const answer = await call(kube, { path: `${reportPath}/${node}`, headers }, options)
      return !answer.ok && answer.status === 404
    } catch (error) {
      if (!isExpected(error) && !this.#stop.signal.aborted) throw error
      return false // the next write says so
    }
  }

  #isUrgent(): boolean {
    if (!this.#latest) return false
    return !this.#written || !sameButCounts(this.#written.state, this.#latest.state)
  }

  async #write(report: ComparedReport, signal: AbortSignal): Promise<boolean> {
    const { kube, node, clock } = this.#deps
    const reportedAt = new Date(clock.now()).toISOString()
    const object = {
      apiVersion: 'selcap.dev/v1alpha1',
      kind: 'NodeCaptureReport',
      metadata: { name: node },
      report: { ...report.status, reportedAt },
    }
    try {
      const request = { object, fieldManager: accounts.agent }
      const answer = await apply(kube, `${reportPath}/${node}`, request, {
        signal,
        timeoutMs: apiTimeoutMs,
      })
      if (!answer.ok) return this.#failed(refusalText(answer))
      this.#written = report
      this.#writtenAtMs = clock.now()
      if (this.#isFailing) this.#deps.log.info({}, 'report written again')
      this.#isFailing = false
      return true
    } catch (error) {
      return this.#failed((error as Error).message)
    }
  }

  #failed(reason: string): false {
    if (!this.#isFailing && !this.#stop.signal.aborted)
      this.#deps.log.warn({ reason }, 'report not written, tried again')
    this.#isFailing = true
    return false
  }
}

function clockOf(clockOffsetMilliseconds: number | undefined): {
  readonly clockOffsetMilliseconds?: number
} {
  return clockOffsetMilliseconds === undefined ? {} : { clockOffsetMilliseconds }
}
