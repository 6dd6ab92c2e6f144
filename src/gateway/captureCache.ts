// What the gateway knows of the cluster: captures and the nodes' reports, kept current by watching.
// Out: a capture, and for each node that holds something of it where its agent is and what it reported.

import type { AgentPlace } from '../agentapi/client/agents.ts'
import type { ReportedCapture } from '../core/status/nodeReport.ts'
import { type KubeObject, ListWatch } from '../kube/informer.ts'
import { followLog } from '../kube/informerLog.ts'
import type { Kube } from '../kube/request.ts'
import { listPath } from '../kube/resources.ts'
import type { Api } from '../model/capture.ts'
import type { CaptureDocument } from '../model/world.ts'
import { reportPath } from '../publish/reportWriter.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/log.ts'

type Report = KubeObject & { readonly report: Omit<AgentPlace, 'node'> & { readonly captures?: readonly ReportedCapture[] } }
export type Capture = CaptureDocument & KubeObject

/** A node that has files of a capture, or may have. */
export type Holding = { readonly node: string; readonly place: AgentPlace; readonly row: ReportedCapture }

export type GatewayClusterParts = {
  readonly kube: Kube
  readonly clock: Clock
  readonly apis: readonly Api[] // the kinds that are served here
  readonly group: string
  readonly log: Logger
}

export class GatewayCluster implements AsyncDisposable {
  readonly #captures: ReadonlyMap<Api, ListWatch<Capture>>
  readonly #reports: ListWatch<Report>

  constructor({ kube, clock, apis, group, log }: GatewayClusterParts) {
    const follow = (api: Api) =>
      new ListWatch<Capture>({
        kube,
        clock,
        path: listPath(api, group),
        wanted: 'spec',
        keep: ({ apiVersion, kind, metadata, spec }) =>
          ({ apiVersion, kind, metadata: { ...metadata, namespace: metadata.namespace ?? '' }, spec }) as Capture,
        onState: followLog(log, `${api}s`),
      })
    this.#captures = new Map(apis.map(api => [api, follow(api)]))
    this.#reports = new ListWatch<Report>({
      kube,
      clock,
      path: reportPath,
      keep: ({ metadata, report }) => ({ metadata, report }),
      onState: followLog(log, 'reports'),
    })
    for (const watch of this.#all) watch.start()
  }

  get isListed(): boolean {
    return this.#all.every(({ isListed }) => isListed)
  }

  get #all(): readonly ListWatch<never>[] {
    return [...this.#captures.values(), this.#reports] as unknown as ListWatch<never>[]
  }

  capture(namespace: string, name: string, api: Api = 'PacketCapture'): Capture | undefined {
    return [...(this.#captures.get(api)?.objects.values() ?? [])].find(
      ({ metadata }) => metadata.namespace === namespace && metadata.name === name,
    )
  }

  /** By node. */
  holdings({ metadata: { uid } }: Capture): Holding[] {
    const all = [...this.#reports.objects.values()].flatMap(({ metadata, report }) => {
      const row = report.captures?.find(each => each.uid === uid)
      return row?.isListed ? [{ node: metadata.name, place: { ...report, node: metadata.name }, row }] : []
    })
    return all.toSorted((a, b) => (a.node < b.node ? -1 : 1))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#all.map(watch => watch[Symbol.asyncDispose]()))
  }
}
