// What the gateway knows of the cluster: captures and the nodes' reports, kept current by watching.
// Out: a capture, and for each node that holds something of it where its agent is and what it reported.

import type { AgentPlace } from '../agentClient/agents.ts'
import type { Clock } from '../clock.ts'
import type { Logger } from '../log.ts'
import type { PacketCapture } from '../model/world.ts'
import type { ReportedCapture } from '../publish/nodeReport.ts'
import { reportPath } from '../publish/reportWriter.ts'
import { followLog } from '../world/followLog.ts'
import type { Kube } from '../world/kube.ts'
import { type KubeObject, ListWatch } from '../world/listWatch.ts'

type Report = KubeObject & { readonly report: Omit<AgentPlace, 'node'> & { readonly captures?: readonly ReportedCapture[] } }
export type Capture = PacketCapture & KubeObject

/** A node that has files of a capture, or may have. */
export type Holding = { readonly node: string; readonly place: AgentPlace; readonly row: ReportedCapture }

export type GatewayClusterParts = { readonly kube: Kube; readonly clock: Clock; readonly group: string; readonly log: Logger }

export class GatewayCluster implements AsyncDisposable {
  readonly #captures: ListWatch<Capture>
  readonly #reports: ListWatch<Report>

  constructor({ kube, clock, group, log }: GatewayClusterParts) {
    const path = `/apis/${group}/v3/packetcaptures`
    this.#captures = new ListWatch<Capture>({
      kube,
      clock,
      path,
      wanted: 'spec',
      keep: ({ apiVersion, kind, metadata, spec }) => ({ apiVersion, kind, metadata, spec }),
      onState: followLog(log, 'captures'),
    })
    this.#reports = new ListWatch<Report>({
      kube,
      clock,
      path: reportPath,
      keep: ({ metadata, report }) => ({ metadata, report }),
      onState: followLog(log, 'reports'),
    })
    for (const watch of [this.#captures, this.#reports]) watch.start()
  }

  get isListed(): boolean {
    return this.#captures.isListed && this.#reports.isListed
  }

  capture(namespace: string, name: string): Capture | undefined {
    return [...this.#captures.objects.values()].find(({ metadata }) => metadata.namespace === namespace && metadata.name === name)
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
    await Promise.all([this.#captures[Symbol.asyncDispose](), this.#reports[Symbol.asyncDispose]()])
  }
}
