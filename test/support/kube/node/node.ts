// One real node with its control plane, in namespaces of its own: etcd, kube-apiserver,
// kube-controller-manager, kube-scheduler, containerd, kubelet. Ready in about ten seconds. Needs
// root.
//   const node = await startNode()                    test.after.always(() => node.stop())
//   await node.kubectl('get', 'pods', '-A')           node.ask(args, { input }) for refusals and standard input
//   await node.importImage(makeImage(node.directory, …))
//   await node.run('ip', 'link')                      on the node itself, in its namespaces
//   await node.restart('kubelet')                     or 'containerd', or a part of the control plane
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { until } from '../../until.ts'
import { type ApiServer, asFlags, startApiServer } from '../apiServer.ts'
import { type Child, startChild } from '../child.ts'
import { kubeconfig, kubeletToken } from '../credentials.ts'
import type { Answer, KubectlOptions } from '../kubectl.ts'
import { toolPath } from '../tools.ts'
import { containerdConfig, containerdSocket, kubeletConfig, networkConfig } from './config.ts'
import { busyboxImage, pauseImage } from './image.ts'
import { makeSpace, type Space } from './space.ts'

export const nodeName = 'node-1'
const serviceAddress = '10.0.0.1' // of the Service `kubernetes`, first of the API server's range
const apiPort = 6443

type Part = 'containerd' | 'kubelet' | 'kube-controller-manager' | 'kube-scheduler'

const controlPlane = ['kube-controller-manager', 'kube-scheduler'] as const

// A line of bash that succeeds when the part is at work.
const isAtWork: Readonly<Record<Part, () => string>> = {
  containerd: () => `${toolPath('ctr')} --address ${containerdSocket} --connect-timeout 1s version`,
  kubelet: () =>
    "exec 3<>/dev/tcp/127.0.0.1/10248; printf 'GET /healthz HTTP/1.0\\r\\n\\r\\n' >&3; grep -q ' 200 OK' <&3",
  'kube-controller-manager': () => 'true',
  'kube-scheduler': () => 'true',
}

export class Node implements AsyncDisposable {
  readonly name = nodeName
  readonly api: ApiServer
  readonly #space: Space
  readonly #commands: Readonly<Record<Part, readonly string[]>>
  readonly #running = new Map<Part, Child>()

  constructor(space: Space, api: ApiServer) {
    this.#space = space
    this.api = api
    this.#commands = commandsOf(space, api)
  }

  get directory(): string {
    return this.api.directory
  }

  get cgroup(): string {
    return this.#space.cgroup
  }

  kubectl(...args: string[]): Promise<string> {
    return this.api.kubectl(...args)
  }

  ask(args: readonly string[], options?: KubectlOptions): Promise<Answer> {
    return this.api.ask(args, options)
  }

  /** Applies a manifest's text; refuses with what kubectl said. */
  async apply(text: string): Promise<string> {
    const { code, out, err } = await this.ask(['apply', '-f', '-'], { input: text })
    if (code !== 0) throw new Error(`Cannot apply ${text.slice(0, 200)}: ${err}`)
    return out
  }

  run(command: string, ...args: string[]): Promise<string> {
    return this.#space.run(command, ...args)
  }

  /** A command that runs another on the node, and takes it along when it dies. */
  get within(): readonly string[] {
    return this.#space.within
  }

  importImage(archive: string): Promise<string> {
    return this.run(
      toolPath('ctr'),
      '--address',
      containerdSocket,
      '--namespace',
      'k8s.io',
      'images',
      'import',
      '--local',
      archive,
    )
  }

