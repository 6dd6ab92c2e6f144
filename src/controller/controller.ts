// Folds the nodes' reports into each capture's status, tells what changed, removes what is over. One turn at a time: everything
// is computed anew from what stands in the cluster, so a controller that is killed goes on where it was.
import { setImmediate as afterOthers } from 'node:timers/promises'
import type { NodeObservation } from '../api/reconciliation.ts'
import type { Driver } from '../driver/driver.ts'
import { EventRecorder } from '../kube/eventRecorder.ts'
import { Informer, type KubeObject } from '../kube/informer.ts'
import { informerLog } from '../kube/informerLog.ts'
import type { Kube } from '../kube/request.ts'
import { listPath } from '../kube/resources.ts'
import { stripManagedFields } from '../kube/stripManagedFields.ts'
import type { Api } from '../model/captureRef.ts'
import type { Settings } from '../model/settings.ts'
import { accounts } from '../model/wellKnown.ts'
import { reportPath } from '../publish/reportWriter.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/log.ts'
import { type ApiWriterDeps, removeCapture, removeReport, writeEvent, writeMetadata, writeResults, writeStatus } from './apiWriter.ts'
import { type CachedCapture, type CaptureObject, cachedCapture } from './cachedCapture.ts'
import { type CachedReport, cachedReport, type ReportObject } from './cachedReport.ts'
import type { Leadership } from './leaderElection.ts'
import { type ControllerState, zeroCounters } from './metrics.ts'
import { NodeLiveness } from './nodeLiveness.ts'
import { Quotas } from './quota/quotas.ts'
import { reconcile } from './reconcile.ts'
import { SpecCache } from './specCache.ts'
import { nextWriteAtMs, nodesOf, writeIntervalMs } from './statusThrottle.ts'
import { Stopwatch } from './stopwatch.ts'
import type { UploadQueue } from './uploads/queue.ts'
import { syncUploads } from './uploads/sync.ts'
import { WriteCache } from './writeCache.ts'

export type ControllerDeps = {
  readonly kube: Kube
  readonly apis: readonly Api[] // the kinds that are served here
  readonly group: string // of PacketCapture
  readonly namespace: string // where results lie of captures that have none themselves
  readonly clock: Clock
  readonly log: Logger
  readonly compile: Driver['compile']
  readonly settings?: () => Settings // missing: the defaults
  readonly onTurn?: (seconds: number) => void
  readonly uploads?: (onChange: () => void) => UploadQueue
}

type ObservationsByUid = ReadonlyMap<string, readonly NodeObservation[]>

const reportKeptMs = 10_000 // a Node object may be made anew
const turnIntervalMs = { perNode: 1, most: 2_000 } as const // between turns, so that many reports make one
const retryDelayMs = 2_000
const never = Number.POSITIVE_INFINITY

export class Controller implements AsyncDisposable {
  readonly #parts: ControllerDeps
  readonly #captures: readonly Informer<CaptureObject & CachedCapture>[] // one for each kind
  readonly #reports: Informer<ReportObject & CachedReport>
  readonly #nodes: Informer<KubeObject>
  readonly #silence = new NodeLiveness()
  readonly #followed = new Stopwatch() // while this process leads and sees the reports
  readonly #ledger = new WriteCache()
  readonly #missing = new Map<string, number>() // node → since when it has no Node object
  readonly #specs: SpecCache
  readonly #quotas: Quotas
  readonly #tally = zeroCounters()
  readonly #uploads: UploadQueue | undefined
  #term: Leadership | undefined
  #teller: EventRecorder | undefined
  #areReportsFollowed = false
  #wake = new AbortController()

