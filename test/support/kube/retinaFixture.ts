// Three simulated nodes that serve Retina's Capture: agents and a controller with the rights of the
// overlay, pods in two namespaces, and archives read back with the real tar.
//   const onStage = useRetina(cluster); const stage = await onStage()      one for the test file
//   await stage.apply('web', { … }); await stage.open('web', ['node-1']); const { status } = await stage.complete('web')
//   stage.numbers('node-1', archive)        numbers of the packets that the tests sent, by file of the archive
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import type { RetinaStatus } from '../../../src/api/retina/status.ts'
import type { Scope } from '../net/namespace.ts'
import { makeSender } from '../net/sender.ts'
import { numberOf } from '../pcap/frames.ts'
import { root } from '../repository.ts'
import { shared } from '../shared.ts'
import { until, untilFound } from '../until.ts'
import type { Child } from './child.ts'
import type { SimulatedCluster, SimulatedNode, SimulatedPod } from './simulated.ts'

export const nodeNames = ['node-1', 'node-2', 'node-3'] as const
export type NodeName = (typeof nodeNames)[number]

type RetinaCapture = {
  readonly metadata: {
    readonly name: string
    readonly uid: string
    readonly finalizers?: readonly string[]
  }
  readonly status?: RetinaStatus
}

export class RetinaStage {
  readonly cluster: SimulatedCluster
  readonly nodes: Readonly<Record<NodeName, SimulatedNode>>
  readonly pods: Readonly<Record<string, SimulatedPod>>
  readonly #ports = new Map<string, number>()
  #controllers = 0
  controller: Child | undefined // the first

  constructor(cluster: SimulatedCluster, nodes: RetinaStage['nodes'], pods: RetinaStage['pods']) {
    this.cluster = cluster
    this.nodes = nodes
    this.pods = pods
  }

  apply(name: string, spec: object, namespace = 'shop'): Promise<void> {
    return this.applyAll({ [name]: spec }, namespace)
  }

  /** At once, as far as one command can: their times run together. */
  async applyAll(specs: Readonly<Record<string, object>>, namespace = 'shop'): Promise<void> {
    const named = Object.entries(specs).map(([name, spec]) => ({
      metadata: { name, namespace },
      spec,
    }))
    await this.cluster.apply(
      ...named.map(each => ({ apiVersion: 'retina.sh/v1alpha1', kind: 'Capture', ...each })),
    )
  }

  get(name: string, namespace = 'shop'): Promise<RetinaCapture> {
    return this.cluster.get<RetinaCapture>('captures.retina.sh', name, '-n', namespace)
  }

  async until(
    name: string,
    what: string,
    isSo: (status: Partial<RetinaStatus>) => boolean,
    namespace = 'shop',
  ): Promise<RetinaCapture> {
    const seen: { capture?: RetinaCapture | undefined } = {}
    const look = async () => {
      seen.capture = await this.get(name, namespace).catch(() => undefined) // not made yet, perhaps
      return seen.capture && isSo(seen.capture.status ?? {}) ? seen.capture : undefined
    }
    const tails = [this.nodes['node-1'].agent]
    return untilFound(`${what} of ${name}`, look, {
      everyMs: 150,
      tails,
      found: () => seen.capture,
    })
  }

  /** From the pod to its node, where somebody listens: no answer. Without a port to that one. */
  async send(
    pod: string,
    {
      first,
      count,
      port,
    }: { readonly first: number; readonly count: number; readonly port?: number },
  ): Promise<void> {
    const from = this.pods[pod]
    if (!from) throw new Error(`Cannot send: there is no pod ${pod}`)
    await from.sender.udp({ to: from.hostAddress, port: port ?? this.port(pod), count, first })
  }

  /** Where somebody listens for the pod. */
  port(pod: string): number {
    return this.#ports.get(pod) ?? 0
  }

  async listen(scope: Scope, pod: string, node: SimulatedNode): Promise<void> {
    const sender = await makeSender(scope, node.namespace)
    this.#ports.set(pod, await sender.listenUdp(this.pods[pod]?.hostAddress ?? ''))
  }

