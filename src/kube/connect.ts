// Connects to the API server. In: a kubeconfig, or a pod's service account. Out: a function that
// sends requests with the current credentials (tokens rotate in their file). Refuses a kubeconfig
// that cannot be used. client-node reads kubeconfigs and is loaded only for them: it takes more
// memory than an agent.
import { once } from 'node:events'
import { existsSync, readFileSync, statSync } from 'node:fs'
import type { ClientRequest, IncomingMessage } from 'node:http'
import { Agent, request as httpsRequest, type RequestOptions } from 'node:https'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { createSecureContext } from 'node:tls'
import type { KubeConfig } from '@kubernetes/client-node'
import { CommandFailure, ExpectedError } from '../model/errors.ts'
import { environmentProxy } from './httpProxy.ts'
import type { Kube, KubeRequest } from './request.ts'

const { request: httpRequest } = process.getBuiltinModule('node:http') // an import also loads Node's WebSocket: 14 MiB
const accountFolder = '/var/run/secrets/kubernetes.io/serviceaccount'

/**
 * Connects with a kubeconfig file; else the pod's service account, else $KUBECONFIG or ~/.kube.
 * Refuses with CommandFailure.
 */
export async function connectKube(kubeconfig: string | undefined): Promise<Kube> {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = '443' } = process.env
  const isInPod = host !== undefined && existsSync(join(accountFolder, 'token')) // a pod may have no service account
  if (kubeconfig !== undefined || !isInPod) return connectAs(kubeconfig)
  const server = `https://${host.includes(':') ? `[${host}]` : host}:${port}`
  return connectWith({
    server,
    tokenFile: join(accountFolder, 'token'),
    caFile: join(accountFolder, 'ca.crt'),
  })
}

export type Account = {
  readonly server: string
  readonly tokenFile: string
  readonly caFile: string
}

/** Connects with a token file and a CA file; both are read again when they change. */
export function connectWith({ server, tokenFile, caFile }: Account): Kube {
  const token = readWhenChanged(tokenFile, text => text.trim())
  // One TLS context for all connections: a context per connection takes a hundred kilobytes outside
  // the heap.
  const agent = readWhenChanged(
    caFile,
    ca =>
      new Agent({ secureContext: createSecureContext({ ca }), keepAlive: true, maxFreeSockets: 2 }),
  )
  return async request =>
    send(server, request, { agent: agent(), headers: { authorization: `Bearer ${token()}` } })
}

export type UserConfig = {
  readonly kubeconfig?: string | undefined
  readonly context?: string | undefined
}

/**
 * `namespace` is the context's. `token()` gives the current token, undefined for a user with a
 * client certificate.
 */
export type UserAccess = {
  readonly kube: Kube
  readonly namespace: string
  readonly token: () => Promise<string | undefined>
}

/**
 * Connects as kubectl does: merged $KUBECONFIG files, contexts, credential plugins, HTTP and SOCKS
 * proxies.
 */
export async function connectUser({ kubeconfig, context }: UserConfig): Promise<UserAccess> {
  const config = await loadConfig(kubeconfig)
  if (context !== undefined) {
    const names = config.getContexts().map(({ name }) => name)
    if (!names.includes(context))
      throw new CommandFailure(
        'usage',
        `Cannot use the context "${context}": expected one of ${names.join(', ') || 'none, there is no kubeconfig'}`,
      )
    config.setCurrentContext(context)
  }
  config.clusters = config.clusters.map(cluster => {
    const proxyUrl = cluster.proxyUrl || environmentProxy(cluster.server, process.env)
    return proxyUrl ? { ...cluster, proxyUrl } : cluster
  })
  const token = async () => {
    const options: RequestOptions = {}
    await config.applyToHTTPSOptions(options)
    const { Authorization: header } = { ...options.headers } as { readonly Authorization?: string }
    return header?.match(/^Bearer (.+)$/)?.[1]
  }
  return {
    kube: kubeOf(config),
    namespace: config.getContextObject(config.getCurrentContext())?.namespace ?? 'default',
    token,
  }
}

export async function contextNames(kubeconfig: string | undefined): Promise<string[]> {
  return (await loadConfig(kubeconfig)).getContexts().map(({ name }) => name)
}

async function connectAs(file: string | undefined): Promise<Kube> {
  return kubeOf(await loadConfig(file))
}

async function loadConfig(file: string | undefined): Promise<KubeConfig> {
  const client = await import('@kubernetes/client-node')
  const config = new client.KubeConfig()
  try {
    if (file === undefined) config.loadFromDefault()
    else config.loadFromFile(file)
  } catch (error) {
    throw new CommandFailure(
      'usage',
      `Cannot use the kubeconfig${file === undefined ? '' : ` "${file}"`}: ${(error as Error).message}`,
    )
  }
  return config
}

function kubeOf(config: KubeConfig): Kube {
  const server = config.getCurrentCluster()?.server
  if (server === undefined)
    throw new CommandFailure(
      'usage',
      'Cannot reach an API server: expected a current context with a cluster in the kubeconfig',
    )
  return async request => {
    const options: RequestOptions = {}
    await config.applyToHTTPSOptions(options)
    return send(server, request, options)
  }
}

async function send(
  server: string,
  { path, method = 'GET', query = {}, headers = {}, body, mayBeSent, signal }: KubeRequest,
  options: RequestOptions,
) {
  const search = new URLSearchParams(query).toString()
  const url = new URL(`${server.replace(/\/$/, '')}${path}${search && `?${search}`}`)
  // Node sets no Content-Length for a DELETE, and the server would ignore its body.
  const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }
  const all = { ...options, method, signal, headers: { ...headers, ...options.headers, ...length } }
  const sent = (url.protocol === 'http:' ? httpRequest : httpsRequest)(url, all)
  sent.on('error', () => {}) // once() reports the first error; errors after an abort are expected and ignored
  if (mayBeSent) await connected(sent, signal)
  if (mayBeSent?.() === false) sent.destroy(new ExpectedError('no longer to be sent'))
  else sent.end(body)
  const [response] = (await once(sent, 'response', { signal })) as [IncomingMessage]
  return response
}

async function connected(sent: ClientRequest, signal: AbortSignal): Promise<void> {
  const [socket] = (await once(sent, 'socket', { signal })) as [Socket]
  if (socket.connecting)
    await once(socket, 'encrypted' in socket ? 'secureConnect' : 'connect', { signal })
}

function readWhenChanged<T>(file: string, read: (text: string) => T): () => T {
  let known: { readonly mtimeMs: number; readonly ino: number; readonly value: T } | undefined
  return () => {
    const { mtimeMs, ino } = statSync(file)
    if (known?.mtimeMs !== mtimeMs || known.ino !== ino)
      known = { mtimeMs, ino, value: read(readFileSync(file, 'utf8')) }
    return known.value
  }
}
