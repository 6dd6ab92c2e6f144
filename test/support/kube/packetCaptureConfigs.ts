// Three simulated nodes that serve PacketCaptureConfig, with the pods that the samples name, for
// tests: agents and a controller with the rights of the overlay, files of each node in a directory
// of its own, frames as a test wants them.
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { PacketCaptureConfigStatus } from '../../../src/api/packetcaptureconfig/status.ts'
import type { Scope } from '../net/namespace.ts'
import { ethernet, ipv4, numbered, numberOf, tcp, udp } from '../pcap/frames.ts'
import { packetsIn } from '../pcap/pcap.ts'
import { root } from '../repository.ts'
import { shared } from '../shared.ts'
import { untilFound } from '../until.ts'
import { asFlags } from './apiServer.ts'
import { type Child, startChild } from './child.ts'
import type { Resource, SimulatedCluster, SimulatedNode, SimulatedPod } from './simulated.ts'
import { toolPath } from './tools.ts'
import { useSimulated } from './useSimulated.ts'

export type Stage = {
  readonly nodes: readonly SimulatedNode[]
  readonly pods: readonly SimulatedPod[] // one on each node
  readonly controller: Child
}

export type Config = Resource & {
  readonly status?: PacketCaptureConfigStatus & { readonly lastUpdateTime: string }
}

const apis = ['--apis', 'packetcaptureconfig']

/** One stage for a test file, set when a test asks for it. */
export function useStage(): ReturnType<typeof useSimulated> & {
  readonly onStage: () => Promise<Stage>
} {
  const simulated = useSimulated()
  return { ...simulated, onStage: shared(() => setStage(simulated.cluster())) }
}

export async function setStage(cluster: SimulatedCluster): Promise<Stage> {
  await cluster.api.kubectl('apply', '-k', join(root, 'crds', 'packetcaptureconfig'))
  await cluster.api.kubectl('wait', '--for=condition=Established', 'crd', '--all', '--timeout=60s')
  await cluster.api.kubectl(
    'apply',
    '-k',
    join(root, 'daemonset', 'overlays', 'packetcaptureconfig'),
  )
  const nodes: SimulatedNode[] = []
  for (const name of ['node-1', 'node-2', 'node-3']) nodes.push(await cluster.addNode(name)) // addresses in this order
  const places = [['default', 'my-app-pod'], ['kube-system', 'my-other-pod'], ['default', 'bystander']] as const // biome-ignore format: one line
  const pods = await Promise.all(
    nodes.map((node, index) => node.addPod(places[index]?.[0] ?? '', places[index]?.[1] ?? '', {})),
  )
  for (const node of nodes) {
    mkdirSync(filesOf(cluster, node))
    await startAgent(cluster, node)
  }
  const file = await cluster.kubeconfigFor('selcap-controller', 'a')
  const controller = cluster.run('controller', undefined, [
    'controller',
    '--kubeconfig',
    file,
    '--metrics-port',
    '0',
    ...apis,
  ])
  await controller.ready(() =>
    Promise.resolve(controller.tail(1_000).includes('selcap controller started')),
  )
  return { nodes, pods, controller }
}

export async function startAgent(
  cluster: SimulatedCluster,
  node: SimulatedNode,
  more: readonly string[] = [],
): Promise<void> {
  await node.startAgent([...apis, ...more], {
    FELIX_PACKETCAPTURESDIR: filesOf(cluster, node),
    MAX_CAPTURE_FILES: '4',
  })
}

/** Where a node's agent puts its files. */
export function filesOf(cluster: SimulatedCluster, node: SimulatedNode): string {
  return join(cluster.directory, `${node.name}-files`)
}

export function namesIn(directory: string): string[] {
  return readdirSync(directory).toSorted()
}

export type Frame = {
  readonly from?: string
  readonly to?: string
  readonly port: number
  readonly protocol?: 'tcp' | 'udp'
}

