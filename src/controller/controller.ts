// Folds the nodes' reports into each capture's status, tells what changed, removes what is over. One turn at a time: everything
// is computed anew from what stands in the cluster, so a controller that is killed goes on where it was.
import type { Clock } from '../clock.ts'
import { TapError } from '../errors.ts'
import { toIntent } from '../intent/intent.ts'
import type { Logger } from '../log.ts'
import type { Intent, Rejection } from '../model/capture.ts'
import { defaultSettings } from '../model/settings.ts'
import type { PacketCapture } from '../model/world.ts'
import type { Report } from '../publish/nodeReport.ts'
import { reportPath } from '../publish/reportWriter.ts'
import type { PacketCaptureStatus } from '../status/types.ts'
import type { Kube } from '../world/kube.ts'
import { type KubeObject, ListWatch } from '../world/listWatch.ts'
import { type DeedParts, removeCapture, removeReport, tell, writeStatus } from './deeds.ts'
import { eventOf, toldOf } from './events.ts'
import { dueAtMs } from './pace.ts'
import { Silence } from './silence.ts'
import { type NodeRow, verdictOf } from './verdict.ts'

export type ControllerParts = {
  readonly kube: Kube
  readonly group: string
  readonly clock: Clock
  readonly log: Logger
  readonly compile: (filter: string, snapLength: number) => Promise<number>
}

export type ListedCapture = PacketCapture & KubeObject & { readonly status?: PacketCaptureStatus }
export type ListedReport = KubeObject & { readonly report: Report & { readonly reportedAt: string } }

type Written = { readonly status: PacketCaptureStatus; readonly atMs: number }

const goneMs = 10_000 // a Node object may be made anew
const gapMs = { perNode: 1, most: 2_000 } as const // between turns, so that many reports make one
const retryMs = 2_000

export class Controller implements AsyncDisposable {
  readonly #parts: ControllerParts
  readonly #captures: ListWatch<ListedCapture>
  readonly #reports: ListWatch<ListedReport>
  readonly #nodes: ListWatch<KubeObject>
  readonly #silence = new Silence()
  readonly #written = new Map<string, Written>() // by capture uid, while this process leads
  readonly #missing = new Map<string, number>() // node → since when it has no Node object
  readonly #verdicts = new Map<string, string | undefined>() // pcap expression → the compiler's message
  #wake = new AbortController()

