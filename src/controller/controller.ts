// The controller's loop. Each turn reads the caches, removes reports of nodes that are gone, and
// synchronizes every capture's status. In: a term as leader. Out: statuses, Events and removals.
// All state is recomputed from the cluster, so a controller that is killed and started again
// continues where it was.
import type { NodeObservation } from '../api/reconcilerTypes.ts'
import type { Driver } from '../driver/driver.ts'
import { EventRecorder } from '../kube/eventRecorder.ts'
import type { Kube } from '../kube/request.ts'
import type { Api } from '../model/captureRef.ts'
import type { Settings } from '../model/settings.ts'
import { never } from '../model/time.ts'
import { accounts } from '../model/wellKnown.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/log.ts'
import { AgentlessPods } from './agentlessPods.ts'
import { type ApiWriterDeps, removeReport, writeEvent } from './apiWriter.ts'
import type { CachedReport } from './cachedReport.ts'
import { Caches } from './caches.ts'
import type { Leadership } from './leaderElection.ts'
import { type ControllerState, zeroCounters } from './metrics.ts'
import { NodeLiveness } from './nodeLiveness.ts'
import { Quotas } from './quota/quotas.ts'
import { SpecCache } from './specCache.ts'
import { Stopwatch } from './stopwatch.ts'
import { type SyncDeps, syncCapture } from './syncCapture.ts'
import { syncDeleted } from './syncDeleted.ts'
import type { UploadQueue } from './uploads/queue.ts'
import { WriteCache } from './writeCache.ts'

export type ControllerDeps = {
  readonly kube: Kube
  readonly apis: readonly Api[] // served in this cluster
  readonly group: string // of PacketCapture
  readonly namespace: string // for results of captures that have no namespace
  readonly clock: Clock
  readonly log: Logger
  readonly compile: Driver['compile']
  readonly settings?: () => Settings // missing: the defaults
  readonly onTurn?: (seconds: number) => void
  readonly uploads?: (onChange: () => void) => UploadQueue
}

const reportKeptMs = 10_000 // a Node object may be created anew
const eventRepeatMs = 60_000 // between Events of one reason on a capture whose state flaps
const turnIntervalMs = { perNode: 1, most: 2_000 } as const // between turns, so that many reports make one turn
const retryDelayMs = 2_000

export class Controller implements AsyncDisposable {
  readonly #deps: ControllerDeps
  readonly #caches: Caches
  readonly #liveness = new NodeLiveness()
  readonly #followed = new Stopwatch() // runs while this process leads and follows the reports
  readonly #writes = new WriteCache()
  readonly #missingNodes = new Map<string, number>() // node → since when it has no Node object
  readonly #specs: SpecCache
  readonly #quotas: Quotas
  readonly #agentless: AgentlessPods
  readonly #counters = zeroCounters()
  readonly #uploads: UploadQueue | undefined
  #term: Leadership | undefined
  #areReportsFollowed = false
  #wake = new AbortController()

