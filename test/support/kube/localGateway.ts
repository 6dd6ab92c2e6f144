// A gateway in this process, with a real API server and one node's report that leads to whatever is
// to play the agent. It listens on loopback; requests to it as anybody.
//   const gateway = await LocalGateway.start(t, server(), { agent, limits: { stallMs: 2_000 } })
//   await gateway.ask({ path: filesPath })          as somebody who may read files in shop
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import pino from 'pino'
import { Agents } from '../../../src/agentapi/client/agents.ts'
import { AgentTokens } from '../../../src/agentapi/client/tokens.ts'
import { listen } from '../../../src/agentapi/server/server.ts'
import { Reviews } from '../../../src/auth/reviews.ts'
import { makeCertificate } from '../../../src/auth/selfSignedCertificate.ts'
import { recordEvents } from '../../../src/gateway/audit.ts'
import { CaptureCache } from '../../../src/gateway/captureCache.ts'
import { GatewayMetrics } from '../../../src/gateway/metrics.ts'
import { RateLimiter } from '../../../src/gateway/rateLimiter.ts'
import { type GatewayLimits, gatewayLimits, gatewayServer } from '../../../src/gateway/server.ts'
import { connectKube } from '../../../src/kube/connect.ts'
import { BufferGc } from '../../../src/runtime/bufferGc.ts'
import { systemClock } from '../../../src/runtime/clock.ts'
import { samplesIn } from '../metricSamples.ts'
import { row } from '../model/observations.ts'
import { until } from '../until.ts'
import { kubeconfig } from './credentials.ts'
import type { Answer, Request } from './gatewayClient.ts'
import { type Installed, reportOf, systemNamespace } from './installManifests.ts'
import { packetCapture } from './simulated.ts'

type Scope = { teardown(cleanUp: () => unknown): void }
type Place = { readonly port: number; readonly fingerprint: string }
type Parts = { readonly agent: Place; readonly limits?: Partial<GatewayLimits> }

const node = 'node-1'

/** The capture shop/web, made once for a server; its uid is what an agent has to know. */
export async function makeCapture(installed: Installed): Promise<string> {
  const { api } = installed
  if ((await api.ask(['get', 'namespace', 'shop'])).code !== 0)
    await api.kubectl('create', 'namespace', 'shop')
  await installed.apply(packetCapture('web', {}))
  return (
    await api.kubectl('get', 'packetcapture', 'web', '-n', 'shop', '-o', 'jsonpath={.metadata.uid}')
  ).trim()
}

export class LocalGateway {
  readonly port: number
  readonly token: string
  readonly said: readonly string[]
  readonly clock: { aheadMs: number }
  readonly #figures: GatewayMetrics

  private constructor(
    port: number,
    token: string,
    said: readonly string[],
    clock: { aheadMs: number },
    figures: GatewayMetrics,
  ) {
    this.port = port
    this.token = token
    this.said = said
    this.clock = clock
    this.#figures = figures
  }

  static async start(
    t: Scope,
    installed: Installed,
    { agent, limits = {} }: Parts,
  ): Promise<LocalGateway> {
    const { api } = installed
    const directory = mkdtempSync(join(tmpdir(), 'selcap-local-'))
    t.teardown(() => rmSync(directory, { recursive: true, force: true }))
    const config = join(directory, 'kubeconfig')
    writeFileSync(config, kubeconfig(api.url, api.caFile, api.token), { mode: 0o600 })
    await tellOf(installed, agent)
    const kube = await connectKube(config)
    const time = { aheadMs: 0 }
    const clock = { ...systemClock, now: () => systemClock.now() + time.aheadMs }
    const said: string[] = []
    const log = pino({ level: 'trace' }, { write: line => said.push(line) })
    const figures = new GatewayMetrics()
    const cluster = new CaptureCache({
      kube,
      clock: systemClock,
      apis: ['PacketCapture'],
      group: 'projectcalico.org',
      log,
    })
    const tokens = new AgentTokens({
      kube,
      clock,
      namespace: systemNamespace,
      account: 'selcap-gateway',
    })
    const agents = new Agents(name => tokens.for(name), {
      onFailure: name => figures.agentFailed(name),
    })
    const server = gatewayServer(
      {
        cluster,
        agents,
        reviews: new Reviews({ kube, clock }),
        rateLimiter: new RateLimiter({ atOncePerUser: 16, atOnce: 256, perMinute: 600 }),
        bufferGc: new BufferGc(),
        metrics: figures,
        limits: { ...gatewayLimits, ...limits },
        group: 'projectcalico.org',
        clock,
        log,
        recordEvent: recordEvents(kube, clock, log),
      },
      await makeCertificate('gateway', []),
    )
    t.teardown(async () => {
      server.server.closeAllConnections()
      await server.close()
      agents[Symbol.dispose]()
      await cluster[Symbol.asyncDispose]()
    })
    const port = (await listen(server, 0, log)) ?? 0
    const gateway = new LocalGateway(port, await tokenFor(installed, 'dev'), said, time, figures)
    await until('the gateway to know of the agent', () => {
      const capture = cluster.capture('shop', 'web')
      return (
        cluster.hasSynced &&
        capture !== undefined &&
        cluster.nodesWithFiles(capture).some(({ place }) => place.port === agent.port)
      )
    })
    return gateway
  }

  async figure(name: string): Promise<number> {
    return samplesIn(await this.#figures.registry.metrics()).get(`selcap_gateway_${name}`) ?? 0
  }

  open({
    path,
    token = this.token,
    method = 'GET',
    headers = {},
  }: Request): Promise<IncomingMessage> {
    const options = {
      host: '127.0.0.1',
      port: this.port,
      rejectUnauthorized: false,
      path,
      method,
      agent: false as const,
    }
    return new Promise((resolve, reject) => {
      request({ ...options, headers: { authorization: `Bearer ${token}`, ...headers } }, resolve)
        .once('error', reject)
        .end()
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

/** Of a service account in shop that may read files there. */
export async function tokenFor(installed: Installed, name: string): Promise<string> {
  const subjects = [{ kind: 'ServiceAccount', name, namespace: 'shop' }]
  const roleRef = {
    apiGroup: 'rbac.authorization.k8s.io',
    kind: 'ClusterRole',
    name: 'selcap-files',
  }
  await installed.apply(
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace: 'shop' } },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata: { name, namespace: 'shop' },
      subjects,
      roleRef,
    },
  )
  return (await installed.api.kubectl('create', 'token', name, '-n', 'shop')).trim()
}

/** As the node's own agent does, honest or not: with the token of its pod. */
async function tellOf(installed: Installed, { port, fingerprint }: Place): Promise<void> {
  const uid = await makeCapture(installed)
  const captures = [{ ...row(node, 'Capturing'), name: 'web', namespace: 'shop', uid }]
  const more = { address: '127.0.0.1', port, certificateFingerprint: fingerprint, captures }
  const { code, body } = await installed.writeReport(
    await installed.boundToken('selcap-agent', node),
    node,
    reportOf(node, more),
  )
  if (code >= 300) throw new Error(`Cannot write the report: ${JSON.stringify(body)}`)
}