/** So many frames, numbered from `first` on. */
export function framesOf(
  { from = '192.0.2.1', to = '192.0.2.2', port, protocol = 'tcp' }: Frame,
  count: number,
  first = 0,
): Buffer[] {
  const body = (number: number) =>
    protocol === 'tcp'
      ? tcp(numbered(number), { toPort: port })
      : udp(numbered(number), { toPort: port })
  return Array.from({ length: count }, (_, index) =>
    ethernet({
      type: 0x0800,
      body: ipv4({ from, to, protocol: protocol === 'tcp' ? 6 : 17, body: body(first + index) }),
    }),
  )
}

export function config(name: string, spec: object): object {
  return {
    apiVersion: 'networking.packet.io/v1',
    kind: 'PacketCaptureConfig',
    metadata: { name },
    spec,
  }
}

/** Waits until it is so, and says what it is when it never is. */
export async function untilConfig(
  cluster: SimulatedCluster,
  name: string,
  what: string,
  isSo: (status: Config['status']) => boolean,
): Promise<NonNullable<Config['status']>> {
  const seen: { status?: Config['status'] } = {}
  const look = async () => {
    seen.status = (await cluster.get<Config>('pcc', name)).status
    return seen.status && isSo(seen.status) ? seen.status : undefined
  }
  return untilFound(what, look, { everyMs: 200, found: () => seen.status })
}

/** Taps are open on a node when its kernel has packet sockets. */
export function packetSockets(node: SimulatedNode): number {
  return socketLines(node).length
}

/** Those that are bound to an interface: packets from now on are theirs. */
export function boundPacketSockets(node: SimulatedNode): number {
  return socketLines(node).filter(line => line.trim().split(/\s+/)[5] === '1').length
}

function socketLines(node: SimulatedNode): readonly string[] {
  const path = `/proc/${node.namespace.pid}/net/packet`
  return readFileSync(path, 'utf8').trim().split('\n').slice(1)
}

/**
 * Kubernetes' own: what belongs to an object goes with it. False: its controllers are not built on
 * this machine.
 */
export function collectGarbage(
  scope: Scope,
  cluster: SimulatedCluster,
  controllers = 'garbage-collector-controller,namespace-controller',
): boolean {
  const built = builtControllers()
  if (built === undefined) return false
  const flags = {
    kubeconfig: cluster.api.kubeconfig,
    controllers,
    'leader-elect': 'false',
  }
  const around = ['nsenter', `--net=${cluster.networkPath}`, 'setpriv', '--pdeathsig', 'KILL', '--']
  const child = startChild('kube-controller-manager', [...around, built, ...asFlags(flags)], {
    logFile: join(cluster.directory, 'garbage.log'),
  })
  scope.teardown(() => child.stop('SIGKILL'))
  return true
}

function builtControllers(): string | undefined {
  try {
    return toolPath('kube-controller-manager')
  } catch {
    return undefined
  }
}

export type Events = {
  items: { reason: string; message: string; involvedObject: { name: string } }[]
}

const addressOf = (node: number): string => `198.19.0.${node}`
const range = (count: number, first = 0): number[] =>
  Array.from({ length: count }, (_, index) => first + index)
const numbersIn = (path: string): (number | undefined)[] =>
  packetsIn(readFileSync(path)).map(({ data }) => numberOf(data))

export { addressOf, numbersIn, range }

/** The capture's taps are open on these nodes (counted from 1), and on no other. */
export async function runsOn(
  cluster: SimulatedCluster,
  name: string,
  wanted: readonly number[],
): Promise<void> {
  const running = wanted.map(addressOf).join()
  await untilConfig(cluster, name, `taps on ${running}`, now => {
    const files = Object.entries(now?.captureFiles ?? {}).toSorted()
    return (
      files.every(([, { status }]) => status === 'running') &&
      files.map(([address]) => address).join() === running
    )
  })
}
