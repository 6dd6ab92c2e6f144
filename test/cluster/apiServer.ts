// A real etcd and kube-apiserver on loopback, for one test file. Ready in about three seconds; several at once do not meet:
// etcd listens on sockets in the server's own directory, the API server on a free port.
//   const api = await startApiServer()               test.after.always(() => api.stop())
//   await api.kubectl('apply', '-f', file)            out, or an Error with what kubectl said
//   await api.ask(['apply', '-f', '-'], { input })    { code, out, err }, also of a refusal
//   api.kubeconfig, api.url, api.token, api.caFile    the administrator's
//   await api.interrupt(); await api.resume()         the API server alone: same address, same objects
import { generateKeyPairSync } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { type Child, startChild } from './child.ts'
import { type Answer, askKubectl, type KubectlOptions } from './kubectl.ts'
import { makeScratch, removeScratch } from './scratch.ts'
import { toolPath } from './tools.ts'

export type ApiServerOptions = {
  /** Where it listens and how others reach it. Default 127.0.0.1. */
  readonly address?: string
  /** More flags of kube-apiserver, after ours: the last one wins. */
  readonly flags?: readonly string[]
}

// A socket file of that name in the working directory, which both have in common: etcd wants the form host:port.
const etcdSocket = 'unix://etcd:1'
const startMs = 60_000
const tries = 3 // another program may take the port between our look and the server's

export class ApiServer implements AsyncDisposable {
  readonly directory: string
  readonly url: string
  readonly token = 'admin-token'
  readonly kubeconfig: string
  readonly caFile: string
  readonly #flags: readonly string[]
  readonly #etcd: Child
  #server: Child | undefined

  constructor(directory: string, url: string, flags: readonly string[], etcd: Child) {
    this.directory = directory
    this.url = url
    this.kubeconfig = join(directory, 'admin.kubeconfig')
    this.caFile = join(directory, 'certificates', 'apiserver.crt') // signed by itself
    this.#flags = flags
    this.#etcd = etcd
  }

  async kubectl(...args: string[]): Promise<string> {
    const { code, out, err } = await this.ask(args)
    if (code !== 0) throw new Error(`Cannot kubectl ${args.join(' ')}: ${err}`)
    return out
  }

  ask(args: readonly string[], options?: KubectlOptions): Promise<Answer> {
    return askKubectl(this.kubeconfig, this.directory, args, options)
  }

  /** Stops the API server and leaves etcd running. With SIGKILL: as a crash. */
  async interrupt(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    await this.#server?.stop(signal)
  }

  async resume(): Promise<void> {
    const server = startChild('kube-apiserver', [toolPath('kube-apiserver'), ...this.#flags], {
      logFile: join(this.directory, 'apiserver.log'),
      cwd: this.directory,
    })
    this.#server = server
    await server.ready(() => this.#answers('/readyz'), startMs)
  }

  /** The API server first: without etcd it would wait. Twice is fine. */
  async stop(): Promise<void> {
    await this.#server?.stop()
    await this.#etcd.stop()
    removeScratch(this.directory)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  #answers(path: string): Promise<boolean> {
    if (!existsSync(this.caFile)) return Promise.resolve(false)
    const headers = { authorization: `Bearer ${this.token}` }
    return new Promise(resolve => {
      const asking = request(`${this.url}${path}`, { ca: readFileSync(this.caFile), headers, timeout: 2_000, agent: false }, response => {
        response.resume().once('end', () => resolve(response.statusCode === 200))
      })
      asking.once('error', () => resolve(false)).once('timeout', () => asking.destroy(new Error('too slow')))
      asking.end()
    })
  }
}

export async function startApiServer(options: ApiServerOptions = {}): Promise<ApiServer> {
  for (let attempt = 1; ; attempt++) {
    const directory = makeScratch()
    try {
      return await start(directory, options)
    } catch (error) {
      removeScratch(directory)
      if (attempt === tries || !/address already in use/.test(String(error))) throw error
    }
  }
}

async function start(directory: string, { address = '127.0.0.1', flags = [] }: ApiServerOptions): Promise<ApiServer> {
  const port = await freePort(address)
  writeCredentials(directory)
  const etcd = startEtcd(directory)
  const api = new ApiServer(directory, `https://${address}:${port}`, [...serverFlags(directory, address, port), ...flags], etcd)
  writeFileSync(api.kubeconfig, kubeconfig(api.url, api.caFile, api.token))
  try {
    await etcd.ready(() => Promise.resolve(/ready to serve client requests/.test(etcd.tail(100))), startMs)
    await api.resume()
    return api
  } catch (error) {
    await api.stop()
    throw error
  }
}

function startEtcd(directory: string): Child {
  const peer = 'unix://etcd-peer:1'
  const flags = {
    'data-dir': join(directory, 'etcd'),
    'listen-client-urls': etcdSocket,
    'advertise-client-urls': etcdSocket,
    'listen-peer-urls': peer,
    'initial-advertise-peer-urls': peer,
    'initial-cluster': `default=${peer}`,
    'unsafe-no-fsync': 'true',
  }
  return startChild('etcd', [toolPath('etcd'), ...asFlags(flags)], { logFile: join(directory, 'etcd.log'), cwd: directory })
}

function serverFlags(directory: string, address: string, port: number): string[] {
  return asFlags({
    'etcd-servers': etcdSocket,
    'cert-dir': join(directory, 'certificates'),
    'bind-address': address,
    'advertise-address': address,
    'secure-port': String(port),
    'service-cluster-ip-range': '10.0.0.0/24',
    'allow-privileged': 'true',
    'authorization-mode': 'Node,RBAC',
    'token-auth-file': join(directory, 'tokens.csv'),
    'disable-admission-plugins': 'ServiceAccount',
    'service-account-issuer': 'https://kubernetes.default.svc',
    'service-account-key-file': join(directory, 'accounts.pub'),
    'service-account-signing-key-file': join(directory, 'accounts.key'),
    'api-audiences': 'https://kubernetes.default.svc',
    'endpoint-reconciler-type': 'none',
    'kubelet-preferred-address-types': 'InternalIP',
    profiling: 'false',
  })
}

function asFlags(flags: Readonly<Record<string, string>>): string[] {
  return Object.entries(flags).map(([name, value]) => `--${name}=${value}`)
}

function writeCredentials(directory: string): void {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
  })
  writeFileSync(join(directory, 'accounts.key'), privateKey, { mode: 0o600 })
  writeFileSync(join(directory, 'accounts.pub'), publicKey)
  writeFileSync(join(directory, 'tokens.csv'), 'admin-token,admin,admin,system:masters\n', { mode: 0o600 })
}

/** A kubeconfig for one bearer token. */
export function kubeconfig(url: string, caFile: string, token: string): string {
  const name = 'selcap'
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name, cluster: { server: url, 'certificate-authority': caFile } }],
    users: [{ name, user: { token } }],
    contexts: [{ name, context: { cluster: name, user: name } }],
    'current-context': name,
  })
}

function freePort(address: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject).listen(0, address, () => {
      const bound = server.address()
      server.close(() => resolve(typeof bound === 'object' && bound ? bound.port : 0))
    })
  })
}
