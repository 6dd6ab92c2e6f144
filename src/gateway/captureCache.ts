// Caches captures and the nodes' reports. In: watches of the API server. Out: a capture by name,
// and the nodes that have files of it, each with its agent's address and its reported status. Keeps
// its last state while the API server does not answer, and for a while a report that was deleted.

import type { AgentAddress } from '../agentapi/client/agents.ts'
import type { ReportedCapture } from '../core/status/nodeReport.ts'
import { Informer, type KubeObject } from '../kube/informer.ts'
import { informerLog } from '../kube/informerLog.ts'
import type { Kube } from '../kube/request.ts'
import { listPath, reportPath } from '../kube/resources.ts'
import type { Api } from '../model/captureRef.ts'
import type { CaptureDocument } from '../model/world.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/log.ts'
import { LastReports } from './lastReports.ts'

type NodeReportSummary = KubeObject & {
  readonly report: Omit<AgentAddress, 'node'> & { readonly captures?: readonly ReportedCapture[] }
}
export type GatewayCapture = CaptureDocument & KubeObject

/** A node that has files of a capture, or may have. */
export type NodeFiles = {
  readonly node: string
  readonly place: AgentAddress
  readonly row: ReportedCapture
}

export type CaptureCacheDeps = {
  readonly kube: Kube
  readonly clock: Clock
  readonly apis: readonly Api[] // the kinds that are served here
  readonly group: string
  readonly log: Logger
}

export class CaptureCache implements AsyncDisposable {
  readonly #captures: ReadonlyMap<Api, Informer<GatewayCapture>>
  readonly #reports: Informer<NodeReportSummary>
  readonly #last = new LastReports<NodeReportSummary>()
  readonly #clock: Clock

  constructor({ kube, clock, apis, group, log }: CaptureCacheDeps) {
    this.#clock = clock
    const follow = (api: Api) =>
      new Informer<GatewayCapture>({
        kube,
        clock,
        path: listPath(api, group),
        wanted: 'spec',
        keep: ({ apiVersion, kind, metadata, spec }) =>
          ({
            apiVersion,
            kind,
            metadata: { ...metadata, namespace: metadata.namespace ?? '' },
            spec,
          }) as GatewayCapture,
        onState: informerLog(log, `${api}s`),
      })
    this.#captures = new Map(apis.map(api => [api, follow(api)]))
    this.#reports = new Informer<NodeReportSummary>({
      kube,
      clock,
      path: reportPath,
      keep: ({ metadata, report }) => {
        const kept = { metadata, report }
        this.#last.seen(kept, clock.now())
        return kept
      },
      onState: informerLog(log, 'reports'),
    })
    for (const informer of this.#all) informer.start()
  }

  get hasSynced(): boolean {
    return this.#all.every(informer => informer.hasSynced)
  }

  get #all(): readonly Informer<never>[] {
    return [...this.#captures.values(), this.#reports] as unknown as Informer<never>[]
  }

  capture(namespace: string, name: string, api: Api = 'PacketCapture'): GatewayCapture | undefined {
    return [...(this.#captures.get(api)?.objects.values() ?? [])].find(
      ({ metadata }) => metadata.namespace === namespace && metadata.name === name,
    )
  }

  /** By node. */
  nodesWithFiles({ metadata: { uid } }: GatewayCapture): NodeFiles[] {
    const reports = this.#last.withGone(this.#reports.objects.values(), this.#clock.now())
    const all = reports.flatMap(({ metadata, report }) => {
      const row = report.captures?.find(each => each.uid === uid)
      return row?.isListed
        ? [{ node: metadata.name, place: { ...report, node: metadata.name }, row }]
        : []
    })
    return all.toSorted((a, b) => (a.node < b.node ? -1 : 1))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#all.map(informer => informer[Symbol.asyncDispose]()))
  }
}
