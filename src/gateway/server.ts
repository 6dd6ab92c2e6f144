// The gateway's HTTPS side: hands capture files to those who may have them. Every request: token → user → right → limit → deed,
// and a line in the log of who had what. Knows no file: agents do.
import { pipeline, type Readable } from 'node:stream'
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest, type FastifyServerOptions } from 'fastify'
import type { Reviews, User } from '../access/reviews.ts'
import type { Clock } from '../clock.ts'
import type { Logger } from '../log.ts'
import { refusalOf, sendUnauthorized, userOf, type Wanted } from './access.ts'
import type { Agents } from './agents.ts'
import type { Capture, GatewayCluster } from './cluster.ts'
import type { Gate } from './gate.ts'
import { cleanNode, list, pathOf } from './listing.ts'
import { zipOf } from './zip.ts'

export type GatewayParts = {
  readonly cluster: GatewayCluster
  readonly agents: Agents
  readonly reviews: Reviews
  readonly gate: Gate
  readonly group: string
  readonly clock: Clock
  readonly log: Logger
  /** Who had what, for an Event on the capture. */
  readonly tell: (capture: Capture, reason: string, message: string) => void
}

type Named = { readonly Params: { readonly ns: string; readonly name: string; readonly node: string; readonly file: string } }
/** A request whose user has the right, and the capture it is about. */
type Granted = { readonly user: User; readonly capture: Capture; readonly leave: () => void }

const passedOn = ['accept-ranges', 'content-length', 'content-range', 'content-type', 'etag', 'repr-digest'] as const

