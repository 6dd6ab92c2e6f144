// The agent's HTTPS server: files, live streams and artifacts of the node's captures, for the
// gateway and the controller. In: a request with a service-account token made for this node. Out:
// an answer of one of the routes. Refuses every other user (admitRequests.ts): a token for this
// node is useless at any other, and the API server says whose it is. A capture is named with its
// uid, a file by the name that the list gives: no text of a request becomes a path.
//   GET    /v1/captures/{key}/{uid}/files              the list of files
//   GET    /v1/captures/{key}/{uid}/files/{file}       one file, or a range of it; HEAD too
//   DELETE /v1/captures/{key}/{uid}/files              all files, unless one is being written (409)
//   DELETE /v1/captures/{key}/{uid}/files/{file}       one artifact, if it still has that tag (412)
//   GET    /v1/captures/{key}/{uid}/stream             packets from now on, as pcapng
import type { AddressInfo } from 'node:net'
import fastify, { type FastifyInstance } from 'fastify'
import type { Certificate } from '../../auth/selfSignedCertificate.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Logger } from '../../runtime/log.ts'
import { type AdmitDeps, admitRequests } from './admitRequests.ts'
import { type ArtifactDeps, serveArtifacts } from './artifacts.ts'
import { type FileRouteDeps, serveFiles } from './files.ts'
import { type StreamRouteDeps, serveStream } from './stream.ts'

/**
 * Bounds what a client costs an agent, whose work is to capture: anyone who reaches the node's
 * address may connect.
 */
export type AgentLimits = {
  readonly connectionsMax: number
  readonly atOnce: number
  readonly stallMs: number
}
export const agentLimits: AgentLimits = Object.freeze({
  connectionsMax: 320,
  atOnce: 256,
  stallMs: 600_000,
})

export type AgentServerDeps = ArtifactDeps &
  AdmitDeps &
  FileRouteDeps &
  StreamRouteDeps & {
    readonly certificate: Certificate
    readonly limits: AgentLimits
  }

const serverTimeouts = {
  handshakeTimeout: 10_000,
  headersTimeout: 10_000,
  connectionsCheckingInterval: 5_000,
}

export function agentServer(deps: AgentServerDeps): FastifyInstance {
  const { certificate, limits, log } = deps
  const app = fastify({
    https: { key: certificate.key, cert: certificate.cert, ...serverTimeouts },
    routerOptions: { maxParamLength: 300 },
    bodyLimit: 1_024,
    requestTimeout: 30_000,
    connectionTimeout: limits.stallMs,
  })
  app.server.maxConnections = limits.connectionsMax
  admitRequests(app, deps)
  app.setErrorHandler(async (error: Error & { statusCode?: number }, request, reply) => {
    if ((error.statusCode ?? 500) < 500)
      return reply.code(error.statusCode ?? 400).send(`${error.message}\n`)
    log.error({ error: error.message, url: request.url }, 'request failed')
    return reply
      .code(error.statusCode ?? 500)
      .send('Cannot answer: the agent failed, its log says why\n')
  })
  app.setNotFoundHandler((_, reply) => reply.code(404).send('Not found\n'))
  serveArtifacts(app, deps)
  serveFiles(app, deps)
  serveStream(app, deps)
  return app
}

/**
 * Listens on all addresses. undefined: the port cannot be listened on; the agent captures all the
 * same.
 */
export async function listen(
  server: FastifyInstance,
  port: number,
  log: Logger,
): Promise<number | undefined> {
  const bound = await tryListen(server, port)
  if (typeof bound === 'number') return bound
  log.error(
    { port, error: bound.message },
    'files cannot be had from this node: the port cannot be listened on',
  )
  return undefined
}

export type LaterDeps = {
  readonly clock: Clock
  readonly log: Logger
  readonly signal: AbortSignal
  readonly retryMs?: number
}

/** Tries again and again, until the port is free. undefined: the signal was aborted before. */
export async function listenLater(
  server: FastifyInstance,
  port: number,
  { clock, log, signal, retryMs = 5_000 }: LaterDeps,
): Promise<number | undefined> {
  for (;;) {
    await clock.sleepUntil(clock.now() + retryMs, signal)
    if (signal.aborted) return undefined
    const bound = await tryListen(server, port)
    if (typeof bound !== 'number') continue
    log.info({ port: bound }, 'files can be had from this node now')
    return bound
  }
}

async function tryListen(server: FastifyInstance, port: number): Promise<number | Error> {
  let failure = new Error('no address to listen on')
  for (const host of ['::', '0.0.0.0']) {
    try {
      await server.listen({ host, port })
      return (server.server.address() as AddressInfo).port
    } catch (error) {
      failure = error as Error
      if ((error as NodeJS.ErrnoException).code !== 'EAFNOSUPPORT') break
    }
  }
  return failure
}
