// For tests of a node's report: an API server that knows its schema.
//   const server = useReports()                  one for the test file: server().api, server().kube, server().stored('node-0')
import { join } from 'node:path'
import test from 'ava'
import type { NodeReportStatus } from '../../../src/core/status/nodeReport.ts'
import { connectKube } from '../../../src/kube/connect.ts'
import { apiErrorMessage, type Kube, readJson } from '../../../src/kube/request.ts'
import { reportPath } from '../../../src/kube/resources.ts'
import { root } from '../repository.ts'
import { node } from '../worlds/documents.ts'
import { type ApiServer, startApiServer } from './apiServer.ts'

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
    const response = await this.kube({
      path: `${reportPath}/${name}`,
      signal: AbortSignal.timeout(30_000),
    })
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
    await reports.api.kubectl(
      'wait',
      '--for=condition=Established',
      'crd',
      '--all',
      '--timeout=30s',
    )
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