export function gatewayServer(parts: GatewayParts, https: object | null): FastifyInstance {
  const { cluster, log } = parts
  const options = { https, routerOptions: { maxParamLength: 300 }, bodyLimit: 1_024, requestTimeout: 30_000, return503OnClosing: true }
  const app = fastify(options as FastifyServerOptions) as FastifyInstance
  app.setErrorHandler(async (error: Error & { statusCode?: number }, request, reply) => {
    if ((error.statusCode ?? 500) < 500) return reply.code(error.statusCode ?? 400).send(`${error.message}\n`)
    log.error({ error: error.message, url: request.url }, 'request failed')
    return reply.code(502).send('Cannot answer: the cluster did not, the log of the gateway says why\n')
  })
  app.setNotFoundHandler((_, reply) => reply.code(404).send('Not found\n'))
  app.get('/healthz', async () => 'ok\n')
  app.get('/readyz', async (_, reply) => reply.code(cluster.isListed ? 200 : 503).send(cluster.isListed ? 'ok\n' : 'not ready yet\n'))

  app.get<Named>('/packet-capture/download/:ns/:name/files.zip', (request, reply) =>
    granted(parts, request, reply, { verb: 'get', subresource: 'files' }, access => sendZip(parts, access, request, reply)),
  )
  app.delete<Named>('/packet-capture/files/:ns/:name/files.zip', (request, reply) =>
    granted(parts, request, reply, { verb: 'delete', subresource: 'files' }, access => clean(parts, access, reply)),
  )
  app.get<Named>('/v1/namespaces/:ns/packetcaptures/:name/files', (request, reply) =>
    granted(parts, request, reply, { verb: 'get', subresource: 'files' }, async ({ capture, leave }) => {
      const { entries, nodes } = await list(parts, capture)
      leave()
      return reply.send({ files: entries.map(({ node, file, bytes, isActive }) => ({ node, file, bytes, active: isActive })), nodes })
    }),
  )
  app.get<Named>('/v1/namespaces/:ns/packetcaptures/:name/files/:node/:file', (request, reply) =>
    granted(parts, request, reply, { verb: 'get', subresource: 'files' }, access => sendFile(parts, access, request, reply)),
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
  const refusal = await refusalOf(user, { ...right, namespace, name }, group, reviews)
  if (refusal !== undefined) {
    log.info({ user: user.username, from: request.ip, method: request.method, namespace, name, result: 403 }, 'refused')
    return reply.code(403).send(refusal)
  }
  const capture = cluster.capture(namespace, name)
  if (!capture) return reply.code(404).send(`Cannot find a capture "${name}" in the namespace "${namespace}"\n`)
  const entry = gate.enter(user.username, clock.now())
  if (!('leave' in entry))
    return reply
      .code(429)
      .header('retry-after', entry.waitSeconds)
      .send(`Too many requests of user "${user.username}": try again in ${entry.waitSeconds} s\n`)
  reply.raw.once('close', entry.leave)
  return go({ user, capture, leave: entry.leave })
}

async function sendZip(
  parts: GatewayParts,
  { user, capture, leave }: Granted,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { namespace, name, uid } = capture.metadata
  const { entries, nodes } = await list(parts, capture)
  if (request.method === 'HEAD') return reply.type('application/zip').send()
  const { stream, missing } = zipOf(entries, { namespace, name, uid }, nodes)
  reply.hijack()
  const { raw } = reply
  raw.writeHead(200, {
    'content-type': 'application/zip',
    'content-disposition': `attachment; filename="${namespace}-${name}-files.zip"`,
    trailer: 'X-Selcap-Missing',
  })
  let bytes = 0
  stream.on('data', (chunk: Buffer) => {
    bytes += chunk.length
  })
  missing.then(found => raw.headersSent && !raw.destroyed && raw.addTrailers({ 'X-Selcap-Missing': found.join(', ') })).catch(() => {})
  pipeline(stream, raw, error => {
    leave()
    audit(parts, { user, capture, from: request.ip, what: 'files.zip', bytes, result: error ? 'broken off' : 'done' })
  })
  return reply
}

async function sendFile(parts: GatewayParts, access: Granted, request: FastifyRequest<Named>, reply: FastifyReply): Promise<FastifyReply> {
  const { user, capture, leave } = access
  const { node, file } = request.params
  const holding = parts.cluster.holdings(capture).find(each => each.node === node)
  if (!holding) return reply.code(404).send(`Cannot find files of this capture on a node "${node}"\n`)
  const headers = Object.fromEntries(
    ['range', 'if-range'].flatMap(name => (request.headers[name] ? [[name, String(request.headers[name])]] : [])),
  )
  const gone = new AbortController()
  request.raw.once('close', () => reply.raw.writableFinished || gone.abort())
  const path = `${pathOf(capture)}/${encodeURIComponent(file)}`
  const answer = await parts.agents.ask(holding.place, { method: request.method, path, headers, signal: gone.signal })
  const { statusCode = 502 } = answer
  if (![200, 206, 416].includes(statusCode)) {
    answer.resume()
    if (statusCode === 404) return reply.code(404).send(`Cannot find a file "${file}" of this capture on the node "${node}"\n`)
    throw new Error(`the agent on ${node} answered ${statusCode}`)
  }
  for (const name of passedOn) if (answer.headers[name] !== undefined) reply.header(name, answer.headers[name])
  reply.code(statusCode)
  if (request.method === 'HEAD') {
    answer.resume()
    return reply.send()
  }
  let bytes = 0
  answer.on('data', (chunk: Buffer) => {
    bytes += chunk.length
  })
  answer.pause()
  reply.raw.once('close', () => {
    leave()
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

async function clean(parts: GatewayParts, { user, capture, leave }: Granted, reply: FastifyReply): Promise<FastifyReply> {
  const holdings = parts.cluster.holdings(capture)
  const capturing = holdings
    .filter(({ row }) => row.file.state === 'Capturing' || row.file.state === 'WaitingForTraffic')
    .map(({ node }) => node)
  if (capturing.length > 0) {
    leave()
    return reply.code(409).send(`Cannot clean files while they are captured: on ${capturing.join(', ')}. Set endTime to now first\n`)
  }
  const results = await Promise.all(holdings.map(holding => cleanNode(parts, capture, holding)))
  leave()
  const failed = results.filter(result => result !== undefined)
  audit(parts, { user, capture, from: '', what: 'clean', bytes: 0, result: failed.length > 0 ? 'in part' : 'done' })
  return failed.length > 0 ? reply.code(502).send(`Cannot clean all files: ${failed.join('; ')}\n`) : reply.code(204).send()
}

type Had = {
  readonly user: User
  readonly capture: Capture
  readonly from: string
  readonly what: string
  readonly bytes: number
  readonly result: string
}

function audit({ log, tell }: GatewayParts, { user, capture, from, what, bytes, result }: Had): void {
  const { namespace, name } = capture.metadata
  log.info({ user: user.username, from, namespace, name, what, bytes, result }, what === 'clean' ? 'files cleaned' : 'files handed over')
  const reason = what === 'clean' ? 'Cleaned' : 'Downloaded'
  tell(
    capture,
    reason,
    what === 'clean' ? `${user.username} removed the files (${result})` : `${user.username} had ${what}, ${bytes} bytes (${result})`,
  )
}
