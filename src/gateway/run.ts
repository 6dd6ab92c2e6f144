// Wires the gateway. In: its options. Out: a server that runs until SIGTERM or SIGINT and then
// finishes its open requests.
import type { Server } from 'node:https'
import { Agents } from '../agentapi/client/agents.ts'
import { AgentTokens } from '../agentapi/client/tokens.ts'
import { Reviews } from '../auth/reviews.ts'
import { connectKube } from '../kube/connect.ts'
import type { Api } from '../model/captureRef.ts'
import { accounts, ports } from '../model/wellKnown.ts'
import { BufferGc } from '../runtime/bufferGc.ts'
import { systemClock } from '../runtime/clock.ts'
import { openLog } from '../runtime/log.ts'
import { addLogMetric } from '../runtime/metrics.ts'
import { portOf, serveMetricsOf, stopSignal } from '../runtime/process.ts'
import { recordEvents } from './audit.ts'
import { CaptureCache } from './captureCache.ts'
import { GatewayMetrics } from './metrics.ts'
import { RateLimiter } from './rateLimiter.ts'
import { gatewayLimits, gatewayServer } from './server.ts'
import { followKeyPair, keyPair } from './servingCertificate.ts'

const account = accounts.gateway
const rateLimits = { atOncePerUser: 16, atOnce: 256, perMinute: 600 }

export type GatewayOptions = {
  readonly kubeconfig?: string
  readonly apiGroup: string
  readonly apis: readonly Api[]
  readonly namespace: string
  readonly host: string
  readonly port?: string
  readonly certificates?: string
  readonly pod?: string
  readonly logLevel: string
  readonly metricsHost: string
  readonly metricsPort?: string
}

export async function runGateway(options: GatewayOptions): Promise<void> {
  const { apiGroup: group, apis, certificates, namespace } = options
  const { log, logLinesDropped } = openLog(options.logLevel)
  const kube = await connectKube(options.kubeconfig)
  const clock = systemClock
  await using cluster = new CaptureCache({ kube, clock, apis, group, log })
  const tokens = new AgentTokens({
    kube,
    clock,
    namespace,
    account,
    ...(options.pod !== undefined && { pod: options.pod }),
  })
  const metrics = new GatewayMetrics()
  addLogMetric(metrics.registry, logLinesDropped)
  using agents = new Agents(node => tokens.for(node), {
    onFailure: (node, path, { message: reason }) => {
      metrics.agentFailed(node)
      log.warn({ node, path, reason }, 'agent did not answer, or broke off')
    },
  })
  const hosts = [account, `${account}.${namespace}.svc`, 'localhost']
  const app = gatewayServer(
    {
      cluster,
      agents,
      reviews: new Reviews({ kube, clock }),
      rateLimiter: new RateLimiter(rateLimits),
      bufferGc: new BufferGc(),
      metrics,
      limits: gatewayLimits,
      group,
      clock,
      log,
      recordEvent: recordEvents(kube, clock, log),
    },
    await keyPair(certificates, hosts, log),
  )
  const follower =
    certificates === undefined
      ? undefined
      : followKeyPair(
          certificates,
          pair => {
            ;(app.server as Server).setSecureContext(pair)
            log.info({ certificates }, 'certificate read again')
          },
          log,
        )
  await using _ = await serveMetricsOf(
    metrics,
    {
      port: portOf(options.metricsPort, ports.metrics),
      host: options.metricsHost,
      isReady: () => cluster.hasSynced,
    },
    log,
  )
  await app.listen({ host: options.host, port: portOf(options.port, ports.gateway, '--port') })
  log.info({ address: app.server.address(), group, pid: process.pid }, 'selcap gateway started')
  const signal = stopSignal()
  await new Promise<void>(resolve =>
    signal.addEventListener('abort', () => resolve(), { once: true }),
  )
  await follower?.[Symbol.asyncDispose]()
  await app.close()
  log.info({}, 'selcap gateway stopped')
}
