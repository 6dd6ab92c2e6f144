// What leaves the gateway: one file, all of them as a zip, or a live stream. Whoever takes nothing for long is cut off, what left is
// counted, and told in the log and on the capture.
import { PassThrough, pipeline, Readable } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { filePath } from '../agentapi/paths.ts'
import { BusyError } from '../auth/reviews.ts'
import { ExpectedError } from '../model/errors.ts'
import { audit } from './audit.ts'
import { filesPathOf, list } from './fileIndex.ts'
import { refuse } from './refuse.ts'
import type { AuthorizedRequest, CaptureParams, GatewayDeps } from './server.ts'
import { openStream } from './stream.ts'
import { zipOf } from './zip.ts'

// By its name, which the agent does not choose here.
function typeOf(file: string): string {
  if (file.endsWith('.gz')) return 'application/gzip'
  return file.endsWith('.txt') ? 'text/plain' : 'application/vnd.tcpdump.pcap'
}

const passedOn = ['accept-ranges', 'content-length', 'content-range', 'etag', 'repr-digest'] as const

export async function sendZip(
  parts: GatewayDeps,
  { user, capture }: AuthorizedRequest,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { namespace, name, uid } = capture.metadata
  const { entries, nodes } = await list(parts, capture)
  if (request.method === 'HEAD') return reply.type('application/zip').send(Readable.from([]))
  const { stream, missing } = zipOf(entries, { namespace, name, uid }, nodes)
  reply.hijack()
  const { raw } = reply
  raw.setTimeout(parts.limits.stallMs, () => raw.destroy())
  raw.writeHead(200, {
    ...plain(reply),
    'content-type': 'application/zip',
    'content-disposition': `attachment; filename="${namespace}-${name}-files.zip"`,
    trailer: 'X-Selcap-Missing',
  })
  let bytes = 0
  stream.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    parts.sweeper.passed(chunk.length)
    parts.figures.countSent('zip', chunk.length)
  })
  missing.then(found => raw.headersSent && !raw.destroyed && raw.addTrailers({ 'X-Selcap-Missing': found.join(', ') })).catch(() => {})
  pipeline(stream, raw, error => {
    audit(parts, { user, capture, from: request.ip, what: 'files.zip', bytes, result: error ? 'broken off' : 'done' })
  })
  return reply
}

export async function sendFile(
  parts: GatewayDeps,
  access: AuthorizedRequest,
  request: FastifyRequest<CaptureParams>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { user, capture } = access
  const { node, file } = request.params
  const holding = parts.cluster.nodesWithFiles(capture).find(each => each.node === node)
  if (!holding) return refuse(reply, 404, `Cannot find files of this capture on a node "${node}"`)
  const asked = ['range', 'if-range', 'if-match'].flatMap(name => (request.headers[name] ? [[name, String(request.headers[name])]] : []))
  const headers = { ...Object.fromEntries(asked), 'want-repr-digest': 'sha-256=10' }
  const gone = new AbortController()
  reply.raw.once('close', () => gone.abort())
  if (reply.raw.destroyed) gone.abort()
  const path = filePath(filesPathOf(capture), file)
  const answer = await parts.agents.request(holding.place, { method: request.method, path, headers, signal: gone.signal })
  const { statusCode = 502 } = answer
  if (![200, 206, 416].includes(statusCode)) {
    answer.resume()
    if (statusCode === 412) return refuse(reply, 412, `Cannot find that version of "${file}" on the node "${node}"`)
    if (statusCode === 503) throw new BusyError(`the agent on ${node} is busy`)
    if (statusCode === 404) return refuse(reply, 404, `Cannot find a file "${file}" of this capture on the node "${node}"`)
    throw new ExpectedError(`the agent on ${node} answered ${statusCode}`)
  }
  for (const name of passedOn) if (answer.headers[name] !== undefined) reply.header(name, answer.headers[name])
  reply.code(statusCode).type(typeOf(file)) // whatever the agent calls it
  if (request.method === 'HEAD') {
    answer.resume()
    return reply.send(Readable.from([])) // nothing at all would be told as a length of 0
  }
  let bytes = 0
  answer.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    parts.sweeper.passed(chunk.length)
    parts.figures.countSent('file', chunk.length)
  })
  answer.pause()
  reply.raw.setTimeout(parts.limits.stallMs, () => reply.raw.destroy())
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

export async function sendStream(
  parts: GatewayDeps,
  { user, capture }: AuthorizedRequest,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  if (request.method === 'HEAD') return reply.type('application/x-pcapng').send()
  const live = openStream(parts, capture)
  if (!live) return refuse(reply, 409, 'Cannot stream a capture that is over on every node')
  let bytes = 0
  reply.hijack()
  reply.raw.writeHead(200, { ...plain(reply), 'content-type': 'application/x-pcapng' })
  reply.raw.flushHeaders()
  request.raw.socket.setKeepAlive(true, 30_000) // nothing may come for hours
  const meter = new PassThrough()
  meter.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    parts.figures.countSent('stream', chunk.length)
  })
  const ended = parts.figures.streaming(live)
  pipeline(live.stream, meter, reply.raw, error => {
    ended()
    audit(parts, { user, capture, from: request.ip, what: 'stream', bytes, result: error ? 'ended by its reader' : 'done' })
  })
  return reply
}

/** What every answer of this server says. */
function plain(reply: FastifyReply): Record<string, string> {
  return reply.getHeaders() as Record<string, string>
}
