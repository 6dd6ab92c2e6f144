// The agent's side of getting at files: HTTPS for the gateway and for the controller, which uploads, and nobody else. Every
// request shows a service-account token made for this very node, so that one node's agent can do nothing with it at another's; the
// API server says whose it is. Captures are named with their uid, files by the names the agent itself lists: no word of a request
// ever becomes a path.
//   GET    /v1/captures/{ns}/{name}/{uid}/files              what there is
//   GET    /v1/captures/{ns}/{name}/{uid}/files/{file}       one file, or a range of it; HEAD too
//   DELETE /v1/captures/{ns}/{name}/{uid}/files              all, unless one is being written to (409)
//   DELETE /v1/captures/{ns}/{name}/{uid}/files/{file}       what was made of them, if it has that tag still (412)
//   GET    /v1/captures/{ns}/{name}/{uid}/stream             what comes from now on, as pcapng
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { agentAudience, type Reviews } from '../../auth/reviews.ts'
import type { Certificate } from '../../auth/selfSignedCertificate.ts'
import type { CaptureFolder } from '../../files/captureFolder.ts'
import { StreamError } from '../../model/errors.ts'
import { retrySeconds } from '../../runtime/http.ts'
import type { Logger } from '../../runtime/log.ts'
import type { NodeStream } from '../../stream/nodeStream.ts'
import { type ArtifactDeps, health, serveArtifacts } from './artifacts.ts'
import { type CaptureFile, captureFiles, OpenedFile, removeArtifactFile } from './captureFiles.ts'
import { Digests } from './digests.ts'
import { rangeOf } from './range.ts'
import { sendSteadily } from './sendFile.ts'

export type AgentServerDeps = ArtifactDeps & {
  readonly certificate: Certificate
  readonly reviews: Reviews
  readonly users: readonly string[] // who may ask: system:serviceaccount:…
  readonly folderOf: (key: string, uid: string) => CaptureFolder | undefined
  readonly onRemoved: () => void
  /** Refuses with StreamError. */
  readonly openStream: (key: string, uid: string) => NodeStream
  readonly limits: AgentLimits
  readonly log: Logger
}

/** Whoever reaches the node's address may connect: what that costs the agent, whose work is to capture, has a bound. */
export type AgentLimits = { readonly connectionsMax: number; readonly atOnce: number; readonly stallMs: number }
export const agentLimits: AgentLimits = Object.freeze({ connectionsMax: 320, atOnce: 256, stallMs: 600_000 })

export type Listing = { readonly files: readonly CaptureFile[] }

/** Listens on all addresses. undefined: it cannot, which is no reason not to capture. */
export async function listen(server: FastifyInstance, port: number, log: Logger): Promise<number | undefined> {
  for (const host of ['::', '0.0.0.0']) {
    try {
      await server.listen({ host, port })
      return (server.server.address() as AddressInfo).port
    } catch (error) {
      if (host === '::' && (error as NodeJS.ErrnoException).code === 'EAFNOSUPPORT') continue
      log.error({ port, error: (error as Error).message }, 'files cannot be had from this node: the port cannot be listened on')
      return undefined
    }
  }
  return undefined
}

type CaptureParams = { readonly Params: { readonly ns: string; readonly name: string; readonly uid: string; readonly file: string } }

const serverTimeouts = { handshakeTimeout: 10_000, headersTimeout: 10_000, connectionsCheckingInterval: 5_000 }