  constructor(deps: ControllerDeps) {
    this.#deps = deps
    this.#specs = new SpecCache(deps)
    this.#quotas = new Quotas({ ...deps, settings: this.#specs.settings })
    this.#agentless = new AgentlessPods({ ...deps, settings: this.#specs.settings })
    const onChange = () => this.#wake.abort()
    this.#uploads = deps.uploads?.(onChange)
    this.#caches = new Caches({
      ...deps,
      onChange,
      onReportsFollowed: areFollowed => {
        this.#areReportsFollowed = areFollowed
        this.#setFollowed()
      },
    })
  }

  get hasSynced(): boolean {
    return this.#caches.hasSynced
  }

  /** For metrics. A node that is gone has no report. */
  get state(): ControllerState {
    const nodesSilent = this.#liveness.silentNodes(
      this.#followed.elapsedMs(performance.now()),
    ).length
    return {
      ...this.#counters,
      ...this.#uploads?.tally,
      isLeading: this.#term !== undefined,
      captures: this.#caches.captureCount,
      nodesReporting: this.#caches.reportCount - nodesSilent,
      nodesSilent,
    }
  }

  requestSync(): void {
    this.#wake.abort()
  }

  /** Runs turns while this process leads. */
  async run(term: Leadership): Promise<void> {
    const { clock, onTurn } = this.#deps
    const { signal } = term
    const sync = this.#syncDeps(term)
    this.#writes.clear() // another controller may have written since the last term
    this.#term = term
    this.#setFollowed()
    while (!signal.aborted) {
      this.#wake = new AbortController()
      const startedMs = performance.now()
      const wakeAtMs = this.hasSynced ? await this.#turn(sync) : never
      if (this.hasSynced) onTurn?.((performance.now() - startedMs) / 1_000)
      const intervalMs = Math.min(
        turnIntervalMs.most,
        this.#caches.reportCount * turnIntervalMs.perNode,
      )
      await clock.sleepUntil(clock.now() + intervalMs, signal)
      await clock.sleepUntil(wakeAtMs, AbortSignal.any([signal, this.#wake.signal]))
    }
    this.#followed.stop(Math.min(performance.now(), term.heldUntilMs())) // later time was a pause of this process
    this.#term = undefined
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#caches[Symbol.asyncDispose]()
  }

  #syncDeps(term: Leadership): SyncDeps {
    const { clock, namespace } = this.#deps
    const writer: ApiWriterDeps = { ...this.#deps, term }
    const events = new EventRecorder({
      component: accounts.controller,
      repeatAfterMs: eventRepeatMs,
      write: request => writeEvent(writer, request),
    })
    const counters = this.#counters
    const [specs, quotas, agentless, uploads, writes] = [
      this.#specs,
      this.#quotas,
      this.#agentless,
      this.#uploads,
      this.#writes,
    ]
    return { writer, events, clock, namespace, specs, quotas, agentless, uploads, writes, counters }
  }

  /** Returns when the next turn is due. */
  async #turn(sync: SyncDeps): Promise<number> {
    const { term } = sync.writer
    if (performance.now() >= term.heldUntilMs()) return never // this process was paused: its term is about to end
    const nowMs = this.#deps.clock.now()
    const { reports, captures, deletedCaptures, nodes } = this.#caches
    const followedMs = this.#followed.elapsedMs(performance.now())
    this.#liveness.observe(
      reports.map(({ metadata, report }) => ({ ...metadata, reportedAt: report.reportedAt })),
      nowMs,
      followedMs,
    )
    const gone = this.#reportsWithoutNode(reports, nowMs)
    const present = reports.filter(report => !gone.includes(report))
    const wakes = [
      nowMs + this.#liveness.nextSilentInMs(followedMs),
      ...[...this.#missingNodes.values()].map(sinceMs => sinceMs + reportKeptMs),
    ]
    for (const report of gone) {
      if (await removeReport(sync.writer, report.metadata)) this.#counters.removals.report++
      else wakes.push(nowMs + retryDelayMs)
    }
    const silent = new Set(this.#liveness.silentNodes(followedMs))
    const reporting = present.map(({ metadata }) => metadata.name).filter(name => !silent.has(name))
    const unconfirmed = new Set(this.#liveness.unconfirmedNodes())
    this.#agentless.observe(nodes, new Set(reporting), nowMs, unconfirmed)
    const snapshot = {
      observations: this.#observationsByUid(present, followedMs),
      addresses: new Map(present.map(({ metadata, report }) => [metadata.name, report.address])),
      reports,
      nodes,
    }
    for (const capture of captures) wakes.push(await syncCapture(sync, capture, snapshot))
    for (const capture of deletedCaptures) {
      const wakeAtMs = await syncDeleted(sync, capture, snapshot)
      if (wakeAtMs === undefined) this.#caches.forgetDeleted(capture.metadata.uid)
      else wakes.push(wakeAtMs)
    }
    const uids = new Set([...captures, ...deletedCaptures].map(({ metadata }) => metadata.uid))
    for (const each of [this.#writes, sync.events, this.#uploads, this.#quotas]) each?.retain(uids)
    this.#specs.trim()
    return Math.min(...wakes.filter(atMs => atMs > nowMs))
  }

  #setFollowed(): void {
    if (this.#term && this.#areReportsFollowed) this.#followed.start(performance.now())
    else this.#followed.stop(performance.now())
  }

  #observationsByUid(
    reports: readonly CachedReport[],
    followedMs: number,
  ): Map<string, NodeObservation[]> {
    const observations = reports.flatMap(({ metadata, report }) => {
      const silentSinceMs = this.#liveness.silentSince(metadata.name, followedMs)
      return report.captures.map(
        (row): NodeObservation => ({
          row,
          ...(silentSinceMs !== undefined && { silentSinceMs }),
          ...(report.certificateFingerprint === undefined && { takenPort: report.port }),
        }),
      )
    })
    return Map.groupBy(observations, ({ row }) => row.uid)
  }

  /** Reports of nodes that have had no Node object for a while. */
  #reportsWithoutNode(reports: readonly CachedReport[], nowMs: number): CachedReport[] {
    const nodes = new Set(this.#caches.nodes.map(({ metadata }) => metadata.name))
    const reporting = new Set(reports.map(({ metadata }) => metadata.name))
    for (const name of this.#missingNodes.keys())
      if (nodes.has(name) || !reporting.has(name)) this.#missingNodes.delete(name)
    for (const name of reporting)
      if (!nodes.has(name))
        this.#missingNodes.set(name, Math.min(nowMs, this.#missingNodes.get(name) ?? nowMs))
    return reports.filter(
      ({ metadata }) => nowMs - (this.#missingNodes.get(metadata.name) ?? nowMs) >= reportKeptMs,
    )
  }
}
