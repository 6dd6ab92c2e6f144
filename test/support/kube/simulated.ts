// A cluster without kubelets: an API server with selcap's manifests, and nodes that are network
// namespaces beside it, with a Node object, pods bound to them, and a veth for each pod, named as
// Calico names it. The agents are real processes in those namespaces, with the tokens that their
// pods would have.
//   const cluster = await SimulatedCluster.start(t)            all gone with the test (or what stands for `t`)
//   const node = await cluster.addNode('node-1')
//   const pod = await node.addPod('shop', 'web-0', { app: 'web' })      pod.sender sends from inside
//   const agent = await node.startAgent()                      agent.child, agent.captures
//   await cluster.api.kubectl(…); await cluster.apply(document)

import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { hostInterfaceName } from '../../../src/core/endpoint/calicoNames.ts'
import { makeNamespace, type Namespace, type Scope } from '../net/namespace.ts'
import { makeSender, type Sender } from '../net/sender.ts'
import { readRecords } from '../pcap/captureFile.ts'
import { selcap } from '../processes/standalone.ts'
import { root } from '../repository.ts'
import { type ApiServer, startApiServer } from './apiServer.ts'
import { type Child, startChild } from './child.ts'
import { kubeconfig } from './credentials.ts'
import { withRun } from './mounts.ts'
import { connectPod, type PodAddresses, type PodNetwork } from './podNetwork.ts'
import { systemNamespace } from './systemNamespace.ts'

export const serverAddress = '198.19.255.1' // of the network set aside for tests (RFC 2544)

export class SimulatedCluster {
  readonly api: ApiServer
  readonly directory: string
  readonly #scope: Scope
  readonly #network: Namespace
  #nodes = 0

  private constructor(scope: Scope, network: Namespace, api: ApiServer) {
    this.api = api
    this.directory = mkdtempSync(join(tmpdir(), 'selcap-simulated-'))
    this.#scope = scope
    this.#network = network
    scope.teardown(() => rmSync(this.directory, { recursive: true, force: true }))
  }

  static async start(scope: Scope): Promise<SimulatedCluster> {
    const network = await makeNamespace(scope)
    await network.ip(
      'link add br0 type bridge',
      `address add ${serverAddress}/16 dev br0`,
      'link set br0 up',
    )
    const api = await startApiServer({
      address: serverAddress,
      port: 6443,
      within: ['nsenter', `--net=${network.path}`, 'setpriv', '--pdeathsig', 'KILL', '--'],
    })
    scope.teardown(() => api.stop())
    const cluster = new SimulatedCluster(scope, network, api)
    await api.kubectl('apply', '--server-side', '-k', join(root, 'crds'))
    await api.kubectl('wait', '--for=condition=Established', 'crd', '--all', '--timeout=30s')
    await api.kubectl('apply', '-k', join(root, 'daemonset', 'base'))
    return cluster
  }

  async apply(...documents: readonly object[]): Promise<void> {
    const { code, err } = await this.api.ask(['apply', '-f', '-'], {
      input: documents.map(document => JSON.stringify(document)).join('\n---\n'),
    })
    if (code !== 0)
      throw new Error(`Cannot apply ${JSON.stringify(documents).slice(0, 200)}: ${err}`)
  }

  async get<T = Resource>(...args: string[]): Promise<T> {
    return JSON.parse(await this.api.kubectl('get', ...args, '-o', 'json')) as T
  }

