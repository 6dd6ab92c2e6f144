// The gateway's HTTPS side: hands capture files to those who may have them. Every request: token → user → limit → right → deed
// (handOut.ts), and a line in the log of who had what. Knows no file: agents do.
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest, type FastifyServerOptions } from 'fastify'
import type { Agents } from '../agentapi/client/agents.ts'
import type { Reviews, User } from '../auth/reviews.ts'
import { apiCalled, resourceOf } from '../kube/resources.ts'
import type { BufferGc } from '../runtime/bufferGc.ts'
import type { Clock } from '../runtime/clock.ts'
import { retrySeconds } from '../runtime/http.ts'
import type { Logger } from '../runtime/log.ts'
import { audit, type RecordEvent } from './audit.ts'
import { forbiddenMessage, sendUnauthorized, userOf, type WantedRight } from './authorize.ts'
import type { CaptureCache, GatewayCapture } from './captureCache.ts'
import { sendFile, sendStream, sendZip } from './download.ts'
import { cleanNode, list } from './fileIndex.ts'
import type { GatewayMetrics } from './metrics.ts'
import type { RateLimiter } from './rateLimiter.ts'
import { refuse } from './refuse.ts'

export type GatewayDeps = {
  readonly cluster: CaptureCache
  readonly agents: Agents
  readonly reviews: Reviews
  readonly gate: RateLimiter
  readonly sweeper: BufferGc
  readonly figures: GatewayMetrics
  readonly limits: GatewayLimits
  readonly group: string
  readonly clock: Clock
  readonly log: Logger
  /** Who had what, for an Event on the capture. */
  readonly recordEvent: RecordEvent
}

/** Whoever reaches the port may connect: what that costs has a bound, and so has how long one may hold a download up. */
export type GatewayLimits = { readonly connectionsMax: number; readonly stallMs: number }
export const gatewayLimits: GatewayLimits = Object.freeze({ connectionsMax: 1_000, stallMs: 300_000 })

/** `ns` is - of kinds that have none; `kind` is missing where PacketCapture is meant. */
export type CaptureParams = {
  readonly Params: { readonly ns: string; readonly kind?: string; readonly name: string; readonly node: string; readonly file: string }
}
/** A request whose user has the right, and the capture it is about. */
export type AuthorizedRequest = { readonly user: User; readonly capture: GatewayCapture }

const serverTimeouts = { handshakeTimeout: 10_000, headersTimeout: 10_000, connectionsCheckingInterval: 5_000 }

export function gatewayServer(parts: GatewayDeps, keyPair: object): FastifyInstance {
  const { cluster, figures, limits, log } = parts
  const https = { ...serverTimeouts, ...keyPair }
  const options = { https, routerOptions: { maxParamLength: 300 }, bodyLimit: 1_024, requestTimeout: 30_000, return503OnClosing: true }
  const app = fastify(options as FastifyServerOptions) as FastifyInstance
  app.server.maxConnections = limits.connectionsMax
  figures.follow(app)
  app.addHook('onRequest', async (_, reply) => void reply.header('x-content-type-options', 'nosniff').header('cache-control', 'no-store'))
  app.setErrorHandler(async (error: Error & { statusCode?: number }, request, reply) => {
    if ((error.statusCode ?? 500) < 500) return reply.code(error.statusCode ?? 400).send(`${error.message}\n`)
    log.error({ error: error.message, url: request.url }, 'request failed')
    if (error.statusCode === 503) {
      figures.refused('Busy')
      return refuse(reply.header('retry-after', retrySeconds), 503, 'Cannot answer now: too much is asked at once, try again soon')
    }
    return refuse(reply, 502, 'Cannot answer: the cluster did not, the log of the gateway says why')
  })
  app.setNotFoundHandler((_, reply) => reply.code(404).send('Not found\n'))
  app.get('/healthz', async () => 'ok\n')
  app.get('/readyz', async (_, reply) => reply.code(cluster.hasSynced ? 200 : 503).send(cluster.hasSynced ? 'ok\n' : 'not ready yet\n'))

  app.get<CaptureParams>('/packet-capture/download/:ns/:name/files.zip', (request, reply) =>
    withAuthorization(parts, request, reply, { verb: 'get', subresource: 'files' }, access => sendZip(parts, access, request, reply)),
  )
  app.delete<CaptureParams>('/packet-capture/files/:ns/:name/files.zip', (request, reply) =>
    withAuthorization(parts, request, reply, { verb: 'delete', subresource: 'files' }, access => clean(parts, access, request, reply)),
  )
  app.get<CaptureParams>('/v1/namespaces/:ns/:kind/:name/files', (request, reply) =>
    withAuthorization(parts, request, reply, { verb: 'get', subresource: 'files' }, async ({ capture }) => {
      const { entries, nodes } = await list(parts, capture)
      return reply.send({ files: entries.map(({ node, file, bytes, isActive }) => ({ node, file, bytes, active: isActive })), nodes })
    }),
  )
  app.get<CaptureParams>('/v1/namespaces/:ns/:kind/:name/files/:node/:file', (request, reply) =>
    withAuthorization(parts, request, reply, { verb: 'get', subresource: 'files' }, access => sendFile(parts, access, request, reply)),
  )
  app.get<CaptureParams>('/v1/namespaces/:ns/:kind/:name/stream', (request, reply) =>
    withAuthorization(parts, request, reply, { verb: 'get', subresource: 'stream' }, access => sendStream(parts, access, request, reply)),
  )
  return app
}

