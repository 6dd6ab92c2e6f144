// Folds the nodes' reports into each capture's status, tells what changed, removes what is over. One turn at a time: everything
// is computed anew from what stands in the cluster, so a controller that is killed goes on where it was.
import { setImmediate as afterOthers } from 'node:timers/promises'
import type { NodeRow } from '../api/packetcapture/reconcile.ts'
import type { Driver } from '../driver/driver.ts'
import { type KubeObject, ListWatch } from '../kube/informer.ts'
import { followLog } from '../kube/informerLog.ts'
import type { Kube } from '../kube/request.ts'
import { listPath } from '../kube/resources.ts'
import { withoutManaged } from '../kube/stripManagedFields.ts'
import type { Api } from '../model/capture.ts'
import type { Settings } from '../model/settings.ts'
import { reportPath } from '../publish/reportWriter.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/log.ts'
import { type DeedParts, removeCapture, removeReport, writeMetadata, writeResults, writeStatus } from './apiWriter.ts'
import { type ListedCapture, listedCapture, type WrittenCapture } from './cachedCapture.ts'
import { type ListedReport, listedReport, type WrittenReport } from './cachedReport.ts'
import { Teller } from './eventRecorder.ts'
import type { Term } from './leaderElection.ts'
import { type ControllerState, noTally } from './metrics.ts'
import { Silence } from './nodeLiveness.ts'
import { Quotas } from './quota/quotas.ts'
import { judge } from './reconcile.ts'
import { Specs } from './specCache.ts'
import { dueAtMs, gapMs, nodesOf } from './statusThrottle.ts'
import { Stopwatch } from './stopwatch.ts'
import type { Uploads } from './uploads/queue.ts'
import { lookAtUploads } from './uploads/sync.ts'
import { Ledger } from './writeCache.ts'

export type ControllerParts = {
  readonly kube: Kube
  readonly apis: readonly Api[] // the kinds that are served here
  readonly group: string // of PacketCapture
  readonly namespace: string // where results lie of captures that have none themselves
  readonly clock: Clock
  readonly log: Logger
  readonly compile: Driver['compile']
  readonly settings?: () => Settings // missing: the defaults
  readonly onTurn?: (seconds: number) => void
  readonly uploads?: (onChange: () => void) => Uploads
}

type RowsByUid = ReadonlyMap<string, readonly NodeRow[]>

const goneMs = 10_000 // a Node object may be made anew
const turnGapMs = { perNode: 1, most: 2_000 } as const // between turns, so that many reports make one
const retryMs = 2_000
const never = Number.POSITIVE_INFINITY

export class Controller implements AsyncDisposable {
  readonly #parts: ControllerParts
  readonly #captures: readonly ListWatch<WrittenCapture & ListedCapture>[] // one for each kind
  readonly #reports: ListWatch<WrittenReport & ListedReport>
  readonly #nodes: ListWatch<KubeObject>
  readonly #silence = new Silence()
  readonly #followed = new Stopwatch() // while this process leads and sees the reports
  readonly #ledger = new Ledger()
  readonly #teller = new Teller()
  readonly #missing = new Map<string, number>() // node → since when it has no Node object
  readonly #specs: Specs
  readonly #quotas: Quotas
  readonly #tally = noTally()
  readonly #uploads: Uploads | undefined
  #term: Term | undefined
  #areReportsFollowed = false
  #wake = new AbortController()