  async addNode(name: string): Promise<SimulatedNode> {
    const namespace = await makeNamespace(this.#scope)
    const number = ++this.#nodes
    await this.#network.ip(
      `link add n${number} type veth peer name eth0 netns ${namespace.pid}`,
      `link set n${number} master br0 up`,
    )
    await namespace.ip(`address add 198.19.0.${number}/16 dev eth0`, 'link set eth0 up')
    await this.apply({ apiVersion: 'v1', kind: 'Node', metadata: { name } })
    return new SimulatedNode(this.#scope, this, namespace, name, number)
  }

  /** The kubeconfig of a program that has the token of a pod of that service account. */
  async kubeconfigFor(account: string, node: string): Promise<string> {
    const file = join(this.directory, `${account}-${node}.kubeconfig`)
    writeFileSync(
      file,
      kubeconfig(this.api.url, this.api.caFile, await this.#tokenFor(account, node)),
      { mode: 0o600 },
    )
    return file
  }

  /** What such a pod finds of its service account. */
  async accountFor(account: string, node: string): Promise<string> {
    const directory = join(this.directory, `${account}-${node}`)
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    writeFileSync(join(directory, 'token'), await this.#tokenFor(account, node))
    copyFileSync(this.api.caFile, join(directory, 'ca.crt'))
    return directory
  }

  async #tokenFor(account: string, node: string): Promise<string> {
    const pod = `${account}-${node}`
    await this.apply({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: pod, namespace: systemNamespace },
      spec: {
        serviceAccountName: account,
        nodeName: node,
        hostNetwork: true,
        containers: [{ name: 'main', image: 'selcap' }],
      },
    })
    const bound = ['--bound-object-kind', 'Pod', '--bound-object-name', pod, '--duration', '1h']
    return (
      await this.api.kubectl('create', 'token', account, '-n', systemNamespace, ...bound)
    ).trim()
  }

  /** The network namespace of the API server. */
  get networkPath(): string {
    return this.#network.path
  }

  /** The administrator's kubeconfig, for a server at that address. */
  kubeconfigOf(url: string): string {
    const file = join(this.directory, 'elsewhere.kubeconfig')
    writeFileSync(file, kubeconfig(url, this.api.caFile, this.api.token), { mode: 0o600 })
    return file
  }

  /** Connections to a socket file, which is there soon, go to that port of the server's address. */
  forward(name: string, socket: string, port: string): Child {
    const path = join(root, 'scripts', 'demo', 'forward.ts')
    const command = [
      'nsenter',
      `--net=${this.#network.path}`,
      'setpriv',
      '--pdeathsig',
      'KILL',
      '--',
      process.execPath,
      path,
    ]
    const child = startChild(name, [...command, socket, serverAddress, port], {
      logFile: join(this.directory, `${name}.log`),
    })
    this.#scope.teardown(() => child.stop('SIGKILL'))
    return child
  }

  /**
   * A program of ours as a pod of that account has it: its token and the authority where kubelets
   * put them.
   */
  async runInPod(
    name: string,
    account: string,
    args: readonly string[],
    more: NodeJS.ProcessEnv = {},
  ): Promise<Child> {
    const around = withRun({
      '/run/secrets/kubernetes.io/serviceaccount': await this.accountFor(account, 'pod'),
    })
    const { hostname, port } = new URL(this.api.url)
    const env = {
      KUBERNETES_SERVICE_HOST: hostname,
      KUBERNETES_SERVICE_PORT: port,
      POD_NAME: `${account}-pod`,
      ...more,
    }
    return this.run(name, undefined, args, { around, env })
  }

  /**
   * A program of ours in a network namespace of the cluster; `around` is a command that runs it.
   */
  run(
    name: string,
    namespace: Namespace | undefined,
    args: readonly string[],
    {
      env = {},
      around = [],
    }: { readonly env?: NodeJS.ProcessEnv; readonly around?: readonly string[] } = {},
  ): Child {
    const path = (namespace ?? this.#network).path
    const command = [
      ...around,
      'nsenter',
      `--net=${path}`,
      'setpriv',
      '--pdeathsig',
      'KILL',
      '--',
      selcap,
      ...args,
    ]
    const child = startChild(name, command, {
      logFile: join(this.directory, `${name}.log`),
      env: { ...process.env, ...env },
    })
    this.#scope.teardown(() => child.stop('SIGKILL'))
    return child
  }
}

export type Resource = {
  readonly metadata: {
    readonly name: string
    readonly uid: string
    readonly resourceVersion: string
  }
}

export class SimulatedNode {
  readonly name: string
  readonly namespace: Namespace
  readonly captures: string
  readonly netns: string // what its agent finds under /var/run/netns
  readonly #cluster: SimulatedCluster
  readonly #scope: Scope
  readonly #number: number
  #pods = 0
  #account: string | undefined // since the first start: the next ones need no API server
  #agent: Child | undefined

  constructor(
    scope: Scope,
    cluster: SimulatedCluster,
    namespace: Namespace,
    name: string,
    number: number,
  ) {
    this.name = name
    this.namespace = namespace
    this.captures = join(cluster.directory, name)
    this.#cluster = cluster
    this.#scope = scope
    this.#number = number
    this.netns = join(cluster.directory, `${name}-netns`)
    for (const directory of [this.captures, this.netns]) mkdirSync(directory)
  }

  /**
   * Traffic goes from inside the pod to `hostAddress`, the other end of its veth, or the bridge's.
   */
  async addPod(
    namespace: string,
    name: string,
    labels: Readonly<Record<string, string>>,
    options: PodOptions = {},
  ): Promise<SimulatedPod> {
    const {
      spec = {},
      hostName = hostInterfaceName(namespace, name, 'cali'),
      isFound = true,
      ...network
    } = options
    const inside = await makeNamespace(this.#scope)
    const place = {
      number: ++this.#pods,
      node: this.#number,
      host: this.namespace,
      inside,
      hostName,
    }
    const addresses = await connectPod(place, network)
    const pod = {
      name,
      hostName,
      namespace: inside,
      sender: await makeSender(this.#scope, inside),
      ...addresses,
    }
    if (isFound) this.show(pod)
    const metadata = { name, namespace, labels }
    const containers = [{ name: 'main', image: 'app' }]
    await this.#cluster.apply({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata,
      spec: { nodeName: this.name, containers, ...spec },
    })
    const podIPs = addresses.podAddresses.map(address => ({ ip: address }))
    const status = JSON.stringify({ status: { phase: 'Running', podIP: podIPs[0]?.ip, podIPs } })
    await this.#cluster.api.kubectl(
      'patch',
      'pod',
      name,
      '-n',
      namespace,
      '--subresource=status',
      '--type=merge',
      '-p',
      status,
    )
    return pod
  }

  /** As a CNI plugin does: the pod's network namespace is to be found. */
  show({ name, namespace }: Pick<SimulatedPod, 'name' | 'namespace'>): void {
    symlinkSync(namespace.path, join(this.netns, `cni-${name}`))
  }

  /**
   * As its pod runs it, with the pod's service account. Resolves when it is ready; its log is the
   * child's.
   */
  async startAgent(options: readonly string[] = [], more: NodeJS.ProcessEnv = {}): Promise<Child> {
    this.#account ??= await this.#cluster.accountFor('selcap-agent', this.name)
    const around = withRun({
      '/run/netns': this.netns,
      '/run/secrets/kubernetes.io/serviceaccount': this.#account,
    })
    const { hostname, port } = new URL(this.#cluster.api.url)
    const env = {
      POD_IP: `198.19.0.${this.#number}`,
      KUBERNETES_SERVICE_HOST: hostname,
      KUBERNETES_SERVICE_PORT: port,
      ...more,
    }
    const ports = ['--metrics-port', '0', '--agent-port', '0']
    const args = ['agent', '--node', this.name, '--captures', this.captures, ...ports, ...options]
    const agent = this.#cluster.run(`agent-${this.name}`, this.namespace, args, { around, env })
    await agent.ready(() => Promise.resolve(agent.tail(1_000).includes('selcap agent started')))
    this.#agent = agent
    return agent
  }

  /** The one that runs, or ran last. */
  get agent(): Child {
    if (!this.#agent) throw new Error(`Cannot use the agent of ${this.name}: none was started`)
    return this.#agent
  }

  async stopAgent(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    await this.#agent?.stop(signal)
  }

  files(namespace: string, capture: string): string[] {
    try {
      return readdirSync(join(this.captures, namespace, capture))
        .filter(name => !name.startsWith('.'))
        .toSorted()
    } catch {
      return []
    }
  }

  records(namespace: string, capture: string): number {
    const read = (name: string) =>
      readRecords(readFileSync(join(this.captures, namespace, capture, name)), 'pcap').length
    return this.files(namespace, capture).reduce((sum, name) => sum + read(name), 0)
  }
}

/** `isFound`: its namespace is shown at once. */
export type PodOptions = PodNetwork & {
  readonly spec?: object
  readonly hostName?: string
  readonly isFound?: boolean
}

export type SimulatedPod = PodAddresses & {
  readonly name: string
  readonly hostName: string
  readonly namespace: Namespace
  readonly sender: Sender
}

export function packetCapture(name: string, spec: object, namespace = 'shop'): object {
  return {
    apiVersion: 'projectcalico.org/v3',
    kind: 'PacketCapture',
    metadata: { name, namespace },
    spec,
  }
}
