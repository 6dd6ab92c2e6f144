// An API server with selcap's manifests applied as a user applies them, and requests to it in
// anybody's name.
//   const server = useInstalled()                         one for the file
//   await server.as(token, { path, method, body })        { code, body }
//   await server.boundToken('selcap-agent', 'node-a')     the token that a pod of that account gets on that node

import { readFileSync } from 'node:fs'
import { Agent, type RequestOptions, request } from 'node:https'
import { text } from 'node:stream/consumers'
import test from 'ava'
import { root } from '../repository.ts'
import { until } from '../until.ts'
import { type ApiServer, startApiServer } from './apiServer.ts'
import { systemNamespace } from './systemNamespace.ts'

export { systemNamespace }
export const account = (name: string, namespace = systemNamespace): string =>
  `system:serviceaccount:${namespace}:${name}`

export type Ask = {
  readonly path: string
  readonly method?: string
  readonly body?: unknown
  readonly type?: string
  /** Somebody else's name, and groups: the administrator may act for all. */
  readonly as?: string
  readonly groups?: readonly string[]
}
export type Answered = {
  readonly code: number
  readonly body: { readonly message?: string; readonly [field: string]: unknown }
}

export class Installed {
  readonly api: ApiServer
  readonly #agent: Agent

  constructor(api: ApiServer) {
    this.api = api
    this.#agent = new Agent({ ca: readFileSync(api.caFile), keepAlive: true, maxSockets: 16 })
  }

  async as(
    token: string,
    { path, method = 'GET', body, type = 'application/json', as, groups = [] }: Ask,
  ): Promise<Answered> {
    const headers = {
      authorization: `Bearer ${token}`,
      'content-type': type,
      ...(as !== undefined && {
        'impersonate-user': as,
        'impersonate-group': ['system:authenticated', ...groups],
      }),
    }
    const options: RequestOptions = { method, headers, agent: this.#agent, timeout: 30_000 }
    const response = await new Promise<import('node:http').IncomingMessage>((resolve, reject) => {
      const sent = request(new URL(path, this.api.url), options, resolve).once('error', reject)
      sent.once('timeout', () =>
        sent.destroy(new Error(`Cannot ask ${path}: no answer within 30 s`)),
      )
      sent.end(body === undefined ? undefined : JSON.stringify(body))
    })
    const answer = await text(response)
    return {
      code: response.statusCode ?? 0,
      body: answer.startsWith('{') ? JSON.parse(answer) : { message: answer },
    }
  }

  asAdmin(ask: Ask): Promise<Answered> {
    return this.as(this.api.token, ask)
  }

  /**
   * Makes a pod of the account on the node, as a DaemonSet would, and asks for the token that it
   * would be given.
   */
  async boundToken(name: string, node: string): Promise<string> {
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: `${name}-${node}`, namespace: systemNamespace },
      spec: {
        serviceAccountName: name,
        nodeName: node,
        containers: [{ name: 'main', image: 'selcap' }],
      },
    }
    await this.apply(pod)
    const bound = ['--bound-object-kind', 'Pod', '--bound-object-name', pod.metadata.name]
    return (await this.api.kubectl('create', 'token', name, '-n', systemNamespace, ...bound)).trim()
  }

  /** Creates a node's report, or writes over it, as agents do: by server-side apply. */
  writeReport(
    token: string,
    node: string,
    report: object = reportOf(node),
    ask: Partial<Ask> = {},
  ): Promise<Answered> {
    return this.as(token, {
      path: `/apis/selcap.dev/v1alpha1/nodecapturereports/${node}?fieldManager=test&force=true`,
      method: 'PATCH',
      type: 'application/apply-patch+yaml',
      body: {
        apiVersion: 'selcap.dev/v1alpha1',
        kind: 'NodeCaptureReport',
        metadata: { name: node },
        report,
      },
      ...ask,
    })
  }

  async apply(...documents: readonly object[]): Promise<void> {
    const input = documents.map(document => JSON.stringify(document)).join('\n---\n')
    const { code, err } = await this.api.ask(['apply', '-f', '-'], { input })
    if (code !== 0) throw new Error(`Cannot apply ${input.slice(0, 200)}: ${err}`)
  }

  close(): Promise<void> {
    this.#agent.destroy()
    return this.api.stop()
  }
}

/** The least that the schema takes; `more` on top. */
export function reportOf(node: string, more: object = {}): object {
  const at = '2026-11-21T07:00:00.000Z'
  return {
    agentVersion: '0.1.0',
    startedAt: at,
    reportedAt: at,
    address: `${node}.test`,
    port: 9876,
    budgets: {},
    captures: [],
    ...more,
  }
}

/**
 * One for the test file, with these manifests: started before its first test, stopped after its
 * last.
 */
export function useInstalled(kustomization = 'daemonset/base'): () => Installed {
  const started: Installed[] = []
  test.serial.before(async () => {
    const installed = new Installed(await startApiServer())
    started.push(installed)
    await installed.api.kubectl('apply', '-k', `${root}/${kustomization}`)
    await installed.api.kubectl(
      'wait',
      '--for=condition=Established',
      'crd',
      '--all',
      '--timeout=30s',
    )
    const dryRun = {
      path: '/apis/selcap.dev/v1alpha1/nodecapturereports/nobody?fieldManager=test&dryRun=All',
    }
    const tryReport = () =>
      installed.writeReport(installed.api.token, 'nobody', reportOf('nobody'), dryRun)
    await until('the policies to be in force', async () => (await tryReport()).code === 403)
  })
  test.after.always(async () => {
    for (const installed of started) await installed.close()
  })
  return () => {
    const [installed] = started
    if (!installed) throw new Error('Cannot test: no API server was started')
    return installed
  }
}
