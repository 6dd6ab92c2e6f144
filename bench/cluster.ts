// Latency in a cluster: from applying a PacketCapture to the first packet in its file, and from a
// pod's address to its first captured packet. A real API server, one simulated node with the real
// agent, a packet each millisecond. Sends the requests of kubectl without kubectl's start (some 100
// ms). Reads the file every 5 ms.
//   node_modules/.bin/node bench/cluster.ts [RUNS]
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as after } from 'node:timers/promises'
import {
  packetCapture,
  type SimulatedCluster,
  type SimulatedNode,
} from '../test/support/kube/simulated.ts'
import type { Scope } from '../test/support/net/namespace.ts'
import { readRecords } from '../test/support/pcap/captureFile.ts'
import { ask, connected } from './clusterKube.ts'
import { median } from './median.ts'
import { withCluster } from './withCluster.ts'

const runs = Number(process.argv[2] ?? 60)
const fileHeaderBytes = 24

/** `captured`: the packet's timestamp; `readable`: when it was in the file. Milliseconds. */
type Seen = { readonly captured: number; readonly readable: number }

await withCluster(main)

async function main(cluster: SimulatedCluster, scope: Scope): Promise<void> {
  await cluster.api.kubectl('create', 'namespace', 'shop')
  const node = await cluster.addNode('node-1')
  const pod = await node.addPod('shop', 'web-0', { app: 'web' })
  await node.startAgent()
  const kube = await connected(cluster, scope)
  const port = await pod.sender.listenUdp('0.0.0.0')
  void pod.sender.udp({ to: pod.hostAddress, port, count: 10_000_000, gapMs: 1 }).catch(() => {}) // until it is ended
  const captures = '/apis/projectcalico.org/v3/namespaces/shop/packetcaptures'

  const applied: Seen[] = []
  for (let run = 0; run < runs; run++) {
    const name = `run-${run}`
    const startMs = Date.now()
    await ask(kube, 'POST', captures, packetCapture(name, { filters: [{ protocol: 'UDP' }] }))
    applied.push(await firstPacket(node, name, startMs))
    await ask(kube, 'DELETE', `${captures}/${name}`)
    while (existsSync(join(node.captures, 'shop', name))) await after(20)
  }

  const appeared: Seen[] = []
  const status = '/api/v1/namespaces/shop/pods/web-0/status'
  for (let run = 0; run < runs; run++) {
    const name = `pod-${run}`
    await ask(kube, 'PATCH', status, { status: { podIP: null, podIPs: null } })
    await ask(kube, 'POST', captures, packetCapture(name, { filters: [{ protocol: 'UDP' }] }))
    await after(700) // the agent has seen both
    const startMs = Date.now()
    await ask(kube, 'PATCH', status, {
      status: { podIP: pod.podAddress, podIPs: [{ ip: pod.podAddress }] },
    })
    appeared.push(await firstPacket(node, name, startMs))
    await ask(kube, 'DELETE', `${captures}/${name}`)
    while (existsSync(join(node.captures, 'shop', name))) await after(20)
  }
  const results = {
    applied: show('capture applied', applied),
    appeared: show('pod has an address', appeared),
  }
  process.stdout.write(`${JSON.stringify({ bench: 'cluster', results })}\n`)
}

function show(what: string, seen: readonly Seen[]) {
  const captured = seen.map(each => each.captured)
  const readable = seen.map(each => each.readable)
  const figures = {
    capturedMs: median(captured),
    capturedP99Ms: highest(captured),
    readableMs: median(readable),
    readableP99Ms: highest(readable),
  }
  process.stdout.write(
    `${what}: first packet captured after ${figures.capturedMs} ms (99th percentile ${figures.capturedP99Ms}), in the file after ${figures.readableMs} ms (${figures.readableP99Ms})\n`,
  )
  return figures
}

async function firstPacket(node: SimulatedNode, name: string, startMs: number): Promise<Seen> {
  for (const endMs = Date.now() + 30_000; Date.now() < endMs; await after(5)) {
    const [file] = node.files('shop', name)
    const path = join(node.captures, 'shop', name, file ?? '')
    if (
      file === undefined ||
      (statSync(path, { throwIfNoEntry: false })?.size ?? 0) <= fileHeaderBytes
    )
      continue
    const readable = Date.now() - startMs
    const [first] = readRecords(readFileSync(path), 'pcap')
    return {
      captured: Math.max(0, Math.round(Number(first?.atNs ?? 0n) / 1e6 - startMs)),
      readable,
    }
  }
  throw new Error(`Cannot measure: no packet of ${name} within 30 s`)
}

function highest(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.ceil(values.length * 0.99) - 1] ?? 0
}
