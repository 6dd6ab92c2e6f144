// How the API server is reached: TLS and proxies. In: the chosen cluster, a client certificate. Out:
// options of a request of Node. Refuses with CommandFailure a certificate file that cannot be read.
import { readFileSync } from 'node:fs'
import type { Agent } from 'node:http'
import { Agent as TlsAgent } from 'node:https'
import { getCACertificates } from 'node:tls'
import { CommandFailure, osErrorMessage } from '../../model/errors.ts'
import { environmentProxy } from '../httpProxy.ts'
import type { Chosen } from './choose.ts'

export type TlsOptions = {
  readonly ca?: string | Buffer | string[]
  readonly cert?: string | Buffer
  readonly key?: string | Buffer
  readonly servername?: string
  readonly rejectUnauthorized?: boolean
}

/** Of the cluster alone; an authority that is not named is the machine's, as for kubectl. */
export function tlsOptionsOf({ cluster }: Chosen): TlsOptions {
  if (!cluster.server.startsWith('https:')) return {}
  const given = bytesOf(cluster.certificateAuthority, cluster.certificateAuthorityData)
  return {
    ...(cluster.tlsServerName && { servername: cluster.tlsServerName }),
    ...(cluster.insecureSkipTlsVerify
      ? { rejectUnauthorized: false }
      : { ca: given ?? machineAuthorities() }),
  }
}

/** The user's own; undefined: none. */
export function clientCertificateOf({ user }: Chosen): Pick<TlsOptions, 'cert' | 'key'> {
  const cert = bytesOf(user.clientCertificate, user.clientCertificateData)
  const key = bytesOf(user.clientKey, user.clientKeyData)
  return cert && key ? { cert, key } : {}
}

/** What few use is loaded only where it is used: each start of the plugin would pay for it. */
export async function agentOf({ cluster }: Chosen, tls: TlsOptions): Promise<Agent> {
  const options = { ...tls } as ConstructorParameters<typeof TlsAgent>[0] & object
  const proxy = cluster.proxyUrl || environmentProxy(cluster.server, process.env)
  const isTls = cluster.server.startsWith('https:')
  if (!proxy) return isTls ? new TlsAgent(options) : new (httpAgent())()
  if (proxy.startsWith('socks')) {
    const { SocksProxyAgent } = await import('socks-proxy-agent')
    return new SocksProxyAgent(proxy, options)
  }
  const { HttpProxyAgent, HttpsProxyAgent } = await import('hpagent')
  return isTls ? new HttpsProxyAgent({ ...options, proxy }) : new HttpProxyAgent({ proxy })
}

function httpAgent(): typeof Agent {
  return process.getBuiltinModule('node:http').Agent
}

function machineAuthorities(): string[] {
  return [...new Set([...getCACertificates('default'), ...getCACertificates('system')])]
}

function bytesOf(file: string | undefined, data: string | undefined): Buffer | undefined {
  if (data) return Buffer.from(data, 'base64')
  if (!file) return undefined
  try {
    return readFileSync(file)
  } catch (error) {
    throw new CommandFailure('usage', `Cannot use the kubeconfig: ${osErrorMessage(error)}`, error)
  }
}