async function withAuthorization(
  { reviews, group, cluster, gate, figures, clock, log }: GatewayDeps,
  request: FastifyRequest<CaptureParams>,
  reply: FastifyReply,
  right: Pick<WantedRight, 'verb' | 'subresource'>,
  go: (access: AuthorizedRequest) => Promise<FastifyReply>,
): Promise<FastifyReply> {
  const { ns, kind = 'packetcaptures', name } = request.params
  const api = apiCalled(kind)
  if (api === undefined) return reply.code(404).send('Not found\n')
  const namespace = api === 'PacketCaptureConfig' ? '' : ns
  const user = await userOf(request, reviews)
  if (!user) {
    figures.refused('Unauthorized')
    return sendUnauthorized(reply)
  }
  const told = { user: user.username, from: request.ip, method: request.method, namespace, name }
  const entry = gate.admit(user.username, clock.now())
  if (!('leave' in entry)) {
    figures.refused(entry.reason)
    log.info({ ...told, result: 429, reason: entry.reason }, 'refused')
    const text = `Too many requests of user "${user.username}": try again in ${entry.waitSeconds} s\n`
    return reply.code(429).header('retry-after', entry.waitSeconds).send(text)
  }
  if (reply.raw.destroyed) entry.leave()
  reply.raw.once('close', entry.leave)
  const refusal = await forbiddenMessage(user, { ...right, ...resourceOf(api, group), namespace, name }, reviews)
  if (refusal !== undefined) {
    figures.refused('Forbidden')
    log.info({ ...told, result: 403 }, 'refused')
    return reply.code(403).send(refusal)
  }
  const capture = cluster.capture(namespace, name, api)
  if (!capture) return refuse(reply, 404, `Cannot find a capture "${name}" in the namespace "${namespace}"`)
  return go({ user, capture })
}

async function clean(
  parts: GatewayDeps,
  { user, capture }: AuthorizedRequest,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const holdings = parts.cluster.nodesWithFiles(capture)
  const capturing = holdings
    .filter(({ row }) => row.file.state === 'Capturing' || row.file.state === 'WaitingForTraffic')
    .map(({ node }) => node)
  const stillCapturing = (nodes: readonly string[]) =>
    refuse(
      reply,
      409,
      `Cannot clean files while they are captured: on ${nodes.join(', ')}. Set endTime to now first: kubectl pcap stop ${capture.metadata.name} -n ${capture.metadata.namespace}`,
    )
  if (capturing.length > 0) return stillCapturing(capturing)
  const results = await Promise.all(holdings.map(holding => cleanNode(parts, capture, holding)))
  const failed = results.flatMap(({ error }) => error ?? [])
  audit(parts, { user, capture, from: request.ip, what: 'clean', bytes: 0, result: failed.length > 0 ? 'in part' : 'done' })
  const busy = results.filter(({ isCapturing }) => isCapturing).map(({ node }) => node)
  if (busy.length > 0) return stillCapturing(busy)
  return failed.length > 0 ? refuse(reply, 502, `Cannot clean all files: ${failed.join('; ')}`) : reply.code(204).send()
}