  /** These nodes, and no others, have open taps. */
  open(name: string, nodes: readonly string[], namespace?: string): Promise<RetinaCapture> {
    const isOpen = ({ files = [] }: Partial<RetinaStatus>) =>
      files.length === nodes.length &&
      files.every(
        ({ node, state, endpoints }) =>
          nodes.includes(node) &&
          state === 'WaitingForTraffic' &&
          endpoints.every(row => row.startedAt),
      )
    return this.until(name, `taps on ${nodes.join(', ')}`, isOpen, namespace)
  }

  complete(name: string, namespace?: string): Promise<RetinaCapture> {
    const isComplete = ({ conditions = [] }: Partial<RetinaStatus>) =>
      conditions.some(({ type, status }) => type === 'complete' && status === 'True')
    return this.until(name, 'completion', isComplete, namespace)
  }

  refused(name: string, message: string, namespace?: string): Promise<RetinaCapture> {
    const isRefused = ({ conditions = [] }: Partial<RetinaStatus>) =>
      conditions.some(
        each =>
          each.type === 'error' &&
          each.status === 'True' &&
          each.reason === 'OtherError' &&
          each.message === message,
      )
    return this.until(name, `the error "${message}"`, isRefused, namespace)
  }

  /** Until its nodes have made their archives, and are done with it. */
  async remove(name: string, namespace = 'shop'): Promise<void> {
    await this.cluster.api.kubectl('delete', 'captures.retina.sh', name, '-n', namespace)
    const left = () => this.leftOvers(name, namespace)
    await until(`${name} to leave nothing`, async () => (await left()).length === 0, {
      everyMs: 200,
      found: left,
    })
  }

  /** Below the directory that the administrator has set: `{hostPath}/{file}`. */
  archives(node: NodeName): string[] {
    const base = this.base(node)
    if (!existsSync(base)) return []
    const found = readdirSync(base, { withFileTypes: true, recursive: true }).filter(entry =>
      entry.isFile(),
    )
    return found.map(entry => join(entry.parentPath, entry.name).slice(base.length + 1)).toSorted()
  }

  /** The one archive of that capture on the node. */
  archive(node: NodeName, name: string): string {
    const [found, ...others] = this.archives(node).filter(path =>
      path.includes(`/${name}-${node}-`),
    )
    if (found === undefined || others.length > 0)
      throw new Error(`Expected one archive of ${name}, found ${this.archives(node).join(', ')}`)
    return join(this.base(node), found)
  }

  /** What the archive holds, without what metadata it holds. */
  entries(archive: string): string[] {
    const names = execFileSync('tar', ['-tzf', archive], { encoding: 'utf8' }).trim().split('\n')
    return names.filter(
      name =>
        /\.(pcap\d*|txt)$/.test(name) &&
        !/^(ip-resources|iptables-rules|socket-stats)\.txt$|\//.test(name),
    )
  }

  read(archive: string, entry: string): Buffer {
    return execFileSync('tar', ['-xzOf', archive, entry], { maxBuffer: 1 << 28 })
  }

  /** By file of the archive: the numbers of the tests' packets, and how many others there are. */
  packets(
    archive: string,
  ): Record<string, { readonly numbers: readonly number[]; readonly others: number }> {
    const files = this.entries(archive).filter(name => !name.endsWith('.txt'))
    const seen = files.map(name => {
      const all = frames(this.read(archive, name)).map(numberOf)
      const numbers = all.filter(number => number !== undefined)
      return [
        name.replace(/^.*UTC/, ''),
        { numbers: numbers.toSorted((a, b) => a - b), others: all.length - numbers.length },
      ] as const
    })
    return Object.fromEntries(seen)
  }

  /** What is left of a capture on any node: working files, rows of reports. */
  async leftOvers(name: string, namespace = 'shop'): Promise<string[]> {
    const files = nodeNames.filter(node =>
      existsSync(join(this.nodes[node].captures, `${namespace}.retina.sh`, name)),
    )
    const { items } = await this.cluster.get<{
      items: {
        metadata: { name: string }
        report: { captures: { api: string; namespace: string; name: string }[] }
      }[]
    }>('nodecapturereports')
    const rows = items.filter(({ report }) =>
      report.captures.some(
        row => row.api === 'Capture' && row.name === name && row.namespace === namespace,
      ),
    )
    return [
      ...files.map(node => `files on ${node}`),
      ...rows.map(({ metadata }) => `a row of ${metadata.name}`),
    ]
  }

