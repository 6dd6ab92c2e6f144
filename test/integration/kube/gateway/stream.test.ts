// Live streams through the gateway: two nodes, real packets, one pcapng stream that tshark reads.
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { GatewayClient } from '../../../support/kube/gatewayClient.ts'
import {
  packetCapture,
  type SimulatedNode,
  type SimulatedPod,
} from '../../../support/kube/simulated.ts'
import { useSimulated } from '../../../support/kube/useSimulated.ts'
import { shared } from '../../../support/shared.ts'
import { until } from '../../../support/until.ts'

const { cluster, clusterTest } = useSimulated()

type Stage = {
  readonly nodes: readonly SimulatedNode[]
  readonly pods: readonly SimulatedPod[]
  readonly gateway: GatewayClient
  readonly token: string
}
let stage: Stage | undefined
const path = '/v1/namespaces/shop/packetcaptures/live/stream'

const onStage = shared(async (): Promise<Stage> => {
  await cluster().api.kubectl('create', 'namespace', 'shop')
  const nodes = await Promise.all(['node-1', 'node-2'].map(name => cluster().addNode(name)))
  const pods = await Promise.all(
    nodes.map((node, index) => node.addPod('shop', `web-${index}`, { app: 'web' })),
  )
  await Promise.all(nodes.map(node => node.startAgent()))
  const gateway = await GatewayClient.start(cluster())
  await cluster().api.kubectl('create', 'serviceaccount', 'dev', '-n', 'shop')
  await cluster().api.kubectl(
    'create',
    'rolebinding',
    'dev',
    '-n',
    'shop',
    '--clusterrole=selcap-files',
    '--serviceaccount=shop:dev',
  )
  const token = (await cluster().api.kubectl('create', 'token', 'dev', '-n', 'shop')).trim()
  await cluster().apply(
    packetCapture('live', { selector: "app == 'web'", filters: [{ protocol: 'UDP' }] }),
  )
  await until('the taps', () => nodes.every(node => node.files('shop', 'live').length === 1))
  await gateway.reports(2)
  stage = { nodes, pods, gateway, token }
  return stage
})

/** What a reader has so far, and what tshark makes of it. */
class Reader {
  readonly response: IncomingMessage
  readonly #chunks: Buffer[] = []
  isOver = false

  constructor(response: IncomingMessage) {
    this.response = response
    response.on('data', (chunk: Buffer) => this.#chunks.push(chunk))
    response.on('close', () => {
      this.isOver = true
    })
  }

  /** How many have joined: blocks of type 1. */
  get interfaces(): number {
    const all = Buffer.concat(this.#chunks)
    let count = 0
    for (let at = 0; at + 8 <= all.length; at += all.readUInt32LE(at + 4))
      if (all.readUInt32LE(at) === 1) count++
    return count
  }

  /** Of each packet: the interface's description and the time. */
  packets(): { endpoint: string; seconds: number }[] {
    const file = join(cluster().directory, 'stream.pcapng')
    writeFileSync(file, Buffer.concat(this.#chunks))
    const fields = ['-T', 'fields', '-e', 'frame.interface_description', '-e', 'frame.time_epoch']
    const lines = execFileSync('tshark', ['-r', file, ...fields], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
      .trim()
      .split('\n')
    return lines
      .filter(line => line !== '')
      .map(line => ({ endpoint: line.split('\t')[0] ?? '', seconds: Number(line.split('\t')[1]) }))
  }
}

async function reading(): Promise<Reader> {
  const { gateway, token } = await onStage()
  const reader = new Reader(await gateway.open({ path, token }))
  await until('the interfaces', () => reader.interfaces >= 2)
  return reader
}

clusterTest('a stream holds the packets of all nodes in time order, each with its pod', async t => {
  const { pods } = await onStage()
  const reader = await reading()
  for (let round = 0; round < 5; round++)
    for (const pod of pods) await pod.sender.udp({ to: pod.hostAddress, port: 9, count: 2 })
  await until('20 packets', () => reader.packets().length === 20)
  const packets = reader.packets()
  t.deepEqual(
    new Set(packets.map(({ endpoint }) => endpoint)),
    new Set(['shop/web-0', 'shop/web-1']),
  )
  const times = packets.map(({ seconds }) => seconds)
  t.deepEqual(
    times,
    times.toSorted((a, b) => a - b),
  )
  reader.response.destroy()
})

clusterTest('a pod that appears joins the stream that is running', async t => {
  const { nodes } = await onStage()
  const reader = await reading()
  const late = await nodes[1]?.addPod('shop', 'late', { app: 'web' })
  await until('its packets', async () => {
    await late?.sender.udp({ to: late.hostAddress, port: 9, count: 1 })
    return reader.packets().some(({ endpoint }) => endpoint === 'shop/late')
  })
  t.true(reader.packets().length > 0)
  reader.response.destroy()
})

clusterTest('a node whose agent is killed comes back into the stream', async t => {
  const { nodes, pods } = await onStage()
  const reader = await reading()
  await nodes[0]?.stopAgent('SIGKILL')
  await pods[1]?.sender.udp({ to: pods[1].hostAddress, port: 9, count: 3 })
  await until(
    'the other node to go on',
    () => reader.packets().filter(({ endpoint }) => endpoint === 'shop/web-1').length === 3,
  )
  await nodes[0]?.startAgent()
  await until('it to be back', async () => {
    await pods[0]?.sender.udp({ to: pods[0].hostAddress, port: 9, count: 1 })
    return reader.packets().some(({ endpoint }) => endpoint === 'shop/web-0')
  })
  t.false(reader.isOver)
  reader.response.destroy()
})

clusterTest('a stream ends when the capture is over, and there is none of one that is', async t => {
  const { gateway, token } = await onStage()
  const reader = await reading()
  const patch = JSON.stringify({ spec: { endTime: new Date().toISOString() } })
  await cluster().api.kubectl(
    'patch',
    'packetcapture',
    'live',
    '-n',
    'shop',
    '--type=merge',
    '-p',
    patch,
  )
  await until('the end', () => reader.isOver)
  t.true(reader.response.complete)
  t.deepEqual(
    [(await gateway.ask({ path, token })).code, (await gateway.ask({ path })).code],
    [409, 401],
  )
})
