// A real etcd and kube-apiserver, for one test file. Ready in about three seconds; several at once
// do not meet: etcd listens on sockets in the server's own directory, the API server on a free port
// of loopback.
//   const api = await startApiServer()               test.after.always(() => api.stop())
//   await api.kubectl('apply', '-f', file)            what it printed, or an Error with what it said
//   await api.ask(['apply', '-f', '-'], { input })    { code, out, err }, also of a refusal
//   api.kubeconfig, api.url, api.token, api.caFile    the administrator's
//   await api.interrupt(); await api.resume()         the API server alone: same address, same objects
import { existsSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { type Child, startChild } from './child.ts'
import { adminToken, type Credentials, kubeconfig, writeCredentials } from './credentials.ts'
import { type Access, type Answer, askKubectl, type KubectlOptions } from './kubectl.ts'
import { makeScratch, removeScratch } from './scratch.ts'
import { toolPath } from './tools.ts'

export type ApiServerOptions = {
  /** Where it listens and how others reach it. Default: a free port of 127.0.0.1. */
  readonly address?: string
  readonly port?: number
  /**
   * A command that runs another somewhere else, in namespaces say, and takes it along when it dies.
   */
  readonly within?: readonly string[]
  /** Whether pods need a service account, which a controller manager makes. Default false. */
  readonly serviceAccounts?: boolean
  /** More flags of kube-apiserver. */
  readonly flags?: readonly string[]
}

// A socket file of that name in the working directory, which both have in common: etcd wants the
// form host:port.
const etcdSocket = 'unix://etcd:1'
const tries = 3 // another program may take the port between our look and the server's

export class ApiServer implements AsyncDisposable {
  readonly directory: string
  readonly url: string
  readonly token = adminToken
  readonly caFile: string
  readonly credentials: Credentials
  readonly #access: Access
  readonly #flags: readonly string[]
  #etcd: Child | undefined
  #server: Child | undefined

  constructor(
    directory: string,
    url: string,
    credentials: Credentials,
    within: readonly string[],
    flags: readonly string[],
  ) {
    this.directory = directory
    this.url = url
    this.credentials = credentials
    this.caFile = join(directory, 'certificates', 'apiserver.crt') // signed by itself
    this.#access = { kubeconfig: join(directory, 'admin.kubeconfig'), home: directory, within }
    this.#flags = flags
    writeFileSync(this.kubeconfig, kubeconfig(url, this.caFile, this.token))
  }

  get kubeconfig(): string {
    return this.#access.kubeconfig
  }

  /** Of the API server alone, to pause it. */
  get pid(): number {
    return this.#server?.pid ?? 0
  }

  async kubectl(...args: string[]): Promise<string> {
    const { code, out, err } = await this.ask(args)
    if (code !== 0) throw new Error(`Cannot kubectl ${args.join(' ')}: ${err}`)
    return out
  }

  ask(args: readonly string[], options?: KubectlOptions): Promise<Answer> {
    return askKubectl(this.#access, args, options)
  }

  /** etcd, then the API server. */
  async start(): Promise<void> {
    const etcd = this.#run('etcd', etcdFlags())
    this.#etcd = etcd
    await etcd.ready(() => Promise.resolve(/ready to serve client requests/.test(etcd.tail(100))))
    await this.resume()
  }

  /** Stops the API server and leaves etcd running. With SIGKILL: as a crash. */
  async interrupt(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    await this.#server?.stop(signal)
  }

  async resume(): Promise<void> {
    const server = this.#run('kube-apiserver', this.#flags)
    this.#server = server
    await server.ready(() => this.#isReady())
  }

  /** The API server first: without etcd it would wait. Twice is fine. */
  async stop(): Promise<void> {
    await this.#server?.stop()
    await this.#etcd?.stop()
    removeScratch(this.directory)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  #run(name: string, flags: readonly string[]): Child {
    // env changes the directory last: entering a mount namespace forgets it.
    const command = [
      ...this.#access.within,
      'env',
      `--chdir=${this.directory}`,
      toolPath(name),
      ...flags,
    ]
    // Collecting garbage is a quarter of what starting costs.
    const env = { GOGC: '400', ...process.env }
    return startChild(name, command, { logFile: join(this.directory, `${name}.log`), env })
  }

  async #isReady(): Promise<boolean> {
    return (
      existsSync(this.caFile) &&
      (await this.ask(['get', '--raw=/readyz'], { timeoutMs: 2_000 })).code === 0
    )
  }
}

export async function startApiServer(options: ApiServerOptions = {}): Promise<ApiServer> {
  for (let attempt = 1; ; attempt++) {
    const api = await makeApiServer(options)
    try {
      await api.start()
      return api
    } catch (error) {
      await api.stop()
      if (attempt === tries || !/address already in use/.test(String(error))) throw error
    }
  }
}

async function makeApiServer({
  address = '127.0.0.1',
  port,
  within = [],
  serviceAccounts = false,
  flags = [],
}: ApiServerOptions): Promise<ApiServer> {
  const directory = makeScratch()
  const credentials = writeCredentials(directory)
  const bound = port ?? (await freePort(address))
  const admission = serviceAccounts ? [] : ['--disable-admission-plugins=ServiceAccount']
  const all = [...serverFlags(credentials, address, bound), ...admission, ...flags]
  return new ApiServer(directory, `https://${address}:${bound}`, credentials, within, all)
}

function etcdFlags(): string[] {
  const peer = 'unix://etcd-peer:1'
  return asFlags({
    'data-dir': 'etcd',
    'listen-client-urls': etcdSocket,
    'advertise-client-urls': etcdSocket,
    'listen-peer-urls': peer,
    'initial-advertise-peer-urls': peer,
    'initial-cluster': `default=${peer}`,
    'unsafe-no-fsync': 'true',
  })
}

function serverFlags(
  { tokenFile, keyFile, publicFile }: Credentials,
  address: string,
  port: number,
): string[] {
  return asFlags({
    'etcd-servers': etcdSocket,
    'cert-dir': 'certificates',
    'bind-address': address,
    'advertise-address': address,
    'secure-port': String(port),
    'service-cluster-ip-range': '10.0.0.0/24',
    'allow-privileged': 'true',
    'authorization-mode': 'Node,RBAC',
    'token-auth-file': tokenFile,
    'service-account-issuer': 'https://kubernetes.default.svc',
    'service-account-key-file': publicFile,
    'service-account-signing-key-file': keyFile,
    'api-audiences': 'https://kubernetes.default.svc',
    'endpoint-reconciler-type': 'none',
    'kubelet-preferred-address-types': 'InternalIP',
    profiling: 'false',
  })
}

export function asFlags(flags: Readonly<Record<string, string>>): string[] {
  return Object.entries(flags).map(([name, value]) => `--${name}=${value}`)
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