  /** Kills it and starts it again; resolves when it is at work. */
  async restart(part: Part): Promise<void> {
    await this.#running.get(part)?.stop('SIGKILL')
    // What was killed is nsenter; the part itself dies with it, a moment later.
    await until(`the end of ${part}`, async () => !(await this.#isAtWork(part)))
    await this.#start(part)
  }

  async start(): Promise<void> {
    await this.#routeServices()
    await this.#start('containerd')
    for (const archive of [pauseImage(this.directory), busyboxImage(this.directory)])
      await this.importImage(archive)
    await Promise.all(controlPlane.map(part => this.#start(part)))
    await this.#start('kubelet')
    await this.kubectl('wait', '--for=create', 'serviceaccount/default', '--timeout=120s')
    await this.kubectl('wait', '--for=create', `node/${nodeName}`, '--timeout=120s')
    await this.kubectl('wait', '--for=condition=Ready', `node/${nodeName}`, '--timeout=120s')
  }

  /** All at once, by taking the namespaces away. Twice is fine. */
  async stop(): Promise<void> {
    await this.#space.close()
    await this.api.stop()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  async #start(part: Part): Promise<void> {
    const path = `PATH=${dirname(toolPath('containerd'))}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`
    const command = [...this.#space.within, 'env', path, ...this.#commands[part]]
    const child = startChild(part, command, { logFile: join(this.directory, `${part}.log`) })
    this.#running.set(part, child)
    await child.ready(() => this.#isAtWork(part))
  }

  #isAtWork(part: Part): Promise<boolean> {
    return this.run('bash', '-c', isAtWork[part]()).then(yes, no)
  }

  /** What kube-proxy would do for the one Service that pods need. */
  async #routeServices(): Promise<void> {
    for (const chain of ['PREROUTING', 'OUTPUT']) {
      const rule = [
        '-d',
        serviceAddress,
        '-p',
        'tcp',
        '--dport',
        '443',
        '-j',
        'DNAT',
        '--to-destination',
        `${this.#space.address}:${apiPort}`,
      ]
      await this.run('iptables', '-t', 'nat', '-A', chain, ...rule)
    }
  }
}

const yes = () => true
const no = () => false

export async function startNode(): Promise<Node> {
  const space = await makeSpace()
  try {
    const api = await startApiServer({
      address: space.address,
      port: apiPort,
      within: space.within,
      serviceAccounts: true,
    })
    const node = new Node(space, api)
    await node.start().catch(async (error: unknown) => {
      await node.stop()
      throw error
    })
    return node
  } catch (error) {
    await space.close()
    throw error
  }
}

function commandsOf(
  { address, cgroup }: Space,
  { directory, url, caFile, credentials, kubeconfig: admin }: ApiServer,
): Readonly<Record<Part, readonly string[]>> {
  const file = (name: string, text: string) => {
    mkdirSync(dirname(join(directory, name)), { recursive: true })
    writeFileSync(join(directory, name), text)
    return join(directory, name)
  }
  file('cni/10-pods.conflist', networkConfig())
  const manager = {
    kubeconfig: admin,
    controllers: '*,-nodeipam,-cloud-node-lifecycle,-service-lb-controller,-node-route-controller',
    'use-service-account-credentials': 'true',
    'service-account-private-key-file': credentials.keyFile,
    'root-ca-file': caFile,
    'leader-elect': 'false',
  }
  const kubelet = {
    kubeconfig: file('kubelet.kubeconfig', kubeconfig(url, caFile, kubeletToken(nodeName))),
    config: file('kubelet.json', kubeletConfig(address, cgroup)),
    'hostname-override': nodeName,
    'node-ip': address,
    'root-dir': join(directory, 'kubelet'),
    'cert-dir': join(directory, 'kubelet-certificates'),
  }
  return {
    containerd: [
      toolPath('containerd'),
      '--config',
      file('containerd.toml', containerdConfig(directory)),
    ],
    kubelet: [toolPath('kubelet'), ...asFlags(kubelet)],
    'kube-controller-manager': [toolPath('kube-controller-manager'), ...asFlags(manager)],
    'kube-scheduler': [
      toolPath('kube-scheduler'),
      ...asFlags({ kubeconfig: admin, 'leader-elect': 'false' }),
    ],
  }
}