export function agentServer(parts: AgentServerDeps): FastifyInstance {
  const { node, certificate, reviews, users, folderOf, onRemoved, openStream, limits, log } = parts
  const app = fastify({
    https: { key: certificate.key, cert: certificate.cert, ...serverTimeouts },
    routerOptions: { maxParamLength: 300 },
    bodyLimit: 1_024,
    requestTimeout: 30_000,
    connectionTimeout: limits.stallMs,
  })
  app.server.maxConnections = limits.connectionsMax
  const digests = new Digests()
  const audience = agentAudience(node)
  let open = 0 // requests that are being answered

  app.addHook('onRequest', async (request, reply) => {
    if (request.url === health) return
    const [, token] = /^Bearer (\S{1,16384})$/.exec(request.headers.authorization ?? '') ?? []
    if (token === undefined) return reply.code(401).send('Cannot answer: expected a bearer token\n')
    const user = await reviews.userOf(token, [audience])
    if (!user || !users.includes(user.username)) {
      log.warn({ from: request.ip, user: user?.username ?? 'nobody', url: request.url }, 'refused to hand over files')
      return reply
        .code(user ? 403 : 401)
        .send(`Cannot answer: the token is not that of ${users.join(' or ')} for the audience ${audience}\n`)
    }
    if (open >= limits.atOnce) return reply.code(503).header('retry-after', retrySeconds).send('Cannot answer: too many requests at once\n')
    open++
    reply.raw.once('close', () => open--)
  })
  app.setErrorHandler(async (error: Error & { statusCode?: number }, request, reply) => {
    if ((error.statusCode ?? 500) < 500) return reply.code(error.statusCode ?? 400).send(`${error.message}\n`)
    log.error({ error: error.message, url: request.url }, 'request failed')
    return reply.code(error.statusCode ?? 500).send('Cannot answer: the agent failed, its log says why\n')
  })
  app.setNotFoundHandler((_, reply) => reply.code(404).send('Not found\n'))

  serveArtifacts(app, parts)
  const folder = ({ params: { ns, name, uid } }: FastifyRequest<CaptureParams>) => folderOf(`${ns}/${name}`, uid)
  app.get<CaptureParams>('/v1/captures/:ns/:name/:uid/files', async (request, reply): Promise<Listing> => {
    const found = folder(request)
    return found ? { files: captureFiles(found) } : reply.code(404).send('Cannot find the capture here\n')
  })
  app.delete<CaptureParams>('/v1/captures/:ns/:name/:uid/files', async (request, reply) => {
    const found = folder(request)
    if (found?.files().some(({ isActive }) => isActive)) return reply.code(409).send('Cannot remove files: one is being written to\n')
    found?.clean()
    onRemoved()
    return reply.code(204).send()
  })
  app.delete<CaptureParams>('/v1/captures/:ns/:name/:uid/files/:file', async (request, reply) => {
    const found = folder(request)
    const isGone = found && removeArtifactFile(found, request.params.file, request.headers['if-match'])
    if (isGone) onRemoved()
    return isGone ? reply.code(204).send() : reply.code(412).send('Cannot remove that file: nothing of that name and tag was made here\n')
  })
  app.get<CaptureParams>('/v1/captures/:ns/:name/:uid/stream', async (request, reply) => {
    const { ns, name, uid } = request.params
    try {
      const { stream } = openStream(`${ns}/${name}`, uid)
      request.raw.socket.setTimeout(0) // nothing may come for hours
      return reply.type('application/x-pcapng').send(stream)
    } catch (error) {
      if (!(error instanceof StreamError)) throw error
      return reply.code(error.reason === 'TooMany' ? 429 : 409).send(`${error.message}\n`)
    }
  })
  app.get<CaptureParams>('/v1/captures/:ns/:name/:uid/files/:file', async (request, reply) => {
    const { 'if-match': match, 'if-range': ifRange } = request.headers
    const tag = match ?? (typeof ifRange === 'string' ? ifRange : undefined)
    const found = folder(request)
    const opened = found && (await OpenedFile.find(found, request.params.file, tag))
    if (!opened) return reply.code(404).send('Cannot find the file here\n')
    try {
      return await send(opened, request, reply, digests)
    } catch (error) {
      await opened[Symbol.asyncDispose]()
      throw error
    }
  })
  return app
}

async function send(file: OpenedFile, request: FastifyRequest, reply: FastifyReply, digests: Digests): Promise<FastifyReply> {
  const { range: asked, 'if-range': ifRange, 'if-match': match, 'want-repr-digest': wanted } = request.headers
  const condition = match ?? (typeof ifRange === 'string' ? ifRange : undefined)
  const version = condition === undefined ? file : file.asOf(condition)
  if (!version && match !== undefined) {
    await file[Symbol.asyncDispose]()
    return reply.code(412).send('Cannot find that file here: another one has its name now\n')
  }
  const { bytes, etag } = version ?? file
  const range = version ? rangeOf(asked, bytes) : 'whole'
  reply.headers({ 'accept-ranges': 'bytes', 'content-type': 'application/vnd.tcpdump.pcap', etag })
  if (typeof wanted === 'string' && /^sha-256=/.test(wanted))
    reply.header('repr-digest', `sha-256=:${await digests.of(file, { bytes, etag })}:`)
  if (range === 'none') {
    await file[Symbol.asyncDispose]()
    return reply.code(416).header('content-range', `bytes */${bytes}`).send()
  }
  const { start, end } = range === 'whole' ? { start: 0, end: bytes } : range
  if (range !== 'whole') reply.code(206).header('content-range', `bytes ${start}-${end - 1}/${bytes}`)
  reply.header('content-length', end - start)
  if (request.method === 'HEAD' || reply.raw.destroyed) {
    await file[Symbol.asyncDispose]()
    return reply.send(Readable.from([])) // nothing at all would be told as a length of 0
  }
  await sendSteadily(file, { start, end }, reply)
  return reply
}
