// PacketCaptureConfigs of advanced users on three nodes, with real packets; and the settings of
// their ConfigMap, which apply to agents and controllers that run.
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import type { ExecutionContext } from 'ava'
import { Directory } from '../../../support/directory.ts'
import {
  addressOf,
  config,
  framesOf,
  numbersIn,
  packetSockets,
  range,
  runsOn,
  type Stage,
  startAgent,
  untilConfig,
  useStage,
} from '../../../support/kube/packetCaptureConfigs.ts'
import type { SimulatedNode } from '../../../support/kube/simulated.ts'
import { inside } from '../../../support/net/run.ts'
import { ethernet, ipv4, numbered, numberOf, tcp } from '../../../support/pcap/frames.ts'
import { packetsIn } from '../../../support/pcap/pcap.ts'
import { root } from '../../../support/repository.ts'
import { freePort } from '../../../support/stores/server.ts'
import { until } from '../../../support/until.ts'

const { cluster, clusterTest, onStage } = useStage()

const file = join(root, 'test', 'fixtures', 'packetcaptureconfig-advanced.yaml')

async function heldBy(name: string): Promise<unknown[]> {
  const { captureFiles } = await untilConfig(
    cluster(),
    name,
    'completion',
    now => now?.phase === 'Completed',
  )
  return [1, 2, 3].map(node => {
    const { output_file: path = '' } = captureFiles[addressOf(node)] ?? {}
    // A node compresses all but its newest file: the one that the status named may be gone by now.
    const isCompressed = path.endsWith('.gz') || !existsSync(path)
    const bytes = readFileSync(isCompressed ? `${path.replace(/\.gz$/, '')}.gz` : path)
    return packetsIn(isCompressed ? gunzipSync(bytes) : bytes).map(({ data }) => numberOf(data))
  })
}

clusterTest(
  'the samples for advanced users complete with exactly their packets on each node',
  async t => {
    const stage = await onStage()
    await cluster().api.kubectl('apply', '-f', file)
    for (const name of ['custom-filter-capture', 'high-volume-capture'])
      await runsOn(cluster(), name, [1, 2, 3])
    for (const { sender } of stage.pods) {
      // Of the second all that come from or go to the network, of the first those of the address by
      // TCP to these ports.
      await sender.frames('eth0', framesOf({ from: '10.0.1.1', port: 80 }, 5, 90_000))
      await sender.frames('eth0', framesOf({ from: '10.0.0.1', port: 80, protocol: 'udp' }, 500))
      await sender.frames('eth0', framesOf({ from: '10.0.0.200', port: 443 }, 500, 500))
      await sender.frames('eth0', framesOf({ from: '10.0.0.1', port: 8_080 }, 500, 1_000))
      for (let first = 1_500; first < 10_100; first += 2_150)
        await sender.frames('eth0', framesOf({ from: '10.0.0.1', port: 443 }, 2_150, first))
    }
    t.deepEqual(await heldBy('custom-filter-capture'), Array(3).fill(range(1_000, 1_500)))
    t.deepEqual(await heldBy('high-volume-capture'), Array(3).fill(range(10_000)))
  },
)

const onePod = {
  podSelector: { pods: [{ podName: 'my-app-pod', namespace: 'default' }] },
  targetPorts: [80],
  duration: 600,
}
const settings = { MAX_CAPTURE_FILES: '4', MAX_CAPTURE_FILE_SIZE_MB: '10', LOG_LEVEL: 'INFO' }

async function captured(t: ExecutionContext, stage: Stage, name: string): Promise<string> {
  await cluster().apply(config(name, { ...onePod, maxPackets: 2_000 }))
  await runsOn(cluster(), name, [1])
  const large = range(1_500).map(number => tcp(numbered(number, 1_000), { toPort: 80 }))
  const frames = large.map(body => ethernet({ type: 0x0800, body: ipv4({ protocol: 6, body }) })) // one and a half megabytes
  await stage.pods[0]?.sender.frames('eth0', frames)
  await stage.pods[0]?.sender.frames('eth0', framesOf({ port: 80 }, 500, 1_500))
  const { captureFiles } = await untilConfig(
    cluster(),
    name,
    'completion',
    now => now?.phase === 'Completed',
  )
  const { output_file: path = '', file_size: size } = captureFiles[addressOf(1)] ?? {}
  t.is(size, statSync(path).size)
  return path
}

function isSaid(node: SimulatedNode, name: string): boolean {
  return node.agent.tail(100_000).includes(`"tap":"networking.packet.io/${name}/`)
}

/**
 * Makes captures until the agent tells of one, or of one no more: by then it has taken its settings
 * over.
 */
async function untilSaid(node: SimulatedNode, isExpected: boolean): Promise<void> {
  const asked = { count: 0 }
  await until(`the agent to ${isExpected ? 'tell' : 'tell no more'}`, async () => {
    const name = `asked-${isExpected}-${asked.count++}`
    await cluster().apply(config(name, onePod))
    await runsOn(cluster(), name, [1])
    const isAsExpected = isSaid(node, name) === isExpected
    await cluster().api.kubectl('delete', 'pcc', name)
    return isAsExpected
  })
}

clusterTest(
  'MAX_CAPTURE_FILE_SIZE_MB and LOG_LEVEL apply to an agent that runs, and no file is longer',
  async t => {
    const stage = await onStage()
    const node = stage.nodes[0] ?? t.fail()
    const mounted = new Directory(t)
    mounted.mountConfigMap(settings)
    await node.stopAgent()
    await until('its taps to go', () => packetSockets(node) === 0)
    await startAgent(cluster(), node, ['--settings', mounted.path])
    t.deepEqual(numbersIn(await captured(t, stage, 'long')), range(2_000))
    t.true(isSaid(node, 'long'))
    mounted.mountConfigMap({ ...settings, MAX_CAPTURE_FILE_SIZE_MB: '1', LOG_LEVEL: 'ERROR' })
    await untilSaid(node, false)
    const path = await captured(t, stage, 'short')
    const numbers = numbersIn(path)
    t.deepEqual(numbers, range(numbers.length))
    const { size } = statSync(path)
    t.true(size <= 1_000_000 && size > 1_000_000 - 1_100, `${size} bytes`)
    t.false(isSaid(node, 'short'))
    mounted.mountConfigMap(settings)
    await untilSaid(node, true)
  },
)

clusterTest('LOG_LEVEL applies to a controller that runs', async t => {
  const mounted = new Directory(t)
  mounted.mountConfigMap({ LOG_LEVEL: 'ERROR', MAX_CAPTURE_FILES: '4' })
  const kubeconfig = await cluster().kubeconfigFor('selcap-controller', 'second')
  const port = await freePort()
  const args = [
    'controller',
    '--kubeconfig',
    kubeconfig,
    '--metrics-port',
    `${port}`,
    '--settings',
    mounted.path,
  ]
  const controller = cluster().run('controller-second', undefined, args)
  await until(
    'it to run',
    async () => (await inside(cluster().networkPath, 'ss', ['-Hltn', `sport = :${port}`])) !== '',
  )
  mounted.mountConfigMap({ LOG_LEVEL: 'INFO', MAX_CAPTURE_FILES: 'many' }) // which is worth a warning
  await until('the warning', () => controller.tail(1_000).includes('setting not usable'))
  await controller.stop()
  const said = controller.tail(1_000)
  t.false(said.includes('selcap controller started'), said)
  t.true(said.includes('selcap controller stopped'), said)
})
