// Writes a node's report to the cluster: changes of state at once, counters now and then, nothing when nothing changed but
// a sign of life. In: a report each turn. Out: one object, NodeCaptureReport, named after the node. A server that cannot be
// reached never holds a turn up: the newest report is written when it is back.

import { sameButCounts } from '../core/status/counters.ts'
import { type Budgets, type NodeIdentity, type NodeReportStatus, reportOf, reportState } from '../core/status/nodeReport.ts'
import { apply, refusalText } from '../kube/client.ts'
import type { Kube } from '../kube/request.ts'
import { doubledMs } from '../model/backoff.ts'
import type { NodeReport, Publisher } from '../model/publisher.ts'
import { accounts } from '../model/wellKnown.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/log.ts'

export type ReportWriterDeps = {
  readonly kube: Kube
  readonly clock: Clock
  readonly log: Logger
  readonly node: string
  readonly identity: NodeIdentity
  readonly budgets: () => Budgets
  readonly clockOffsetMs: () => number | undefined
  readonly random?: () => number
}

export const reportPath = '/apis/selcap.dev/v1alpha1/nodecapturereports'

const countersMs = 10_000
const aliveMs = 60_000 // readers take a node that is silent for three times as long for lost
const burstMs = 250 // changes that come together are written together
const apiTimeoutMs = 15_000
const retryDelayMs = { first: 1_000, most: 60_000 } as const

/** `state`: the report without its counts, to compare. */
type WantedReport = { readonly status: NodeReportStatus; readonly state: object }

export class ReportWriter implements Publisher, AsyncDisposable {
  readonly #parts: ReportWriterDeps
  readonly #stop = new AbortController()
  readonly #done: Promise<void>
  #wanted: WantedReport | undefined
  #written: WantedReport | undefined
  #writtenAtMs = 0
  #isFailing = false
  #wake = new AbortController()

  constructor(parts: ReportWriterDeps) {
    this.#parts = parts
    this.#done = this.#run()
  }

  async publish(report: NodeReport): Promise<void> {
    if (!report.world.isSynced) return // what is missing there may be captured all the same: the last report stays
    const { identity, budgets, clockOffsetMs } = this.#parts
    const status = reportOf(report, { ...identity, ...clockOf(clockOffsetMs()) }, budgets())
    this.#wanted = { status, state: reportState(report, identity) }
    if (this.#isUrgent()) this.#wake.abort()
  }

  /** Writes the last report, if the server can be reached at once. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#done
    if (this.#wanted && JSON.stringify(this.#wanted.status) !== JSON.stringify(this.#written?.status))
      await this.#write(this.#wanted, AbortSignal.timeout(3_000))
  }

  async #run(): Promise<void> {
    const { clock, random = Math.random } = this.#parts
    let failures = 0
    while (!this.#stop.signal.aborted) {
      const waitMs = failures > 0 ? doubledMs(failures, retryDelayMs) * (0.5 + random() / 2) : burstMs
      await this.#waitForNews(failures > 0)
      await clock.sleepUntil(clock.now() + waitMs, this.#stop.signal)
      const report = this.#wanted
      if (!report || this.#stop.signal.aborted) continue
      failures = (await this.#write(report, this.#stop.signal)) ? 0 : failures + 1
    }
  }

  // A change of state at once, counters and the sign of life at their time. A failed write is its own reason.
  async #waitForNews(isDue: boolean): Promise<void> {
    const { clock } = this.#parts
    while (!isDue && !this.#stop.signal.aborted && !this.#isUrgent()) {
      const isCounted = JSON.stringify(this.#wanted?.status) !== JSON.stringify(this.#written?.status)
      const atMs = this.#writtenAtMs + (isCounted ? countersMs : aliveMs)
      if (clock.now() >= atMs || clock.now() < this.#writtenAtMs) return
      this.#wake = new AbortController()
      await clock.sleepUntil(Math.min(atMs, clock.now() + countersMs), AbortSignal.any([this.#wake.signal, this.#stop.signal]))
    }
  }

  #isUrgent(): boolean {
    if (!this.#wanted) return false
    return !this.#written || !sameButCounts(this.#written.state, this.#wanted.state)
  }

  async #write(report: WantedReport, signal: AbortSignal): Promise<boolean> {
    const { kube, node, clock } = this.#parts
    const reportedAt = new Date(clock.now()).toISOString()
    const object = {
      apiVersion: 'selcap.dev/v1alpha1',
      kind: 'NodeCaptureReport',
      metadata: { name: node },
      report: { ...report.status, reportedAt },
    }
    try {
      const request = { object, fieldManager: accounts.agent }
      const answer = await apply(kube, `${reportPath}/${node}`, request, { signal, timeoutMs: apiTimeoutMs })
      if (!answer.ok) return this.#failed(refusalText(answer))
      this.#written = report
      this.#writtenAtMs = clock.now()
      if (this.#isFailing) this.#parts.log.info({}, 'report written again')
      this.#isFailing = false
      return true
    } catch (error) {
      return this.#failed((error as Error).message)
    }
  }

  #failed(reason: string): false {
    if (!this.#isFailing && !this.#stop.signal.aborted) this.#parts.log.warn({ reason }, 'report not written, tried again')
    this.#isFailing = true
    return false
  }
}

function clockOf(clockOffsetMilliseconds: number | undefined): { readonly clockOffsetMilliseconds?: number } {
  return clockOffsetMilliseconds === undefined ? {} : { clockOffsetMilliseconds }
}
