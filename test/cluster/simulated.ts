// A cluster without kubelets: an API server with selcap's manifests, and nodes that are network namespaces beside it, with
// a Node object, pods bound to them, and a veth for each pod, named as Calico names it. The agents are real processes in
// those namespaces, with the tokens that their pods would have.
//   const cluster = await SimulatedCluster.start(t)            all gone with the test (or what stands for `t`)
//   const node = await cluster.addNode('node-1')
//   const pod = await node.addPod('shop', 'web-0', { app: 'web' })      pod.sender sends from inside
//   const agent = await node.startAgent()                      agent.child, agent.captures
//   await cluster.api.kubectl(…); await cluster.apply(document)
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { hostInterfaceName } from '../../src/endpoint/calicoName.ts'
import { makeNamespace, type Namespace, type Scope } from '../net/namespace.ts'
import { ip } from '../net/run.ts'
import { makeSender, type Sender } from '../net/sender.ts'
import { root } from '../repo/tree.ts'
import { selcap } from '../standaloneProcess.ts'
import { readRecords } from '../taps/captureFile.ts'
import { type ApiServer, startApiServer } from './apiServer.ts'
import { type Child, startChild } from './child.ts'
import { kubeconfig } from './credentials.ts'

const serverAddress = '198.19.255.1' // of the network set aside for tests (RFC 2544)
export const systemNamespace = 'selcap-system'