  async startAgent(node: NodeName): Promise<void> {
    await this.nodes[node].startAgent(['--apis', 'retina', '--config', this.#configOf(node)])
  }

  async startController(): Promise<Child> {
    const name = `retina-${++this.#controllers}`
    const kubeconfig = await this.cluster.kubeconfigFor('selcap-controller', name)
    const args = [
      'controller',
      '--kubeconfig',
      kubeconfig,
      '--metrics-port',
      '0',
      '--apis',
      'retina',
      '--config',
      this.#configOf('controller'),
    ]
    const controller = this.cluster.run(`controller-${name}`, undefined, args)
    await controller.ready(() =>
      Promise.resolve(controller.tail(1_000).includes('selcap controller started')),
    )
    return controller
  }

  /** Beside where archives go; who runs picks it up. */
  configure(settings: string): void {
    writeFileSync(this.#configOf('controller'), settings)
    for (const name of nodeNames)
      writeFileSync(
        this.#configOf(name),
        `captureHostPathBaseDir: ${this.base(name)}\ncaptureDiskFreePercentMin: 0\n${settings}`,
      )
  }

  #configOf(who: string): string {
    return join(this.cluster.directory, `${who}.yaml`)
  }

  base(node: NodeName): string {
    return join(this.cluster.directory, `${node}-archives`)
  }
}

/**
 * web-0 and vault-0 on the first node, web-1 on the second, db-0 on the third; vault-0 is in
 * another namespace, with the labels of web.
 */
async function retinaStage(
  cluster: SimulatedCluster,
  scope: Scope,
  settings: string,
): Promise<RetinaStage> {
  await cluster.api.kubectl('apply', '-k', join(root, 'daemonset', 'apis', 'retina'))
  await cluster.api.kubectl('wait', '--for=condition=Established', 'crd', '--all', '--timeout=60s')
  for (const name of ['shop', 'bank']) await cluster.api.kubectl('create', 'namespace', name)
  const [first, second, third] = await Promise.all(nodeNames.map(name => cluster.addNode(name)))
  if (!first || !second || !third) throw new Error('Cannot test: expected three nodes')
  const nodes = { 'node-1': first, 'node-2': second, 'node-3': third }
  for (const name of nodeNames)
    await cluster.api.kubectl(
      'label',
      'node',
      name,
      `kubernetes.io/hostname=${name}`,
      'kubernetes.io/os=linux',
    )
  const pods = {
    'web-0': await first.addPod('shop', 'web-0', { app: 'web' }),
    'vault-0': await first.addPod('bank', 'vault-0', { app: 'web' }),
    'web-1': await second.addPod('shop', 'web-1', { app: 'web' }),
    'db-0': await third.addPod('shop', 'db-0', { app: 'db' }),
  }
  const stage = new RetinaStage(cluster, nodes, pods)
  for (const [pod, node] of Object.entries({
    'web-0': first,
    'vault-0': first,
    'web-1': second,
    'db-0': third,
  }))
    await stage.listen(scope, pod, node)
  stage.configure(settings)
  for (const name of nodeNames) await stage.startAgent(name)
  stage.controller = await stage.startController()
  return stage
}

/** Of a pcap file of any snap length. */
function frames(file: Buffer): Buffer[] {
  const found: Buffer[] = []
  for (let at = 24; at < file.length; ) {
    const bytes = file.readUInt32LE(at + 8)
    found.push(file.subarray(at + 16, at + 16 + bytes))
    at += 16 + bytes
  }
  return found
}

/** One for the test file, made when it is first asked for. `settings`: of agents and controller. */
export function useRetina(
  cluster: () => SimulatedCluster,
  settings = '',
): () => Promise<RetinaStage> {
  const cleanUps: (() => unknown)[] = []
  test.after.always(async () => {
    for (const cleanUp of cleanUps.toReversed()) await cleanUp()
  })
  return shared(() =>
    retinaStage(cluster(), { teardown: cleanUp => void cleanUps.push(cleanUp) }, settings),
  )
}