  constructor(parts: ControllerDeps) {
    this.#parts = parts
    this.#specs = new SpecCache(parts)
    this.#quotas = new Quotas({ ...parts, settings: this.#specs.settings })
    this.#uploads = parts.uploads?.(() => this.#wake.abort())
    const { kube, clock, group, apis, log } = parts
    // What is missing has consequences here, so lists are never those of a server that lags behind.
    const common = { kube, clock, isConsistent: true }
    this.#captures = apis.map(
      api =>
        new Informer<CaptureObject & CachedCapture>({
          ...common,
          path: listPath(api, group),
          keep: cachedCapture,
          onState: informerLog(log, `${api}s`),
        }),
    )
    const onReports = informerLog(log, 'reports')
    this.#reports = new Informer<ReportObject & CachedReport>({
      ...common,
      path: reportPath,
      keep: cachedReport,
      onState: (state, detail) => {
        onReports(state, detail)
        this.#areReportsFollowed = state !== 'failed'
        this.#time()
      },
    })
    this.#nodes = new Informer({
      ...common,
      path: '/api/v1/nodes',
      wanted: 'metadata',
      keep: stripManagedFields,
      onState: informerLog(log, 'nodes'),
    })
    for (const watch of this.#all) {
      watch.onChange(() => this.#wake.abort())
      watch.start()
    }
  }

  get hasSynced(): boolean {
    return this.#all.every(({ hasSynced: isListed }) => isListed)
  }

  get #all(): readonly Informer<never>[] {
    return [...this.#captures, this.#reports, this.#nodes] as unknown as Informer<never>[]
  }

  /** For figures. A node that is gone has no report. */
  get state(): ControllerState {
    const nodesSilent = this.#silence.silentNodes(this.#followed.elapsedMs(performance.now())).length
    const captures = this.#captures.reduce((count, { objects }) => count + objects.size, 0)
    const nodesReporting = this.#reports.objects.size - nodesSilent
    return { ...this.#tally, ...this.#uploads?.tally, isLeading: this.#term !== undefined, captures, nodesReporting, nodesSilent }
  }

  requestSync(): void {
    this.#wake.abort()
  }

  /** Works while this process leads. */
  async run(term: Leadership): Promise<void> {
    const { clock } = this.#parts
    const { signal } = term
    const parts: ApiWriterDeps = { ...this.#parts, term }
    this.#ledger.clear() // another may have written since
    this.#teller = recorderOf(parts)
    this.#term = term
    this.#time()
    while (!signal.aborted) {
      this.#wake = new AbortController()
      const sinceMs = performance.now()
      const wakeAtMs = this.hasSynced ? await this.#turn(parts) : never
      if (this.hasSynced) this.#parts.onTurn?.((performance.now() - sinceMs) / 1_000)
      const gap = Math.min(turnIntervalMs.most, this.#reports.objects.size * turnIntervalMs.perNode)
      await clock.sleepUntil(clock.now() + gap, signal)
      await clock.sleepUntil(wakeAtMs, AbortSignal.any([signal, this.#wake.signal]))
    }
    this.#followed.stop(Math.min(performance.now(), term.heldUntilMs())) // the rest was a pause
    this.#term = undefined
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#all.map(watch => watch[Symbol.asyncDispose]()))
  }

  async #turn(parts: ApiWriterDeps): Promise<number> {
    if (performance.now() >= parts.term.heldUntilMs()) return never // paused: the term is about to end
    const nowMs = this.#parts.clock.now()
    const reports = [...this.#reports.objects.values()]
    const followedMs = this.#followed.elapsedMs(performance.now())
    this.#silence.observe(
      reports.map(({ metadata, report }) => ({ ...metadata, reportedAt: report.reportedAt })),
      nowMs,
      followedMs,
    )
    const gone = this.#gone(reports, nowMs)
    const present = reports.filter(report => !gone.includes(report))
    const rows = this.#rowsOf(present, followedMs)
    const addresses = new Map(present.map(({ metadata, report }) => [metadata.name, report.address]))
    const wakes = [nowMs + this.#silence.nextSilentInMs(followedMs), ...[...this.#missing.values()].map(sinceMs => sinceMs + reportKeptMs)]
    for (const report of gone) {
      if (await removeReport(parts, report.metadata)) this.#tally.removals.report++
      else wakes.push(nowMs + retryDelayMs)
    }
    const captures = this.#captures.flatMap(({ objects }) => [...objects.values()])
    for (const capture of captures) wakes.push(await this.#judge(parts, capture, rows, addresses))
    const uids = new Set(captures.map(({ metadata }) => metadata.uid))
    for (const each of [this.#ledger, this.#teller, this.#uploads, this.#quotas]) each?.retain(uids)
    this.#specs.trim()
    return Math.min(...wakes.filter(atMs => atMs > nowMs))
  }

  /** Carries out what the capture's verdict demands. Returns when to look again. */
  async #judge(
    parts: ApiWriterDeps,
    capture: CachedCapture,
    rows: ObservationsByUid,
    addresses: ReadonlyMap<string, string>,
  ): Promise<number> {
    const { uid } = capture.metadata
    const nowMs = this.#parts.clock.now()
    const retryAtMs = this.#ledger.retryAtMs(uid, nowMs)
    if (retryAtMs > nowMs) return retryAtMs
    const { status: previous, version, writtenAtMs } = this.#ledger.observed(capture)
    const judgedAtMs = this.#ledger.reconciledAtMs(uid)
    const nextAtMs = judgedAtMs > nowMs ? nowMs : judgedAtMs + writeIntervalMs(nodesOf(previous))
    if (nextAtMs > nowMs) return nextAtMs
    this.#ledger.recordReconcile(uid, nowMs)
    await afterOthers() // many captures on many nodes take long: the lease must be renewed meanwhile
    this.#tally.folds++
    const read = await this.#specs.read(capture)
    const seen = { read, rows: rows.get(uid) ?? [], reports: this.#reports.objects.values(), previous, nowMs }
    const quota = await this.#quotas.sync({ ...seen, capture, nodes: this.#nodes.objects.values() }, parts.term.signal)
    const { uploads, ...uploading } = syncUploads(this.#uploads, seen, parts.term.signal)
    const judgement = reconcile({ ...seen, capture, addresses, uploads, quota: quota.verdict })
    const { status, events: told, expiresAtMs, results, finalizers } = judgement
    const wakeAtMs = Math.min(judgement.wakeAtMs, uploading.wakeAtMs, quota.wakeAtMs)
    if (expiresAtMs + uploading.heldMs <= nowMs) {
      if (!(await removeCapture(parts, capture, version))) return this.#retry(uid, nowMs)
      this.#tally.removals.capture++
      return never
    }
    if (finalizers !== undefined || quota.annotations !== undefined) {
      const { kind } = await writeMetadata(parts, capture, { finalizers, annotations: quota.annotations }, version)
      return kind === 'failed' ? this.#retry(uid, nowMs) : nowMs + retryDelayMs // what it is now is on its way here
    }
    const due = nextWriteAtMs(previous, status, { writtenAtMs, nowMs })
    if (due > nowMs) return Math.min(due, wakeAtMs)
    if (results && !(await writeResults(parts, this.#parts.namespace, results))) return this.#retry(uid, nowMs)
    for (const event of told) {
      const result = await this.#teller?.record(capture, event, { version, nowMs })
      if (result === 'written' || result === 'failed') this.#tally.eventWrites[result]++
    }
    const outcome = await writeStatus(parts, capture, status, version)
    this.#tally.statusWrites[outcome.kind]++
    if (outcome.kind === 'failed') return this.#retry(uid, nowMs)
    if (outcome.kind === 'stale') return nowMs + retryDelayMs
    this.#ledger.recordWrite(capture, { status, version: outcome.version, writtenAtMs: nowMs })
    return wakeAtMs
  }

  #retry(uid: string, nowMs: number): number {
    this.#ledger.recordConflict(uid, nowMs)
    return this.#ledger.retryAtMs(uid, nowMs)
  }

  #time(): void {
    if (this.#term && this.#areReportsFollowed) this.#followed.start(performance.now())
    else this.#followed.stop(performance.now())
  }

  #rowsOf(reports: readonly CachedReport[], followedMs: number): Map<string, NodeObservation[]> {
    const all = reports.flatMap(({ metadata, report }) => {
      const silentSinceMs = this.#silence.silentSince(metadata.name, followedMs)
      return report.captures.map((row): NodeObservation => ({ row, ...(silentSinceMs !== undefined && { silentSinceMs }) }))
    })
    return Map.groupBy(all, ({ row }) => row.uid)
  }

  /** Reports of nodes that have been gone for a while. */
  #gone(reports: readonly CachedReport[], nowMs: number): CachedReport[] {
    const nodes = new Set([...this.#nodes.objects.values()].map(({ metadata }) => metadata.name))
    const names = new Set(reports.map(({ metadata }) => metadata.name))
    for (const name of this.#missing.keys()) if (nodes.has(name) || !names.has(name)) this.#missing.delete(name)
    for (const name of names) if (!nodes.has(name)) this.#missing.set(name, Math.min(nowMs, this.#missing.get(name) ?? nowMs))
    return reports.filter(({ metadata }) => nowMs - (this.#missing.get(metadata.name) ?? nowMs) >= reportKeptMs)
  }
}

const eventRepeatMs = 60_000 // a capture that flaps makes no more Events than that

function recorderOf(deps: ApiWriterDeps): EventRecorder {
  return new EventRecorder({ component: accounts.controller, repeatAfterMs: eventRepeatMs, write: request => writeEvent(deps, request) })
}
