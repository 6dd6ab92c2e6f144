// Memory without rings, and idle CPU, of a real agent whose node has that many captured pods,
// compared with as many tcpdump on the same interfaces. memory.ts measures `selcap standalone`;
// this one has a real API server.
//   node_modules/.bin/node bench/clusterMemory.ts [PODS]
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as after } from 'node:timers/promises'
import { hostInterfaceName } from '../src/core/endpoint/calicoNames.ts'
import type { Kube } from '../src/kube/request.ts'
import {
  packetCapture,
  type SimulatedCluster,
  type SimulatedNode,
} from '../test/support/kube/simulated.ts'
import type { Scope } from '../test/support/net/namespace.ts'
import { ask, connected } from './clusterKube.ts'
import { cpuPercent, mib, ringsOf, useOf } from './use.ts'
import { withCluster } from './withCluster.ts'

const count = Number(process.argv[2] ?? 250)
const quietMs = 20_000 // until what opening needed has been given back
const pods = Array.from({ length: count }, (_, index) => ({
  name: `web-${index}`,
  address: `10.20.${index >> 8}.${index & 255}`,
}))
const interfaces = pods.map(({ name }) => hostInterfaceName('shop', name, 'cali'))

await withCluster(main)

async function main(cluster: SimulatedCluster, scope: Scope): Promise<void> {
  await cluster.api.kubectl('create', 'namespace', 'shop')
  const node = await cluster.addNode('node-1')
  await node.namespace.ip(
    ...interfaces.flatMap((name, index) => [
      `link add ${name} type veth peer name pod${index}`,
      `link set ${name} up`,
    ]),
  )
  const kube = await connected(cluster, scope)
  for (const pod of pods) await addPod(kube, pod.name, pod.address)
  const agent = await node.startAgent()
  await ask(
    kube,
    'POST',
    '/apis/projectcalico.org/v3/namespaces/shop/packetcaptures',
    packetCapture('all', {}),
  )
  const ours = await report('agent', [agent.pid])
  await agent.stop('SIGTERM')

  const peers = pods.map((_, index) =>
    startTcpdump(node, interfaces[index] ?? '', Math.round((ours.ringsMib * 1_024) / count)),
  )
  try {
    const theirs = await report(
      'tcpdump',
      peers.map(({ pid }) => pid ?? 0),
    )
    const results = { pods: count, agent: ours, tcpdump: theirs }
    process.stdout.write(`${JSON.stringify({ bench: 'clusterMemory', results })}\n`)
  } finally {
    const ended = peers.map(each => once(each, 'exit'))
    for (const each of peers) each.kill('SIGINT')
    await Promise.all(ended)
  }
}

async function addPod(kube: Kube, name: string, address: string): Promise<void> {
  const metadata = { name, namespace: 'shop', labels: { app: 'web' } }
  const spec = { nodeName: 'node-1', containers: [{ name: 'main', image: 'app' }] }
  await ask(kube, 'POST', '/api/v1/namespaces/shop/pods', {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata,
    spec,
  })
  const status = { phase: 'Running', podIP: address, podIPs: [{ ip: address }] }
  await ask(kube, 'PATCH', `/api/v1/namespaces/shop/pods/${name}/status`, { status })
}

async function report(what: string, pids: readonly number[]) {
  while (pids.reduce((open, pid) => open + ringsOf(pid), 0) < count) await after(200)
  await after(quietMs)
  const idle = await cpuPercent(pids)
  const { rss, pss, rings } = useOf(pids)
  process.stdout.write(
    `${count} ${what}: RSS without rings ${mib(rss)} MiB (Pss ${mib(pss)}), rings ${mib(rings)} MiB, idle ${idle.toFixed(2)} %\n`,
  )
  return { rssMib: mib(rss), pssMib: mib(pss), ringsMib: mib(rings), idlePercent: idle }
}

function startTcpdump(node: SimulatedNode, interfaceName: string, ringKib: number): ChildProcess {
  const command = [
    `--net=${node.namespace.path}`,
    'tcpdump',
    '-n',
    '-Z',
    'root',
    '-i',
    interfaceName,
    '-B',
    String(ringKib),
    '-w',
    '/dev/null',
  ]
  return spawn('nsenter', command, { stdio: 'ignore' })
}
