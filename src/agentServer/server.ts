// The agent's side of getting at files: HTTPS for the gateway and nobody else. Every request shows a service-account token made
// for this audience; the API server says whose it is. Captures are named with their uid, files by the names the agent itself
// lists: no word of a request ever becomes a path.
//   GET    /v1/captures/{ns}/{name}/{uid}/files              what there is
//   GET    /v1/captures/{ns}/{name}/{uid}/files/{file}       one file, or a range of it; HEAD too
//   DELETE /v1/captures/{ns}/{name}/{uid}/files              all that nobody writes to
import type { AddressInfo } from 'node:net'
import { finished } from 'node:stream'
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { Certificate } from '../access/certificate.ts'
import type { Reviews } from '../access/reviews.ts'
import type { CaptureFolder } from '../files/captureFolder.ts'
import type { Logger } from '../log.ts'
import { type HeldFile, OpenedFile } from './files.ts'
import { rangeOf } from './range.ts'

export const audience = 'selcap-agent'

export type AgentServerParts = {
  readonly certificate: Certificate
  readonly reviews: Reviews
  readonly gateway: string // the one user who may ask: system:serviceaccount:…
  readonly folderOf: (key: string, uid: string) => CaptureFolder | undefined
  readonly log: Logger
}

export type Listing = { readonly files: readonly HeldFile[] }

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

type Named = { readonly Params: { readonly ns: string; readonly name: string; readonly uid: string; readonly file: string } }

const digestsMax = 1_000

export function agentServer({ certificate, reviews, gateway, folderOf, log }: AgentServerParts): FastifyInstance {
  const app = fastify({ https: { key: certificate.key, cert: certificate.cert }, routerOptions: { maxParamLength: 300 }, bodyLimit: 1_024 })
  const digests = new Map<string, Promise<string>>() // by etag: of bytes that never change
  const folder = ({ params: { ns, name, uid } }: FastifyRequest<Named>) => folderOf(`${ns}/${name}`, uid)

  app.addHook('onRequest', async (request, reply) => {
    const [, token] = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '') ?? []
    if (token === undefined) return reply.code(401).send('Cannot answer: expected a bearer token\n')
    const user = await reviews.userOf(token, [audience])
    if (user?.username === gateway) return
    log.warn({ from: request.ip, user: user?.username ?? 'nobody', url: request.url }, 'refused to hand over files')
    return reply.code(user ? 403 : 401).send(`Cannot answer: the token is not that of ${gateway} for the audience ${audience}\n`)
  })
  app.setErrorHandler(async (error: Error, request, reply) => {
    log.error({ error: error.message, url: request.url }, 'request failed')
    return reply.code(500).send('Cannot answer: the agent failed, its log says why\n')
  })

  app.get<Named>('/v1/captures/:ns/:name/:uid/files', async (request, reply): Promise<Listing> => {
    const found = folder(request)
    return found ? { files: found.files() } : reply.code(404).send('Cannot find the capture here\n')
  })
  app.delete<Named>('/v1/captures/:ns/:name/:uid/files', async (request, reply) => {
    folder(request)?.clean()
    return reply.code(204).send()
  })
  app.get<Named>('/v1/captures/:ns/:name/:uid/files/:file', async (request, reply) => {
    const found = folder(request)
    const file = found?.files().find(({ name }) => name === request.params.file)
    const opened = found && file && (await OpenedFile.open(found.directory, file))
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

async function send(
  file: OpenedFile,
  request: FastifyRequest,
  reply: FastifyReply,
  digests: Map<string, Promise<string>>,
): Promise<FastifyReply> {
  const { range: asked, 'if-range': condition } = request.headers
  const version = (typeof condition === 'string' && file.asOf(condition)) || { bytes: file.bytes, etag: file.etag }
  const isSame = condition === undefined || condition === version.etag
  const range = isSame ? rangeOf(asked, version.bytes) : 'whole'
  if (digests.size > digestsMax) digests.clear()
  const digest = digests.get(version.etag) ?? file.digest(version.bytes)
  digests.set(version.etag, digest)
  digest.catch(() => digests.delete(version.etag))
  reply.headers({
    'accept-ranges': 'bytes',
    'content-type': 'application/vnd.tcpdump.pcap',
    etag: version.etag,
    'repr-digest': `sha-256=:${await digest}:`,
  })
  if (range === 'none') {
    await file[Symbol.asyncDispose]()
    return reply.code(416).header('content-range', `bytes */${version.bytes}`).send()
  }
  const { start, end } = range === 'whole' ? { start: 0, end: version.bytes } : range
  if (range !== 'whole') reply.code(206).header('content-range', `bytes ${start}-${end - 1}/${version.bytes}`)
  reply.header('content-length', end - start)
  if (request.method === 'HEAD') {
    await file[Symbol.asyncDispose]()
    return reply.send()
  }
  const stream = file.read(start, end)
  finished(stream, () => void file[Symbol.asyncDispose]())
  return reply.send(stream)
}
