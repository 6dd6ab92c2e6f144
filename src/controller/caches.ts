// The controller's informers: captures of each served API, nodes' reports, and nodes. In: a client
// and the served APIs. Out: the cached objects, and a call at every change. Lists are consistent
// reads, because a missing object has consequences here. Retina's deleted captures are remembered
// for a while, also by replicas that do not lead: their archives may have to be sent.
import { DeletedObjects } from '../kube/deletedObjects.ts'
import { Informer, type KubeObject } from '../kube/informer.ts'
import { informerLog } from '../kube/informerLog.ts'
import type { Kube } from '../kube/request.ts'
import { listPath, reportPath } from '../kube/resources.ts'
import { stripManagedFields } from '../kube/stripManagedFields.ts'
import type { Api } from '../model/captureRef.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/log.ts'
import { type CachedCapture, type CaptureObject, cachedCapture } from './cachedCapture.ts'
import { type CachedReport, cachedReport, type ReportObject } from './cachedReport.ts'

export type CachesDeps = {
  readonly kube: Kube
  readonly clock: Clock
  readonly log: Logger
  readonly apis: readonly Api[]
  readonly group: string // of PacketCapture
  readonly onChange: () => void
  /** Whether the reports are followed now: called when that changes. */
  readonly onReportsFollowed: (areFollowed: boolean) => void
}

const deletedMs = 1_800_000 // Retina's grace period

export class Caches implements AsyncDisposable {
  readonly #captures: readonly Informer<CaptureObject & CachedCapture>[] // one for each API
  readonly #deleted = new DeletedObjects<CaptureObject & CachedCapture>(deletedMs)
  readonly #reports: Informer<ReportObject & CachedReport>
  readonly #nodes: Informer<KubeObject>

  constructor({ kube, clock, log, apis, group, onChange, onReportsFollowed }: CachesDeps) {
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
    const logReports = informerLog(log, 'reports')
    this.#reports = new Informer<ReportObject & CachedReport>({
      ...common,
      path: reportPath,
      keep: cachedReport,
      onState: (state, detail) => {
        logReports(state, detail)
        onReportsFollowed(state !== 'failed')
      },
    })
    this.#nodes = new Informer({
      ...common,
      path: '/api/v1/nodes',
      wanted: 'metadata',
      keep: stripManagedFields,
      onState: informerLog(log, 'nodes'),
    })
    for (const informer of this.#all) {
      informer.onChange(onChange)
      informer.start()
    }
    const retina = this.#captures[apis.indexOf('Capture')]
    retina?.onChange(() => {
      this.#deleted.observe(retina.objects, clock.now())
      onChange()
    })
  }

  get hasSynced(): boolean {
    return this.#all.every(informer => informer.hasSynced)
  }

  get captures(): CachedCapture[] {
    return this.#captures.flatMap(({ objects }) => [...objects.values()])
  }

  get deletedCaptures(): CachedCapture[] {
    return this.#deleted.objects
  }

  forgetDeleted(uid: string): void {
    this.#deleted.forget(uid)
  }

  get captureCount(): number {
    return this.#captures.reduce((count, { objects }) => count + objects.size, 0)
  }

  get reports(): CachedReport[] {
    return [...this.#reports.objects.values()]
  }

  get reportCount(): number {
    return this.#reports.objects.size
  }

  get nodes(): KubeObject[] {
    return [...this.#nodes.objects.values()]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#all.map(informer => informer[Symbol.asyncDispose]()))
  }

  get #all(): readonly Informer<never>[] {
    return [...this.#captures, this.#reports, this.#nodes] as unknown as Informer<never>[]
  }
}