// In a mount namespace of its own; gone with the process.
const mountFiles = `set -e
mount -t tmpfs none /run
mkdir -p /run/secrets/kubernetes.io/serviceaccount
mount --bind "$1" /run/secrets/kubernetes.io/serviceaccount
shift
exec "$@"`

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
    await network.ip('link add br0 type bridge', `address add ${serverAddress}/16 dev br0`, 'link set br0 up')
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
    if (code !== 0) throw new Error(`Cannot apply ${JSON.stringify(documents).slice(0, 200)}: ${err}`)
  }

  async get<T = Resource>(...args: string[]): Promise<T> {
    return JSON.parse(await this.api.kubectl('get', ...args, '-o', 'json')) as T
  }

  async addNode(name: string): Promise<SimulatedNode> {
    const namespace = await makeNamespace(this.#scope)
    const number = ++this.#nodes
    await this.#network.ip(`link add n${number} type veth peer name eth0 netns ${namespace.pid}`, `link set n${number} master br0 up`)
    await namespace.ip(`address add 198.19.0.${number}/16 dev eth0`, 'link set eth0 up')
    await this.apply({ apiVersion: 'v1', kind: 'Node', metadata: { name } })
    return new SimulatedNode(this.#scope, this, namespace, name, number)
  }

  /** A token for a pod of that service account, bound to it, and the kubeconfig of a program that has it. */
  async kubeconfigFor(account: string, node: string): Promise<string> {
    const pod = `${account}-${node}`
    await this.apply({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: pod, namespace: systemNamespace },
      spec: { serviceAccountName: account, nodeName: node, hostNetwork: true, containers: [{ name: 'main', image: 'selcap' }] },
    })
    const bound = ['--bound-object-kind', 'Pod', '--bound-object-name', pod, '--duration', '1h']
    const token = (await this.api.kubectl('create', 'token', account, '-n', systemNamespace, ...bound)).trim()
    const file = join(this.directory, `${pod}.kubeconfig`)
    writeFileSync(file, kubeconfig(this.api.url, this.api.caFile, token), { mode: 0o600 })
    return file
  }

  /** Connections to a socket file, which is there soon, go to that port of the server's address. */
  forward(name: string, socket: string, port: string): Child {
    const path = join(root, 'scripts', 'demo', 'forward.ts')
    const command = ['nsenter', `--net=${this.#network.path}`, 'setpriv', '--pdeathsig', 'KILL', '--', process.execPath, path]
    const child = startChild(name, [...command, socket, serverAddress, port], { logFile: join(this.directory, `${name}.log`) })
    this.#scope.teardown(() => child.stop('SIGKILL'))
    return child
  }

  /** A program of ours as a pod of that account has it: its token and the authority where kubelets put them. */
  async runInPod(name: string, account: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Child> {
    const { users } = JSON.parse(readFileSync(await this.kubeconfigFor(account, 'pod'), 'utf8')) as { users: [{ user: { token: string } }] }
    const files = mkdtempSync(join(this.directory, `${name}-`))
    writeFileSync(join(files, 'token'), users[0].user.token, { mode: 0o600 })
    copyFileSync(this.api.caFile, join(files, 'ca.crt'))
    const address = { KUBERNETES_SERVICE_HOST: serverAddress, KUBERNETES_SERVICE_PORT: '6443', POD_NAME: `${account}-pod` }
    return this.run(name, undefined, args, { ...address, ...env }, ['unshare', '--mount', 'sh', '-c', mountFiles, 'sh', files])
  }

  /** A program of ours in a network namespace of the cluster. */
  run(
    name: string,
    namespace: Namespace | undefined,
    args: readonly string[],
    env: NodeJS.ProcessEnv = {},
    within: readonly string[] = [],
  ): Child {
    const path = (namespace ?? this.#network).path
    const command = ['nsenter', `--net=${path}`, 'setpriv', '--pdeathsig', 'KILL', '--', ...within, selcap, ...args]
    const child = startChild(name, command, { logFile: join(this.directory, `${name}.log`), env: { ...process.env, ...env } })
    this.#scope.teardown(() => child.stop('SIGKILL'))
    return child
  }
}

export type Resource = { readonly metadata: { readonly name: string; readonly uid: string; readonly resourceVersion: string } }

export class SimulatedNode {
  readonly name: string
  readonly namespace: Namespace
  readonly captures: string
  readonly #cluster: SimulatedCluster
  readonly #scope: Scope
  readonly #number: number
  #pods = 0
  #agent: Child | undefined

  constructor(scope: Scope, cluster: SimulatedCluster, namespace: Namespace, name: string, number: number) {
    this.name = name
    this.namespace = namespace
    this.captures = join(cluster.directory, name)
    this.#cluster = cluster
    this.#scope = scope
    this.#number = number
    mkdirSync(this.captures)
  }

  /** Traffic goes from inside the pod to `hostAddress`, the other end of its veth. */
  async addPod(namespace: string, name: string, labels: Readonly<Record<string, string>>, spec: object = {}): Promise<SimulatedPod> {
    const number = ++this.#pods
    const [hostAddress, podAddress] = [`10.${this.#number}.${number}.1`, `10.${this.#number}.${number}.2`]
    const inside = await makeNamespace(this.#scope)
    const hostName = hostInterfaceName(namespace, name, 'cali')
    await ip([`link add ${hostName} type veth peer name eth0 netns ${inside.pid}`], this.namespace.path)
    await this.namespace.run('sh', '-c', `echo 1 >/proc/sys/net/ipv6/conf/${hostName}/disable_ipv6`)
    await this.namespace.ip(`address add ${hostAddress}/30 dev ${hostName}`, `link set ${hostName} up`)
    await inside.run('sh', '-c', 'echo 1 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6')
    await inside.ip(`address add ${podAddress}/30 dev eth0`, 'link set eth0 up')
    const metadata = { name, namespace, labels }
    const containers = [{ name: 'main', image: 'app' }]
    await this.#cluster.apply({ apiVersion: 'v1', kind: 'Pod', metadata, spec: { nodeName: this.name, containers, ...spec } })
    const status = JSON.stringify({ status: { phase: 'Running', podIP: podAddress, podIPs: [{ ip: podAddress }] } })
    await this.#cluster.api.kubectl('patch', 'pod', name, '-n', namespace, '--subresource=status', '--type=merge', '-p', status)
    return { name, hostName, hostAddress, podAddress, namespace: inside, sender: await makeSender(this.#scope, inside) }
  }

  /** Resolves when it is ready; its log is the child's. */
  async startAgent(options: readonly string[] = []): Promise<Child> {
    const file = await this.#cluster.kubeconfigFor('selcap-agent', this.name)
    const args = [
      'agent',
      '--node',
      this.name,
      '--kubeconfig',
      file,
      '--captures',
      this.captures,
      '--metrics-port',
      '0',
      '--agent-port',
      '0',
      ...options,
    ]
    const agent = this.#cluster.run(`agent-${this.name}`, this.namespace, args, { POD_IP: `198.19.0.${this.#number}` })
    await agent.ready(() => Promise.resolve(agent.tail(1_000).includes('selcap agent started')), 15_000)
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
    const read = (name: string) => readRecords(readFileSync(join(this.captures, namespace, capture, name)), 'pcap').length
    return this.files(namespace, capture).reduce((sum, name) => sum + read(name), 0)
  }
}

export type SimulatedPod = {
  readonly name: string
  readonly hostName: string
  readonly hostAddress: string
  readonly podAddress: string
  readonly namespace: Namespace
  readonly sender: Sender
}

export function packetCapture(name: string, spec: object, namespace = 'shop'): object {
  return { apiVersion: 'projectcalico.org/v3', kind: 'PacketCapture', metadata: { name, namespace }, spec }
}
