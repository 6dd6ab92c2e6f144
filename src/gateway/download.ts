// Sends what a user may have: one file, all files as a zip, or the live stream. In: an authorized
// request. Out: the body, counted, and an audit entry at its end. Refuses a file or a version that
// no node has (404, 412) and a stream of a capture that is over (409). A reader that takes nothing
// for `stallMs` is disconnected.
import type { IncomingMessage } from 'node:http'
import { PassThrough, pipeline, Readable } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { filePath } from '../agentapi/paths.ts'
import { BusyError } from '../auth/reviews.ts'
import { ExpectedError } from '../model/errors.ts'
import { streamAlive } from '../model/wellKnown.ts'
import type { BufferGc } from '../runtime/bufferGc.ts'
import { type AuditDeps, audit } from './audit.ts'
import type { NodeFiles } from './captureCache.ts'
import { type FileIndexDeps, filesPathOf, indexFiles } from './fileIndex.ts'
import type { GatewayMetrics } from './metrics.ts'
import { refuse } from './refuse.ts'
import { openStream, type StreamDeps } from './stream.ts'
import type { AuthorizedRequest, CaptureParams } from './types.ts'
import { zipOf } from './zip.ts'

export type DownloadDeps = AuditDeps &
  FileIndexDeps & {
    readonly bufferGc: BufferGc
    readonly metrics: GatewayMetrics
    readonly limits: { readonly stallMs: number }
  }

const forwardedHeaders = [
  'accept-ranges',
  'content-length',
  'content-range',
  'etag',
  'repr-digest',
] as const

export async function sendZip(
  deps: DownloadDeps,
  access: AuthorizedRequest,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { namespace, name, uid } = access.capture.metadata
  const { entries, nodes } = await indexFiles(deps, access.capture)
  if (request.method === 'HEAD') return reply.type('application/zip').send(Readable.from([]))
  const { stream, missing } = zipOf(entries, { namespace, name, uid }, nodes)
  reply.hijack()
  const { raw } = reply
  raw.setTimeout(deps.limits.stallMs, () => raw.destroy())
  raw.writeHead(200, {
    ...commonHeaders(reply),
    'content-type': 'application/zip',
    'content-disposition': `attachment; filename="${namespace}-${name}-files.zip"`,
    trailer: 'X-Selcap-Missing',
  })
  const sent = countBytes(deps, 'zip', stream)
  missing
    .then(
      nodes =>
        raw.headersSent &&
        !raw.destroyed &&
        raw.addTrailers({ 'X-Selcap-Missing': nodes.join(', ') }),
    )
    .catch((error: Error) =>
      deps.log.warn({ namespace, name, error: error.message }, 'zip not made to its end'),
    )
  pipeline(stream, raw, error =>
    audit(deps, access, {
      what: 'files.zip',
      bytes: sent.bytes,
      result: error ? 'broken off' : 'done',
    }),
  )
  return reply
}

export async function sendFile(
  deps: DownloadDeps,
  access: AuthorizedRequest,
  request: FastifyRequest<CaptureParams>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { node, file } = request.params
  const holder = deps.cluster.nodesWithFiles(access.capture).find(each => each.node === node)
  if (!holder) return refuse(reply, 404, `Cannot find files of this capture on a node "${node}"`)
  const response = await requestFile(deps, access, holder, request, reply)
  const statusCode = response.statusCode ?? 502
  if (![200, 206, 416].includes(statusCode)) {
    response.resume()
    return refuseFile(reply, statusCode, { node, file })
  }
  for (const name of forwardedHeaders)
    if (response.headers[name] !== undefined) reply.header(name, response.headers[name])
  reply.code(statusCode).type(contentTypeOf(file))
  if (request.method === 'HEAD') {
    response.resume()
    return reply.send(Readable.from([])) // without a body fastify would send a length of 0
  }
  return pipeCounted(deps, access, { what: `${node}/${file}`, response, reply })
}