  constructor(parts: ControllerParts) {
    this.#parts = parts
    this.#specs = new Specs(parts)
    this.#quotas = new Quotas({ ...parts, settings: this.#specs.settings })
    this.#uploads = parts.uploads?.(() => this.#wake.abort())
    const { kube, clock, group, apis, log } = parts
    // What is missing has consequences here, so lists are never those of a server that lags behind.
    const common = { kube, clock, isConsistent: true }
    this.#captures = apis.map(
      api =>
        new ListWatch<WrittenCapture & ListedCapture>({
          ...common,
          path: listPath(api, group),
          keep: listedCapture,
          onState: followLog(log, `${api}s`),
        }),
    )
    const onReports = followLog(log, 'reports')
    this.#reports = new ListWatch<WrittenReport & ListedReport>({
      ...common,
      path: reportPath,
      keep: listedReport,
      onState: (state, detail) => {
        onReports(state, detail)
        this.#areReportsFollowed = state !== 'failed'
        this.#time()
      },
    })
    this.#nodes = new ListWatch({
      ...common,
      path: '/api/v1/nodes',
      wanted: 'metadata',
      keep: withoutManaged,
      onState: followLog(log, 'nodes'),
    })
    for (const watch of this.#all) {
      watch.onChange(() => this.#wake.abort())
      watch.start()
    }
  }

  get isListed(): boolean {
    return this.#all.every(({ isListed }) => isListed)
  }

  get #all(): readonly ListWatch<never>[] {
    return [...this.#captures, this.#reports, this.#nodes] as unknown as ListWatch<never>[]
  }

  /** For figures. A node that is gone has no report. */
  get state(): ControllerState {
    const nodesSilent = this.#silence.silent(this.#followed.elapsedMs(performance.now())).length
    const captures = this.#captures.reduce((count, { objects }) => count + objects.size, 0)
    const nodesReporting = this.#reports.objects.size - nodesSilent
    return { ...this.#tally, ...this.#uploads?.tally, isLeading: this.#term !== undefined, captures, nodesReporting, nodesSilent }
  }

  lookAgain(): void {
    this.#wake.abort()
  }

  /** Works while this process leads. */
  async run(term: Term): Promise<void> {
    const { clock } = this.#parts
    const { signal } = term
    const parts: DeedParts = { ...this.#parts, term }
    for (const each of [this.#ledger, this.#teller]) each.clear() // another may have written since
    this.#term = term
    this.#time()
    while (!signal.aborted) {
      this.#wake = new AbortController()
      const sinceMs = performance.now()
      const wakeAtMs = this.isListed ? await this.#turn(parts) : never
      if (this.isListed) this.#parts.onTurn?.((performance.now() - sinceMs) / 1_000)
      const gap = Math.min(turnGapMs.most, this.#reports.objects.size * turnGapMs.perNode)
      await clock.sleepUntil(clock.now() + gap, signal)
      await clock.sleepUntil(wakeAtMs, AbortSignal.any([signal, this.#wake.signal]))
    }
    this.#followed.stop(Math.min(performance.now(), term.heldUntilMs())) // the rest was a pause
    this.#term = undefined
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#all.map(watch => watch[Symbol.asyncDispose]()))
  }

  async #turn(parts: DeedParts): Promise<number> {
    if (performance.now() >= parts.term.heldUntilMs()) return never // paused: the term is about to end
    const nowMs = this.#parts.clock.now()
    const reports = [...this.#reports.objects.values()]
    const followedMs = this.#followed.elapsedMs(performance.now())
    this.#silence.look(
      reports.map(({ metadata, report }) => ({ ...metadata, reportedAt: report.reportedAt })),
      nowMs,
      followedMs,
    )
    const gone = this.#gone(reports, nowMs)
    const present = reports.filter(report => !gone.includes(report))
    const rows = this.#rowsOf(present, followedMs)
    const addresses = new Map(present.map(({ metadata, report }) => [metadata.name, report.address]))
    const wakes = [nowMs + this.#silence.nextInMs(followedMs), ...[...this.#missing.values()].map(sinceMs => sinceMs + goneMs)]
    for (const report of gone) {
      if (await removeReport(parts, report.metadata)) this.#tally.removals.report++
      else wakes.push(nowMs + retryMs)
    }
    const captures = this.#captures.flatMap(({ objects }) => [...objects.values()])
    for (const capture of captures) wakes.push(await this.#judge(parts, capture, rows, addresses))
    const uids = new Set(captures.map(({ metadata }) => metadata.uid))
    for (const each of [this.#ledger, this.#teller, this.#uploads, this.#quotas]) each?.keepOnly(uids)
    this.#specs.forgetUnasked()
    return Math.min(...wakes.filter(atMs => atMs > nowMs))
  }

  /** Carries out what the capture's verdict demands. Returns when to look again. */
  async #judge(parts: DeedParts, capture: ListedCapture, rows: RowsByUid, addresses: ReadonlyMap<string, string>): Promise<number> {
    const { uid } = capture.metadata
    const nowMs = this.#parts.clock.now()
    const retryAtMs = this.#ledger.retryAtMs(uid, nowMs)
    if (retryAtMs > nowMs) return retryAtMs
    const { status: previous, version, writtenAtMs } = this.#ledger.standing(capture)
    const judgedAtMs = this.#ledger.judgedAtMs(uid)
    const nextAtMs = judgedAtMs > nowMs ? nowMs : judgedAtMs + gapMs(nodesOf(previous))
    if (nextAtMs > nowMs) return nextAtMs
    this.#ledger.judged(uid, nowMs)
    await afterOthers() // many captures on many nodes take long: the lease must be renewed meanwhile
    this.#tally.folds++
    const read = await this.#specs.read(capture)
    const seen = { read, rows: rows.get(uid) ?? [], reports: this.#reports.objects.values(), previous, nowMs }
    const quota = await this.#quotas.look({ ...seen, capture, nodes: this.#nodes.objects.values() }, parts.term.signal)
    const { uploads, ...uploading } = lookAtUploads(this.#uploads, seen, parts.term.signal)
    const judgement = judge({ ...seen, capture, addresses, uploads, quota: quota.verdict })
    const { status, told, expiresAtMs, results, finalizers } = judgement
    const wakeAtMs = Math.min(judgement.wakeAtMs, uploading.wakeAtMs, quota.wakeAtMs)
    if (expiresAtMs + uploading.heldMs <= nowMs) {
      if (!(await removeCapture(parts, capture, version))) return this.#retry(uid, nowMs)
      this.#tally.removals.capture++
      return never
    }
    if (finalizers !== undefined || quota.annotations !== undefined) {
      const { kind } = await writeMetadata(parts, capture, { finalizers, annotations: quota.annotations }, version)
      return kind === 'failed' ? this.#retry(uid, nowMs) : nowMs + retryMs // what it is now is on its way here
    }
    const due = dueAtMs(previous, status, { writtenAtMs, nowMs })
    if (due > nowMs) return Math.min(due, wakeAtMs)
    if (results && !(await writeResults(parts, this.#parts.namespace, results))) return this.#retry(uid, nowMs)
    await this.#teller.tell(parts, capture, { told, version, nowMs }, this.#tally.eventWrites)
    const outcome = await writeStatus(parts, capture, status, version)
    this.#tally.statusWrites[outcome.kind]++
    if (outcome.kind === 'failed') return this.#retry(uid, nowMs)
    if (outcome.kind === 'stale') return nowMs + retryMs
    this.#ledger.wrote(capture, { status, version: outcome.version, writtenAtMs: nowMs })
    return wakeAtMs
  }

  #retry(uid: string, nowMs: number): number {
    this.#ledger.refused(uid, nowMs)
    return this.#ledger.retryAtMs(uid, nowMs)
  }

  #time(): void {
    if (this.#term && this.#areReportsFollowed) this.#followed.start(performance.now())
    else this.#followed.stop(performance.now())
  }

  #rowsOf(reports: readonly ListedReport[], followedMs: number): Map<string, NodeRow[]> {
    const all = reports.flatMap(({ metadata, report }) => {
      const silentSinceMs = this.#silence.since(metadata.name, followedMs)
      return report.captures.map((row): NodeRow => ({ row, ...(silentSinceMs !== undefined && { silentSinceMs }) }))
    })
    return Map.groupBy(all, ({ row }) => row.uid)
  }

  /** Reports of nodes that have been gone for a while. */
  #gone(reports: readonly ListedReport[], nowMs: number): ListedReport[] {
    const nodes = new Set([...this.#nodes.objects.values()].map(({ metadata }) => metadata.name))
    const names = new Set(reports.map(({ metadata }) => metadata.name))
    for (const name of this.#missing.keys()) if (nodes.has(name) || !names.has(name)) this.#missing.delete(name)
    for (const name of names) if (!nodes.has(name)) this.#missing.set(name, Math.min(nowMs, this.#missing.get(name) ?? nowMs))
    return reports.filter(({ metadata }) => nowMs - (this.#missing.get(metadata.name) ?? nowMs) >= goneMs)
  }
}
