// The gateway's HTTPS server. In: requests of users with a bearer token. Out: lists, files, zips
// and live streams of captures, and the removal of files. Each request: token, user, rate limit,
// right (authorize.ts), then the route's work. Refuses whatever the API server does not allow the
// user. Has no files itself: it asks the agents.
import fastify, {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type FastifyServerOptions,
} from 'fastify'
import { retrySeconds } from '../runtime/http.ts'
import { type AuthorizeDeps, withAuthorization } from './authorize.ts'
import type { CaptureCache } from './captureCache.ts'
import { type CleanDeps, cleanFiles } from './clean.ts'
import { type DownloadDeps, sendFile, sendStream, sendZip } from './download.ts'
import { indexFiles } from './fileIndex.ts'
import { refuse } from './refuse.ts'
import type { StreamDeps } from './stream.ts'
import type { AuthorizedRequest, CaptureParams } from './types.ts'

/** Bounds what a client costs: anyone who reaches the port may connect. */
export type GatewayLimits = { readonly connectionsMax: number; readonly stallMs: number }
export const gatewayLimits: GatewayLimits = Object.freeze({
  connectionsMax: 1_000,
  stallMs: 300_000,
})

export type GatewayDeps = AuthorizeDeps &
  CleanDeps &
  DownloadDeps &
  StreamDeps & { readonly cluster: CaptureCache; readonly limits: GatewayLimits }

const serverTimeouts = {
  handshakeTimeout: 10_000,
  headersTimeout: 10_000,
  connectionsCheckingInterval: 5_000,
}

export function gatewayServer(deps: GatewayDeps, keyPair: object): FastifyInstance {
  const { cluster, metrics, limits } = deps
  const https = { ...serverTimeouts, ...keyPair }
  const options = {
    https,
    routerOptions: { maxParamLength: 300 },
    bodyLimit: 1_024,
    requestTimeout: 30_000,
    return503OnClosing: true,
  }
  const app = fastify(options as FastifyServerOptions) as FastifyInstance
  app.server.maxConnections = limits.connectionsMax
  metrics.follow(app)
  app.addHook(
    'onRequest',
    async (_, reply) =>
      void reply.header('x-content-type-options', 'nosniff').header('cache-control', 'no-store'),
  )
  handleErrors(app, deps)
  app.get('/healthz', async () => 'ok\n')
  app.get('/readyz', async (_, reply) =>
    reply.code(cluster.hasSynced ? 200 : 503).send(cluster.hasSynced ? 'ok\n' : 'not ready yet\n'),
  )
  serveCaptures(app, deps)
  return app
}

function handleErrors(app: FastifyInstance, { metrics, log }: GatewayDeps): void {
  app.setErrorHandler(async (error: Error & { statusCode?: number }, request, reply) => {
    if ((error.statusCode ?? 500) < 500)
      return reply.code(error.statusCode ?? 400).send(`${error.message}\n`)
    log.error({ error: error.message, url: request.url }, 'request failed')
    if (error.statusCode === 503) {
      metrics.refused('Busy')
      return refuse(
        reply.header('retry-after', retrySeconds),
        503,
        'Cannot answer now: too much is asked at once, try again soon',
      )
    }
    return refuse(reply, 502, 'Cannot answer: the cluster did not, the log of the gateway says why')
  })
  app.setNotFoundHandler((_, reply) => reply.code(404).send('Not found\n'))
}

type CaptureRequest = FastifyRequest<CaptureParams>
type Serve = (
  access: AuthorizedRequest,
  request: CaptureRequest,
  reply: FastifyReply,
) => Promise<FastifyReply>

function serveCaptures(app: FastifyInstance, deps: GatewayDeps): void {
  const authorized =
    (verb: 'get' | 'delete', subresource: 'files' | 'stream', serve: Serve) =>
    (request: CaptureRequest, reply: FastifyReply) =>
      withAuthorization(deps, request, reply, { verb, subresource }, access =>
        serve(access, request, reply),
      )

  app.get<CaptureParams>(
    '/packet-capture/download/:ns/:name/files.zip',
    authorized('get', 'files', (access, request, reply) => sendZip(deps, access, request, reply)),
  )
  app.delete<CaptureParams>(
    '/packet-capture/files/:ns/:name/files.zip',
    authorized('delete', 'files', (access, _, reply) => cleanFiles(deps, access, reply)),
  )
  app.get<CaptureParams>(
    '/v1/namespaces/:ns/:kind/:name/files',
    authorized('get', 'files', async ({ capture }, _, reply) => {
      const { entries, nodes } = await indexFiles(deps, capture)
      return reply.send({
        files: entries.map(({ node, file, bytes, isActive }) => ({
          node,
          file,
          bytes,
          active: isActive,
        })),
        nodes,
      })
    }),
  )
  app.get<CaptureParams>(
    '/v1/namespaces/:ns/:kind/:name/files/:node/:file',
    authorized('get', 'files', (access, request, reply) => sendFile(deps, access, request, reply)),
  )
  app.get<CaptureParams>(
    '/v1/namespaces/:ns/:kind/:name/stream',
    authorized('get', 'stream', (access, request, reply) =>
      sendStream(deps, access, request, reply),
    ),
  )
}
