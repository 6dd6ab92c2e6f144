// The gateway's HTTPS side: hands capture files to those who may have them. Every request: token → user → limit → right → deed,
// and a line in the log of who had what. Knows no file: agents do.
import { PassThrough, pipeline, Readable } from 'node:stream'
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest, type FastifyServerOptions } from 'fastify'
import { retrySeconds } from '../access/http.ts'
import { BusyError, type Reviews, type User } from '../access/reviews.ts'
import type { Clock } from '../clock.ts'
import type { Logger } from '../log.ts'
import { refusalOf, sendUnauthorized, userOf, type Wanted } from './access.ts'
import type { Agents } from './agents.ts'
import { audit } from './audit.ts'
import type { Capture, GatewayCluster } from './cluster.ts'
import type { Tell } from './events.ts'
import type { Gate } from './gate.ts'
import { cleanNode, list, pathOf } from './listing.ts'
import { openStream } from './stream.ts'
import type { Sweeper } from './sweeper.ts'
import { zipOf } from './zip.ts'

export type GatewayParts = {
  readonly cluster: GatewayCluster
  readonly agents: Agents
  readonly reviews: Reviews
  readonly gate: Gate
  readonly sweeper: Sweeper
  readonly group: string
  readonly clock: Clock
  readonly log: Logger
  /** Who had what, for an Event on the capture. */
  readonly tell: Tell
}

type Named = { readonly Params: { readonly ns: string; readonly name: string; readonly node: string; readonly file: string } }
/** A request whose user has the right, and the capture it is about. */
type Granted = { readonly user: User; readonly capture: Capture }

// Whoever reaches the port may connect: what that costs has a bound, and so has how long one may hold a download up.
const connectionsMax = 1_000
const stallMs = 300_000
const patience = { handshakeTimeout: 10_000, headersTimeout: 10_000, connectionsCheckingInterval: 5_000 }
const passedOn = ['accept-ranges', 'content-length', 'content-range', 'content-type', 'etag', 'repr-digest'] as const

export function gatewayServer(parts: GatewayParts, keyPair: object): FastifyInstance {
  const { cluster, log } = parts
  const https = { ...patience, ...keyPair }
  const options = { https, routerOptions: { maxParamLength: 300 }, bodyLimit: 1_024, requestTimeout: 30_000, return503OnClosing: true }
  const app = fastify(options as FastifyServerOptions) as FastifyInstance
  app.server.maxConnections = connectionsMax
  app.setErrorHandler(async (error: Error & { statusCode?: number }, request, reply) => {
    if ((error.statusCode ?? 500) < 500) return reply.code(error.statusCode ?? 400).send(`${error.message}\n`)
    log.error({ error: error.message, url: request.url }, 'request failed')
    if (error.statusCode === 503)
      return reply.code(503).header('retry-after', retrySeconds).send('Cannot answer now: too much is asked at once, try again soon\n')
    return reply.code(502).send('Cannot answer: the cluster did not, the log of the gateway says why\n')
  })
  app.setNotFoundHandler((_, reply) => reply.code(404).send('Not found\n'))
  app.get('/healthz', async () => 'ok\n')
  app.get('/readyz', async (_, reply) => reply.code(cluster.isListed ? 200 : 503).send(cluster.isListed ? 'ok\n' : 'not ready yet\n'))

  app.get<Named>('/packet-capture/download/:ns/:name/files.zip', (request, reply) =>
    granted(parts, request, reply, { verb: 'get', subresource: 'files' }, access => sendZip(parts, access, request, reply)),
  )
  app.delete<Named>('/packet-capture/files/:ns/:name/files.zip', (request, reply) =>
    granted(parts, request, reply, { verb: 'delete', subresource: 'files' }, access => clean(parts, access, request, reply)),
  )
  app.get<Named>('/v1/namespaces/:ns/packetcaptures/:name/files', (request, reply) =>
    granted(parts, request, reply, { verb: 'get', subresource: 'files' }, async ({ capture }) => {
      const { entries, nodes } = await list(parts, capture)
      return reply.send({ files: entries.map(({ node, file, bytes, isActive }) => ({ node, file, bytes, active: isActive })), nodes })
    }),
  )
  app.get<Named>('/v1/namespaces/:ns/packetcaptures/:name/files/:node/:file', (request, reply) =>
    granted(parts, request, reply, { verb: 'get', subresource: 'files' }, access => sendFile(parts, access, request, reply)),
  )
  app.get<Named>('/v1/namespaces/:ns/packetcaptures/:name/stream', (request, reply) =>
    granted(parts, request, reply, { verb: 'get', subresource: 'stream' }, access => sendStream(parts, access, request, reply)),
  )
  return app
}

