// An agent with a real API server while the disk of its captures does not answer: health, watch,
// report, live stream and conditions go on, and after the thaw nothing is missing. Twenty seconds
// are longer than any wait for a disk in the agent.
import type { IncomingMessage } from 'node:http'
import type { NodeReportStatus } from '../../../src/core/status/nodeReport.ts'
import type { CaptureStatusElement } from '../../../src/model/status.ts'
import { GatewayClient } from '../../support/kube/gatewayClient.ts'
import { packetCapture, type SimulatedNode } from '../../support/kube/simulated.ts'
import { useSimulated } from '../../support/kube/useSimulated.ts'
import { freezableDisk, freezeRefusal } from '../../support/net/freezableDisk.ts'
import { until, untilFound } from '../../support/until.ts'

const frozenMs = 20_000

const refusal = await freezeRefusal() // before the first hook is declared
const { cluster, clusterTest } = useSimulated()

type Condition = { readonly type: string; readonly status: string; readonly message: string }
type Status = {
  readonly conditions: readonly Condition[]
  readonly files: readonly CaptureStatusElement[]
}

async function statusOf(capture: string): Promise<Status | undefined> {
  type Found = { readonly status?: Status }
  return (await cluster().get<Found>('packetcapture', capture, '-n', 'shop')).status
}

async function degradedOf(capture: string): Promise<string | undefined> {
  const found = (await statusOf(capture))?.conditions.find(({ type }) => type === 'Degraded')
  return found?.status === 'True' ? found.message : undefined
}

async function rowOf(node: string, capture: string) {
  const { code, out } = await cluster().api.ask(['get', 'nodecapturereport', node, '-o', 'json'])
  if (code !== 0) return undefined
  const { report } = JSON.parse(out) as { readonly report?: NodeReportStatus }
  return report?.captures.find(({ name }) => name === capture)
}

/** What a kubelet asks; a probe that fails or takes longer fails the test. */
async function probe(node: SimulatedNode): Promise<readonly string[]> {
  const port = /"port":(\d+)[^\n]*"metrics served"/.exec(node.agent.tail(100_000))?.[1]
  const ask = (path: string) =>
    node.namespace.run('curl', '-sS', '--fail', '--max-time', '10', `127.0.0.1:${port}${path}`)
  return [await ask('/healthz'), await ask('/readyz')]
}

function bytesOf(response: IncomingMessage): () => Buffer {
  const chunks: Buffer[] = []
  response.on('data', (chunk: Buffer) => chunks.push(chunk))
  return () => Buffer.concat(chunks)
}

/** Blocks of that type in a pcapng stream: 1 is an interface, 6 a packet. */
function blocks(stream: Buffer, type: number): number {
  let count = 0
  for (let at = 0; at + 8 <= stream.length; at += stream.readUInt32LE(at + 4))
    if (stream.readUInt32LE(at) === type) count++
  return count
}

/** How much waits in memory, by a message of a report. */
function bytesIn(message = ''): number {
  return Number(/; (\d+) bytes wait in memory/.exec(message)?.[1] ?? 0)
}

async function setStage() {
  await cluster().api.kubectl('create', 'namespace', 'shop')
  const node = await cluster().addNode('node-1')
  const pod = await node.addPod('shop', 'web-0', { app: 'web' })
  const config = await cluster().kubeconfigFor('selcap-controller', 'a')
  const ports = ['--metrics-port', '0']
  const controller = cluster().run('controller', undefined, [
    ...['controller', '--kubeconfig', config, ...ports],
  ])
  const gateway = await GatewayClient.start(cluster())
  await cluster().api.kubectl('create', 'serviceaccount', 'dev', '-n', 'shop')
  const binding = ['--clusterrole=selcap-files', '--serviceaccount=shop:dev']
  await cluster().api.kubectl('create', 'rolebinding', 'dev', '-n', 'shop', ...binding)
  const token = (await cluster().api.kubectl('create', 'token', 'dev', '-n', 'shop')).trim()
  return { node, pod, controller, gateway, token }
}

clusterTest('an agent whose disk does not answer goes on with all else', async t => {
  if (refusal !== undefined) {
    t.pass(`no disk can be frozen here: ${refusal}`)
    return
  }
  const { node, pod, controller, gateway, token } = await setStage()
  const disk = await freezableDisk(t, node.captures)
  await node.startAgent()
  t.teardown(() => node.stopAgent('SIGKILL'))
  const waiting = { everyMs: 200, tails: [node.agent, controller] }
  const spec = { selector: "app == 'web'", filters: [{ protocol: 'UDP' }] }
  const send = (count: number) => pod.sender.udp({ to: pod.hostAddress, port: 9, count })
  await cluster().apply(packetCapture('web', spec))
  await until('the tap', async () => (await statusOf('web'))?.files.length === 1, waiting)
  await send(10)
  await until('10 packets', () => node.records('shop', 'web') === 10)
  const path = '/v1/namespaces/shop/packetcaptures/web/stream'
  await gateway.reports(1)
  const stream = bytesOf(await gateway.open({ path, token }))
  await until('the stream', () => blocks(stream(), 1) >= 1)

  const frozenAtMs = Date.now()
  await disk.freeze()
  await send(20)
  await cluster().apply(packetCapture('late', spec))
  const degraded = await untilFound('DiskStalled', () => degradedOf('web'), waiting)
  t.regex(degraded, /the disk has taken no packet since 20\S+Z; \d+ bytes wait in memory/)
  const late = await untilFound(
    'the row of the late capture',
    async () => (await rowOf('node-1', 'late'))?.problems[0]?.message,
    waiting,
  )
  t.regex(late, /the disk of the capture files has not answered since/)
  let sent = 20
  let waitingBytes = 0
  const moreThan = async (before: number) => {
    const bytes = bytesIn((await rowOf('node-1', 'web'))?.problems[0]?.message)
    return bytes > before ? bytes : undefined
  }
  while (Date.now() - frozenAtMs < frozenMs) {
    t.deepEqual(await probe(node), ['ok\n', 'ok\n'])
    await send(5)
    sent += 5
    await until(`${sent} packets of the stream`, () => blocks(stream(), 6) === sent, waiting)
    waitingBytes = await untilFound('more that waits', () => moreThan(waitingBytes), waiting)
  }
  // The watch of the API server goes on: a capture that never opens needs no disk.
  await cluster().apply(packetCapture('past', { ...spec, endTime: '2020-01-01T00:00:00Z' }))
  await until(
    'the row of a past capture',
    async () => (await rowOf('node-1', 'past'))?.file.state === 'Finished',
    waiting,
  )
  t.truthy(await degradedOf('web'))
  t.log(`frozen for ${Date.now() - frozenAtMs} ms, ${sent} packets sent meanwhile`)

  await disk.thaw()
  await until(`${10 + sent} packets`, () => node.records('shop', 'web') === 10 + sent)
  await until('no problem', async () => (await degradedOf('web')) === undefined, waiting)
  await until('the late tap', () => node.files('shop', 'late').length === 1)
  await until('its state', async () => (await degradedOf('late')) === undefined, waiting)
  await send(5)
  await until('5 packets of the late capture', () => node.records('shop', 'late') === 5)
  await until(`${15 + sent} packets`, () => node.records('shop', 'web') === 15 + sent)
  t.is((await rowOf('node-1', 'web'))?.file.dropped, 0)
})
