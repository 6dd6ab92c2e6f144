// Connects to the gateway: through the API server's Service proxy, else through a kubectl
// port-forward, or at the user's own address. Requests are the same on every way. The API server
// authenticates the first two, so a self-signed certificate is accepted there. At the user's own
// address the certificate is verified.
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { Agent, request as httpsRequest } from 'node:https'
import { setTimeout as after } from 'node:timers/promises'
import { impersonationHeaders } from '../../kube/kubeconfig/headers.ts'
import { apiErrorMessage } from '../../kube/request.ts'
import { CommandFailure } from '../../model/errors.ts'
import { actingHeader, gatewayRealm, refusalHeader } from '../../model/refusalHeader.ts'
import { accounts } from '../../model/wellKnown.ts'
import type { GatewayClientOptions } from '../option/gateway.ts'
import { PortForward } from './portForward.ts'
import { reasonOf, type Session } from './session.ts'
import { type Identity, UserIdentity } from './userToken.ts'

export type GatewayRequest = {
  readonly path: string
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly signal: AbortSignal
}

type Send = (request: GatewayRequest, identity: Identity) => Promise<IncomingMessage>
type GatewayRoute = { readonly name: string; readonly send: Send; close(): Promise<void> }
type GatewayRefusal = { readonly refusal: string; readonly status: number }

export const gatewayService = accounts.gateway
const probeMs = 10_000
const triesMax = 20 // of one request; each waits for the gateway's Retry-After

/** Sends requests until disposed. Refuses with CommandFailure. */
export class Gateway implements AsyncDisposable {
  readonly #way: GatewayRoute
  readonly #identity: UserIdentity

  constructor(way: GatewayRoute, identity: UserIdentity) {
    this.#way = way
    this.#identity = identity
  }

  get way(): string {
    return this.#way.name
  }