async function granted(
  { reviews, group, cluster, gate, clock, log }: GatewayParts,
  request: FastifyRequest<Named>,
  reply: FastifyReply,
  right: Pick<Wanted, 'verb' | 'subresource'>,
  go: (access: Granted) => Promise<FastifyReply>,
): Promise<FastifyReply> {
  const { ns: namespace, name } = request.params
  const user = await userOf(request, reviews)
  if (!user) return sendUnauthorized(reply)
  const told = { user: user.username, from: request.ip, method: request.method, namespace, name }
  const entry = gate.enter(user.username, clock.now())
  if (!('leave' in entry)) {
    log.info({ ...told, result: 429 }, 'refused')
    const text = `Too many requests of user "${user.username}": try again in ${entry.waitSeconds} s\n`
    return reply.code(429).header('retry-after', entry.waitSeconds).send(text)
  }
  if (reply.raw.destroyed) entry.leave()
  reply.raw.once('close', entry.leave)
  const refusal = await refusalOf(user, { ...right, namespace, name }, group, reviews)
  if (refusal !== undefined) {
    log.info({ ...told, result: 403 }, 'refused')
    return reply.code(403).send(refusal)
  }
  const capture = cluster.capture(namespace, name)
  if (!capture) return reply.code(404).send(`Cannot find a capture "${name}" in the namespace "${namespace}"\n`)
  return go({ user, capture })
}

async function sendZip(
  parts: GatewayParts,
  { user, capture }: Granted,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { namespace, name, uid } = capture.metadata
  const { entries, nodes } = await list(parts, capture)
  if (request.method === 'HEAD') return reply.type('application/zip').send(Readable.from([]))
  const { stream, missing } = zipOf(entries, { namespace, name, uid }, nodes)
  reply.hijack()
  const { raw } = reply
  raw.setTimeout(stallMs, () => raw.destroy())
  raw.writeHead(200, {
    'content-type': 'application/zip',
    'content-disposition': `attachment; filename="${namespace}-${name}-files.zip"`,
    trailer: 'X-Selcap-Missing',
  })
  let bytes = 0
  stream.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    parts.sweeper.passed(chunk.length)
  })
  missing.then(found => raw.headersSent && !raw.destroyed && raw.addTrailers({ 'X-Selcap-Missing': found.join(', ') })).catch(() => {})
  pipeline(stream, raw, error => {
    audit(parts, { user, capture, from: request.ip, what: 'files.zip', bytes, result: error ? 'broken off' : 'done' })
  })
  return reply
}