  constructor(parts: ControllerParts) {
    this.#parts = parts
    const { kube, clock, group } = parts
    this.#captures = new ListWatch({
      kube,
      clock,
      path: `/apis/${group}/v3/packetcaptures`,
      keep: withoutManaged,
      onState: this.#state('captures'),
    })
    this.#reports = new ListWatch({ kube, clock, path: reportPath, keep: withoutManaged, onState: this.#state('reports') })
    this.#nodes = new ListWatch({
      kube,
      clock,
      path: '/api/v1/nodes',
      wanted: 'metadata',
      keep: withoutManaged,
      onState: this.#state('nodes'),
    })
    for (const watch of [this.#captures, this.#reports, this.#nodes]) {
      watch.onChange(() => this.#wake.abort())
      watch.start()
    }
  }

  get isListed(): boolean {
    return this.#captures.isListed && this.#reports.isListed && this.#nodes.isListed
  }

  /** Works until the signal: while this process leads. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#parts
    this.#written.clear() // another may have written since
    const parts: DeedParts = { ...this.#parts, signal }
    while (!signal.aborted) {
      this.#wake = new AbortController()
      const wakeAtMs = this.isListed ? await this.#turn(parts) : Number.POSITIVE_INFINITY
      const gap = Math.min(gapMs.most, this.#reports.objects.size * gapMs.perNode)
      await clock.sleepUntil(clock.now() + gap, signal)
      await clock.sleepUntil(wakeAtMs, AbortSignal.any([signal, this.#wake.signal]))
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#captures, this.#reports, this.#nodes].map(watch => watch[Symbol.asyncDispose]()))
  }

  async #turn(parts: DeedParts): Promise<number> {
    const nowMs = this.#parts.clock.now()
    const reports = [...this.#reports.objects.values()]
    this.#silence.look(
      reports.map(({ metadata, report }) => ({ ...metadata, reportedAt: report.reportedAt })),
      nowMs,
    )
    const gone = this.#gone(reports, nowMs)
    const present = reports.filter(report => !gone.includes(report))
    const rows = this.#rowsOf(present, nowMs)
    const wakes = [this.#silence.nextAtMs(nowMs), ...[...this.#missing.values()].map(sinceMs => sinceMs + goneMs)]
    for (const report of gone) if (!(await removeReport(parts, report.metadata))) wakes.push(nowMs + retryMs)
    for (const capture of this.#captures.objects.values()) wakes.push(await this.#judge(parts, capture, rows, present.length))
    const uids = new Set(this.#captures.objects.keys())
    for (const uid of this.#written.keys()) if (!uids.has(uid)) this.#written.delete(uid)
    return Math.min(...wakes.filter(atMs => atMs > nowMs))
  }

  /** Carries out what the capture's verdict demands. Returns when to look again. */
  async #judge(parts: DeedParts, capture: ListedCapture, rows: ReadonlyMap<string, readonly NodeRow[]>, nodes: number): Promise<number> {
    const { uid } = capture.metadata
    const nowMs = this.#parts.clock.now()
    const written = this.#written.get(uid)
    const previous = written?.status ?? capture.status
    const verdict = verdictOf({ read: await this.#read(capture), rows: rows.get(uid) ?? [], nodes, previous, nowMs })
    if (verdict.expiresAtMs <= nowMs) return (await removeCapture(parts, capture)) ? Number.POSITIVE_INFINITY : nowMs + retryMs
    const due = dueAtMs(previous, verdict.status, written?.atMs ?? 0)
    if (due > nowMs) return Math.min(due, verdict.wakeAtMs)
    if (!(await writeStatus(parts, capture, verdict.status))) return nowMs + retryMs
    this.#written.set(uid, { status: verdict.status, atMs: nowMs })
    for (const told of toldOf(previous, verdict.status)) await tell(parts, capture.metadata.namespace, eventOf(capture, told, nowMs))
    return verdict.wakeAtMs
  }

  #rowsOf(reports: readonly ListedReport[], nowMs: number): Map<string, NodeRow[]> {
    const all = reports.flatMap(({ metadata, report }) => {
      const silentSinceMs = this.#silence.since(metadata.name, nowMs)
      return (report.captures ?? []).map((row): NodeRow => ({ row, ...(silentSinceMs !== undefined && { silentSinceMs }) }))
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

  async #read(capture: PacketCapture): Promise<Intent | Rejection> {
    const read = toIntent(capture, defaultSettings)
    if (!read.ok) return read
    if (!this.#verdicts.has(read.filter)) this.#verdicts.set(read.filter, await this.#compile(read.filter))
    const message = this.#verdicts.get(read.filter)
    const { capture: ref, key, generation } = read
    return message === undefined ? read : { ok: false, capture: ref, key, generation, message }
  }

  async #compile(filter: string): Promise<string | undefined> {
    try {
      await this.#parts.compile(filter, 262_144)
      return undefined
    } catch (error) {
      if (error instanceof TapError) return error.message
      throw error
    }
  }

  #state(what: string): (state: string, detail: string) => void {
    let isWell: boolean | undefined
    return (state, detail) => {
      if (state === 'failed' && isWell !== false) this.#parts.log.warn({ what, detail }, 'cannot follow, tried again; the last state stays')
      if (state !== 'failed' && isWell === false) this.#parts.log.info({ what, detail }, 'followed again')
      isWell = state !== 'failed'
    }
  }
}

function withoutManaged<T extends KubeObject>(object: T): T {
  return { ...object, metadata: { ...object.metadata, managedFields: undefined } }
}
