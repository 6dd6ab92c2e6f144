// For tests of a node's report: an API server that knows its schema, and turns of a node with as much to tell as wanted.
//   const server = useReports()                  one for the test file: server().api, server().kube, server().stored('node-0')
//   nodeReport([element('a', { rows: 3 })])      what an engine publishes
import { join } from 'node:path'
import test from 'ava'
import type { Budgets, NodeIdentity, NodeReportStatus } from '../../../src/core/status/nodeReport.ts'
import { connectKube } from '../../../src/kube/connect.ts'
import { apiErrorMessage, type Kube, readJson } from '../../../src/kube/request.ts'
import { captureKey } from '../../../src/model/captureRef.ts'
import type { NodeReport } from '../../../src/model/publisher.ts'
import type { CaptureStateName, CaptureStatusElement } from '../../../src/model/status.ts'
import type { World } from '../../../src/model/world.ts'
import { reportPath } from '../../../src/publish/reportWriter.ts'
import { endpoint } from '../model/observations.ts'
import { root } from '../repository.ts'
import { capture, node, noonMs, world } from '../worlds/documents.ts'
import { type ApiServer, startApiServer } from './apiServer.ts'

export { node } from '../worlds/documents.ts'

export type Stored = {
  readonly metadata: { readonly resourceVersion: string }
  readonly report: NodeReportStatus & { readonly reportedAt: string }
}

export class Reports {
  readonly api: ApiServer
  readonly kube: Kube

  constructor(api: ApiServer, kube: Kube) {
    this.api = api
    this.kube = kube
  }

  /** undefined: none. */
  async stored(name = node): Promise<Stored | undefined> {
    const response = await this.kube({ path: `${reportPath}/${name}`, signal: AbortSignal.timeout(30_000) })
    if (response.statusCode === 200) return (await readJson(response)) as Stored
    const said = await apiErrorMessage(response)
    if (response.statusCode === 404) return undefined
    throw new Error(said)
  }
}

export function useReports(): () => Reports {
  const started: Reports[] = []
  test.serial.before(async () => {
    const api = await startApiServer()
    const reports = new Reports(api, await connectKube(api.kubeconfig))
    started.push(reports)
    await reports.api.kubectl('apply', '-f', join(root, 'crds', 'nodecapturereport.yaml'))
    await reports.api.kubectl('wait', '--for=condition=Established', 'crd', '--all', '--timeout=30s')
  })
  test.after.always(async () => {
    for (const { api } of started) await api.stop()
  })
  return () => {
    const [reports] = started
    if (!reports) throw new Error('Cannot test: no API server was started')
    return reports
  }
}

export const identity: NodeIdentity = { agentVersion: '0.1.0', startedAt: new Date(noonMs).toISOString(), address: node, port: 9_876 }
export const budgets: Budgets = { diskBytesMax: 1e10, diskBytesUsed: 4_096, diskFreePercent: 61, ringBytesMax: 1e8, ringBytesUsed: 0 }

export type Told = { readonly name: string; readonly element: CaptureStatusElement }

export type Much = { readonly rows?: number; readonly files?: number; readonly state?: CaptureStateName }

/** One capture on this node, with that many endpoints and files. */
export function told(
  name: string,
  change: Partial<CaptureStatusElement> = {},
  { rows = 1, files = 0, state = 'Capturing' }: Much = {},
): Told {
  const counts = { packets: 5, bytes: 500, dropped: 0 }
  const element = {
    node,
    directory: '/var/log/calico/pcap',
    fileNames: Array.from({ length: files }, (_, index) => `web-0_cali0123456789a-${20_260_601_120_000 + index}.pcap`),
    state,
    ...counts,
    endpoints: Array.from({ length: rows }, (_, index) => endpoint(`web-${index}`, state)),
    isListed: true,
    isRejected: false,
    isHostNetworked: false,
    problems: [],
    ...change,
  }
  return { name, element }
}

export function nodeReport(all: readonly Told[], change: Partial<World> = {}): NodeReport {
  const captures = all.map(({ name }) => capture(name))
  const elements = new Map(all.map(({ name, element }) => [captureKey({ namespace: 'default', name }), element]))
  return { world: world(captures, [], change), elements, nowMs: noonMs }
}