async function sendFile(parts: GatewayParts, access: Granted, request: FastifyRequest<Named>, reply: FastifyReply): Promise<FastifyReply> {
  const { user, capture } = access
  const { node, file } = request.params
  const holding = parts.cluster.holdings(capture).find(each => each.node === node)
  if (!holding) return reply.code(404).send(`Cannot find files of this capture on a node "${node}"\n`)
  const asked = ['range', 'if-range', 'if-match'].flatMap(name => (request.headers[name] ? [[name, String(request.headers[name])]] : []))
  const headers = { ...Object.fromEntries(asked), 'want-repr-digest': 'sha-256=10' }
  const gone = new AbortController()
  reply.raw.once('close', () => gone.abort())
  if (reply.raw.destroyed) gone.abort()
  const path = `${pathOf(capture)}/${encodeURIComponent(file)}`
  const answer = await parts.agents.ask(holding.place, { method: request.method, path, headers, signal: gone.signal })
  const { statusCode = 502 } = answer
  if (![200, 206, 416].includes(statusCode)) {
    answer.resume()
    if (statusCode === 412) return reply.code(412).send(`Cannot find that version of "${file}" on the node "${node}"\n`)
    if (statusCode === 503) throw new BusyError(`the agent on ${node} is busy`)
    if (statusCode === 404) return reply.code(404).send(`Cannot find a file "${file}" of this capture on the node "${node}"\n`)
    throw new Error(`the agent on ${node} answered ${statusCode}`)
  }
  for (const name of passedOn) if (answer.headers[name] !== undefined) reply.header(name, answer.headers[name])
  reply.code(statusCode)
  if (request.method === 'HEAD') {
    answer.resume()
    return reply.send(Readable.from([])) // nothing at all would be told as a length of 0
  }
  let bytes = 0
  answer.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    parts.sweeper.passed(chunk.length)
  })
  answer.pause()
  reply.raw.setTimeout(stallMs, () => reply.raw.destroy())
  reply.raw.once('close', () => {
    answer.destroy()
    audit(parts, {
      user,
      capture,
      from: request.ip,
      what: `${node}/${file}`,
      bytes,
      result: reply.raw.writableFinished ? 'done' : 'broken off',
    })
  })
  return reply.send(answer as Readable)
}

async function sendStream(
  parts: GatewayParts,
  { user, capture }: Granted,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  if (request.method === 'HEAD') return reply.type('application/x-pcapng').send()
  const stream = openStream(parts, capture)
  if (!stream) return reply.code(409).send('Cannot stream a capture that is over on every node\n')
  let bytes = 0
  reply.hijack()
  reply.raw.writeHead(200, { 'content-type': 'application/x-pcapng', 'cache-control': 'no-store' })
  reply.raw.flushHeaders()
  request.raw.socket.setKeepAlive(true, 30_000) // nothing may come for hours
  const meter = new PassThrough()
  meter.on('data', (chunk: Buffer) => {
    bytes += chunk.length
  })
  pipeline(stream, meter, reply.raw, error => {
    audit(parts, { user, capture, from: request.ip, what: 'stream', bytes, result: error ? 'ended by its reader' : 'done' })
  })
  return reply
}

async function clean(parts: GatewayParts, { user, capture }: Granted, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const holdings = parts.cluster.holdings(capture)
  const capturing = holdings
    .filter(({ row }) => row.file.state === 'Capturing' || row.file.state === 'WaitingForTraffic')
    .map(({ node }) => node)
  const stillCapturing = (nodes: readonly string[]) =>
    reply
      .code(409)
      .send(
        `Cannot clean files while they are captured: on ${nodes.join(', ')}. Set endTime to now first: kubectl capture stop ${capture.metadata.name} -n ${capture.metadata.namespace}\n`,
      )
  if (capturing.length > 0) return stillCapturing(capturing)
  const results = await Promise.all(holdings.map(holding => cleanNode(parts, capture, holding)))
  const failed = results.flatMap(({ error }) => error ?? [])
  audit(parts, { user, capture, from: request.ip, what: 'clean', bytes: 0, result: failed.length > 0 ? 'in part' : 'done' })
  const busy = results.filter(({ isCapturing }) => isCapturing).map(({ node }) => node)
  if (busy.length > 0) return stillCapturing(busy)
  return failed.length > 0 ? reply.code(502).send(`Cannot clean all files: ${failed.join('; ')}\n`) : reply.code(204).send()
}
