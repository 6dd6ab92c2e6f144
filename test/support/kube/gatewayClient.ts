// A gateway of a simulated cluster, as its deployment would run it, and requests to it from outside
// the cluster's network.
//   const gateway = await GatewayClient.start(cluster)
//   await gateway.ask({ path, token })          { code, body, text, headers, trailers }

import { existsSync } from 'node:fs'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { setTimeout as after } from 'node:timers/promises'
import { parseAllDocuments } from 'yaml'
import { read } from '../repository.ts'
import { until } from '../until.ts'
import type { Child } from './child.ts'
import type { SimulatedCluster } from './simulated.ts'

export type Answer = {
  readonly code: number
  readonly body: Buffer
  readonly text: string
  readonly headers: IncomingHttpHeaders
  readonly trailers: Readonly<Record<string, string | undefined>>
}

export type Request = {
  readonly path: string
  readonly token?: string
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
}

/** What its deployment sets. */
function deployedEnv(): NodeJS.ProcessEnv {
  type Variable = { readonly name: string; readonly value?: string }
  const [{ spec }] = parseAllDocuments(read('daemonset/base/gateway.yaml')).map(document =>
    document.toJS(),
  ) as [{ spec: { template: { spec: { containers: [{ env: readonly Variable[] }] } } } }]
  const variables = spec.template.spec.containers[0].env
  return Object.fromEntries(
    variables.flatMap(({ name, value }) => (value === undefined ? [] : [[name, value]])),
  )
}

export class GatewayClient {
  readonly child: Child
  readonly #cluster: SimulatedCluster
  readonly socket: string

  private constructor(cluster: SimulatedCluster, child: Child, socket: string) {
    this.#cluster = cluster
    this.child = child
    this.socket = socket
  }

  static async start(
    cluster: SimulatedCluster,
    port = 8_443,
    options: readonly string[] = [],
  ): Promise<GatewayClient> {
    const args = ['gateway', '--port', String(port), '--metrics-port', '0', ...options]
    const child = await cluster.runInPod(`gateway-${port}`, 'selcap-gateway', args, deployedEnv())
    await child.ready(() => Promise.resolve(child.tail(1_000).includes('selcap gateway started')))
    const socket = join(cluster.directory, `gateway-${port}.sock`)
    cluster.forward(`forward-${port}`, socket, String(port))
    await until('the forwarding socket', () => existsSync(socket), { tails: [child] })
    const client = new GatewayClient(cluster, child, socket)
    await until(
      'the gateway to be ready',
      async () => (await client.ask({ path: '/readyz' })).code === 200,
    )
    return client
  }

  /** Resolves when so many nodes have told of a capture. */
  async reports(count: number): Promise<void> {
    await until(`${count} reports`, async () => {
      const { items } = await this.#cluster.get<{ items: { report: { captures: unknown[] } }[] }>(
        'nodecapturereports',
      )
      return items.filter(({ report }) => report.captures.length > 0).length === count
    })
    await after(500) // the gateway hears of them as we do
  }

  async open({ path, token, method = 'GET', headers = {} }: Request): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const sent = request({
        socketPath: this.socket,
        rejectUnauthorized: false,
        path,
        method,
        headers: {
          host: 'selcap-gateway',
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
          ...headers,
        },
      })
      sent.once('response', resolve).once('error', reject).end()
    })
  }

  async ask(asked: Request): Promise<Answer> {
    const response = await this.open(asked)
    const body = await buffer(response)
    return {
      code: response.statusCode ?? 0,
      body,
      text: body.toString(),
      headers: response.headers,
      trailers: response.trailers,
    }
  }
}