  /**
   * Waits and repeats the request, up to triesMax times, when the gateway answers 429; with another
   * token, if there is one, when it answers 401.
   */
  async request(request: GatewayRequest): Promise<IncomingMessage> {
    for (let tries = 1; ; tries++) {
      const identity = await this.#identity.current()
      const response = await this.#way.send(request, identity)
      const { statusCode, headers } = response
      if (isUnknown(response) && tries < triesMax && (await this.#identity.replace(identity))) {
        response.resume()
        continue
      }
      if (statusCode !== 429 || tries === triesMax) return asWanted(response, identity)
      response.resume()
      const seconds = Math.min(60, Math.max(1, Number(headers['retry-after']) || 1))
      await after(1_000 * seconds, undefined, { signal: request.signal })
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#way.close()
  }
}

/** The gateway itself says so, not the API server on the way. */
function isUnknown({ statusCode, headers }: IncomingMessage): boolean {
  return statusCode === 401 && headers['www-authenticate'] === gatewayRealm
}

/** A gateway that passes impersonation over would hand out what the sender may have. */
function asWanted(response: IncomingMessage, { acting }: Identity): IncomingMessage {
  const isServed = (response.statusCode ?? 0) < 300
  const name = acting && encodeURIComponent(acting.user)
  if (!acting || !isServed || response.headers[actingHeader] === name) return response
  response.destroy()
  throw new CommandFailure(
    'notAllowed',
    `Cannot act as "${acting.user}": the gateway is of an older version, which knows no impersonation; expected a newer one, or --service-account`,
  )
}

export async function openGateway(
  session: Session,
  options: GatewayClientOptions,
): Promise<Gateway> {
  const identity = await UserIdentity.open(session, options.serviceAccount)
  if (options.gateway !== undefined)
    return new Gateway(direct(new URL(options.gateway), options.gatewayCa), identity)
  const proxied =
    options.via === 'port-forward'
      ? undefined
      : await throughProxy(session, options.gatewayNamespace)
  if (proxied && 'send' in proxied) return new Gateway(proxied, identity)
  if (proxied && (options.via === 'proxy' || proxied.status === 404))
    throw new CommandFailure(
      reasonOf(proxied.status),
      `Cannot reach the gateway: ${proxied.refusal}`,
    )
  const forwarded = await throughPortForward(session, options.gatewayNamespace, proxied)
  return new Gateway(forwarded, identity)
}

/**
 * The failure for an answer outside 2xx: the gateway's own message, or the reason of a proxy before
 * it.
 */
export async function failureOf(response: IncomingMessage, what: string): Promise<CommandFailure> {
  const said = (await apiErrorMessage(response)).trim()
  return new CommandFailure(
    reasonOf(response.statusCode ?? 0),
    response.headers[refusalHeader] !== undefined ? said : `Cannot ${what}: ${said}`,
  )
}

async function throughProxy(
  { kube }: Session,
  namespace: string,
): Promise<GatewayRoute | GatewayRefusal> {
  const base = `/api/v1/namespaces/${namespace}/services/https:${gatewayService}:443/proxy`
  const response = await kube({ path: `${base}/healthz`, signal: AbortSignal.timeout(probeMs) })
  const status = response.statusCode ?? 0
  if (status !== 200) return { status, refusal: await apiErrorMessage(response) }
  response.resume()
  // The API server's proxy removes the Authorization header.
  const send: Send = ({ path, headers, ...request }, { token, acting }) =>
    kube({
      ...request,
      path: `${base}${path}`,
      headers: {
        ...headers,
        'x-selcap-authorization': `Bearer ${token}`,
        ...actingHeaders(acting),
      },
    })
  return { name: 'service proxy', send, close: async () => {} }
}

async function throughPortForward(
  session: Session,
  namespace: string,
  proxied: GatewayRefusal | undefined,
): Promise<GatewayRoute> {
  const forward = new PortForward({
    options: session.options,
    namespace,
    service: gatewayService,
    port: 443,
  })
  try {
    await forward.port()
  } catch (error) {
    const both = proxied ? `${proxied.refusal}; and by port-forward: ` : ''
    const { message } = error as Error
    const reason = proxied
      ? reasonOf(proxied.status)
      : /\(Forbidden\)/.test(message)
        ? 'notAllowed'
        : 'failed'
    throw new CommandFailure(reason, `Cannot reach the gateway: ${both}${message}`, error)
  }
  const agent = new Agent({ rejectUnauthorized: false, keepAlive: true })
  const send: Send = async (request, identity) =>
    sendTo(new URL(`https://127.0.0.1:${await forward.port()}`), agent, request, identity)
  return { name: 'port-forward', send, close: () => forward.close() }
}

function direct(url: URL, caFile: string | undefined): GatewayRoute {
  if (url.protocol !== 'https:')
    throw new CommandFailure(
      'usage',
      `Cannot use --gateway "${url.href}": expected an address that begins with https://`,
    )
  const agent = new Agent({ ...(caFile !== undefined && { ca: readCa(caFile) }), keepAlive: true })
  return {
    name: url.origin,
    send: (request, identity) => sendTo(url, agent, request, identity),
    close: async () => agent.destroy(),
  }
}

async function sendTo(
  base: URL,
  agent: Agent,
  { path, method = 'GET', headers, signal }: GatewayRequest,
  { token, acting }: Identity,
): Promise<IncomingMessage> {
  const sent = httpsRequest(new URL(path, base), {
    agent,
    method,
    signal,
    headers: { ...headers, authorization: `Bearer ${token}`, ...actingHeaders(acting) },
  })
  sent.on('error', () => {}) // once() reports the first error; later errors are expected and ignored
  sent.end()
  try {
    const [response] = (await once(sent, 'response', { signal })) as [IncomingMessage]
    return response
  } catch (error) {
    throw new CommandFailure(
      'failed',
      `Cannot reach the gateway at ${base.origin}: ${(error as Error).message}`,
      error,
    )
  }
}

function actingHeaders(acting: Identity['acting']): ReturnType<typeof impersonationHeaders> {
  return acting ? impersonationHeaders(acting, 'x-selcap-impersonate') : {}
}

function readCa(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new CommandFailure(
      'usage',
      `Cannot read --gateway-ca "${file}": ${(error as NodeJS.ErrnoException).code}`,
    )
  }
}