/** Asks the node's agent; the request ends when the reader goes. */
function requestFile(
  { agents }: DownloadDeps,
  { capture }: AuthorizedRequest,
  { place }: NodeFiles,
  request: FastifyRequest<CaptureParams>,
  reply: FastifyReply,
): Promise<IncomingMessage> {
  const conditions = ['range', 'if-range', 'if-match'].flatMap(name =>
    request.headers[name] ? [[name, String(request.headers[name])]] : [],
  )
  const headers = { ...Object.fromEntries(conditions), 'want-repr-digest': 'sha-256=10' }
  const gone = new AbortController()
  reply.raw.once('close', () => gone.abort())
  if (reply.raw.destroyed) gone.abort()
  const path = filePath(filesPathOf(capture), request.params.file)
  return agents.request(place, { method: request.method, path, headers, signal: gone.signal })
}

function refuseFile(
  reply: FastifyReply,
  statusCode: number,
  { node, file }: { node: string; file: string },
): FastifyReply {
  switch (statusCode) {
    case 412:
      return refuse(reply, 412, `Cannot find that version of "${file}" on the node "${node}"`)
    case 503:
      throw new BusyError(`the agent on ${node} is busy`)
    case 404:
      return refuse(
        reply,
        404,
        `Cannot find a file "${file}" of this capture on the node "${node}"`,
      )
    default:
      throw new ExpectedError(`the agent on ${node} answered ${statusCode}`)
  }
}

type SentFile = {
  readonly what: string
  readonly response: IncomingMessage
  readonly reply: FastifyReply
}

function pipeCounted(
  deps: DownloadDeps,
  access: AuthorizedRequest,
  { what, response, reply }: SentFile,
): FastifyReply {
  const { raw } = reply
  const sent = countBytes(deps, 'file', response)
  response.pause()
  raw.setTimeout(deps.limits.stallMs, () => raw.destroy())
  raw.once('close', () => {
    response.destroy()
    audit(deps, access, {
      what,
      bytes: sent.bytes,
      result: raw.writableFinished ? 'done' : 'broken off',
    })
  })
  return reply.send(response as Readable)
}

export async function sendStream(
  deps: DownloadDeps & StreamDeps,
  access: AuthorizedRequest,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  if (request.method === 'HEAD') return reply.type('application/x-pcapng').send()
  const live = openStream(deps, access.capture)
  if (!live) return refuse(reply, 409, 'Cannot stream a capture that is over on every node')
  reply.hijack()
  reply.raw.writeHead(200, {
    ...commonHeaders(reply),
    'content-type': 'application/x-pcapng',
    [streamAlive.header]: String(streamAlive.seconds),
  })
  reply.raw.flushHeaders()
  request.raw.socket.setKeepAlive(true, 30_000) // hours may pass without a packet
  const meter = new PassThrough()
  let bytes = 0
  meter.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    deps.metrics.countSent('stream', chunk.length)
  })
  const ended = deps.metrics.streaming(live)
  pipeline(live.stream, meter, reply.raw, error => {
    ended()
    audit(deps, access, { what: 'stream', bytes, result: error ? 'ended by its reader' : 'done' })
  })
  return reply
}

/** Counts what flows through, for the metrics, the audit entry and the collector of buffers. */
function countBytes(
  { bufferGc, metrics }: DownloadDeps,
  route: 'file' | 'zip',
  stream: Readable,
): { readonly bytes: number } {
  const sent = { bytes: 0 }
  stream.on('data', (chunk: Buffer) => {
    sent.bytes += chunk.length
    bufferGc.passed(chunk.length)
    metrics.countSent(route, chunk.length)
  })
  return sent
}

/** By the file's name: the agent does not choose the type of an answer here. */
export function contentTypeOf(file: string): string {
  if (file.endsWith('.gz')) return 'application/gzip'
  return file.endsWith('.txt') ? 'text/plain' : 'application/vnd.tcpdump.pcap'
}

/** Headers of every answer of this server. */
function commonHeaders(reply: FastifyReply): Record<string, string> {
  return reply.getHeaders() as Record<string, string>
}
