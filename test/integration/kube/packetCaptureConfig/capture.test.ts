// PacketCaptureConfigs from kubectl apply to files: the four samples on three nodes, with real
// packets; each holds exactly what it asks for, on the nodes that it concerns.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  addressOf,
  config,
  type Events,
  filesOf,
  framesOf,
  namesIn,
  numbersIn,
  packetSockets,
  range,
  runsOn,
  untilConfig,
  useStage,
} from '../../../support/kube/packetCaptureConfigs.ts'
import { root } from '../../../support/repository.ts'
import { until } from '../../../support/until.ts'

const { cluster, clusterTest, onStage } = useStage()

const samples = join(root, 'test', 'fixtures', 'packetcaptureconfig-samples.yaml')

const sample = async (name: string): Promise<void> => {
  const { kubectl } = { kubectl: cluster().api.kubectl.bind(cluster().api) }
  const all = JSON.parse(
    await kubectl('create', '--dry-run=client', '-f', samples, '-o', 'json').then(asList),
  ) as {
    metadata: { name: string }
  }[]
  await cluster().apply(all.find(({ metadata }) => metadata.name === name) ?? {})
}
// kubectl prints one object after the other.
const asList = (text: string): string => `[${text.trim().replaceAll(/\n}\n{/g, '\n},\n{')}]`

clusterTest('ip-capture completes with exactly 2000 packets on each node', async t => {
  const stage = await onStage()
  await sample('ip-capture')
  await runsOn(cluster(), 'ip-capture', [1, 2, 3])
  const wanted = { from: '10.0.0.1', port: 80 }
  const others = [{ from: '10.0.0.1', port: 81 }, { from: '10.0.0.9', port: 80 }, { from: '10.0.0.2', port: 443, protocol: 'udp' }] as const // biome-ignore format: one line
  for (const { sender } of stage.pods) {
    for (const other of others) await sender.frames('eth0', framesOf(other, 5, 9_000))
    await sender.frames('eth0', framesOf(wanted, 1_000))
    await sender.frames(
      'eth0',
      framesOf({ from: '192.0.2.9', to: '10.0.0.2', port: 443 }, 1_050, 1_000),
    )
  }
  const status = await untilConfig(
    cluster(),
    'ip-capture',
    'completion',
    now => now?.phase === 'Completed',
  )
  t.is(status.message, 'Packet capture completed on all nodes')
  t.deepEqual(Object.keys(status.captureFiles).toSorted(), [1, 2, 3].map(addressOf))
  for (const [index, node] of stage.nodes.entries()) {
    const { output_file: path = '', ...file } = status.captureFiles[addressOf(index + 1)] ?? {}
    t.regex(path, /\/ip-capture-\d{8}-\d{6}\.pcap$/)
    t.is(join(filesOf(cluster(), node), path.split('/').at(-1) ?? ''), path)
    t.deepEqual(numbersIn(path), range(2_000))
    t.deepEqual(file as object, { status: 'completed', file_size: readFileSync(path).length })
  }
})

clusterTest(
  'pod-capture completes with text of exactly 2000 packets, on the nodes of its pods only',
  async t => {
    const stage = await onStage()
    await sample('pod-capture')
    await runsOn(cluster(), 'pod-capture', [1, 2])
    for (const { sender } of stage.pods)
      await sender.frames('eth0', [
        ...framesOf({ port: 443 }, 2_100),
        ...framesOf({ port: 8_080 }, 5),
      ])
    const { captureFiles } = await untilConfig(
      cluster(),
      'pod-capture',
      'completion',
      now => now?.phase === 'Completed',
    )
    t.deepEqual(Object.keys(captureFiles).toSorted(), [1, 2].map(addressOf))
    for (const { output_file: path } of Object.values(captureFiles)) {
      const lines = readFileSync(path, 'utf8').trimEnd().split('\n')
      t.is(lines.length, 2_000)
      t.true(lines.every(line => /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6} IP 192\.0\.2\.1\.4000 > 192\.0\.2\.2\.443: Flags .*, 86 bytes$/.test(line)), lines[0]) // biome-ignore format: one line
    }
  },
)

clusterTest('combined-capture completes on the node of its pod only', async t => {
  const stage = await onStage()
  await sample('combined-capture')
  await runsOn(cluster(), 'combined-capture', [1])
  for (const { sender } of stage.pods)
    await sender.frames('eth0', framesOf({ from: '10.0.0.1', port: 80 }, 2_050))
  const { captureFiles } = await untilConfig(
    cluster(),
    'combined-capture',
    'completion',
    now => now?.phase === 'Completed',
  )
  t.deepEqual(Object.keys(captureFiles), [addressOf(1)])
  t.deepEqual(numbersIn(captureFiles[addressOf(1)]?.output_file ?? ''), range(2_000))
})

clusterTest(
  'realtime-capture completes with exactly 1000 lines in the log of each agent',
  async t => {
    const stage = await onStage()
    await sample('realtime-capture')
    await runsOn(cluster(), 'realtime-capture', [1, 2, 3])
    for (const { sender } of stage.pods)
      await sender.frames('eth0', framesOf({ to: '192.168.1.100', port: 443 }, 1_100))
    const { captureFiles } = await untilConfig(
      cluster(),
      'realtime-capture',
      'completion',
      now => now?.phase === 'Completed',
    )
    for (const [index, { agent }] of stage.nodes.entries()) {
      t.deepEqual(captureFiles[addressOf(index + 1)], { status: 'completed', output_file: 'Packet capture logs are in stdout format', file_size: 0 }) // biome-ignore format: one line
      const lines = agent.tail(100_000).split('\n').filter(line => line.startsWith('PACKET: ')) // biome-ignore format: one line
      t.is(lines.length, 1_000)
      t.true(lines.every(line => / > 192\.168\.1\.100\.443: .*, 86 bytes$/.test(line)))
    }
  },
)

clusterTest('each capture has told its story, and left its results', async t => {
  await onStage()
  const { items } = await cluster().get<Events>('events', '-n', 'default')
  for (const name of ['ip-capture', 'pod-capture', 'combined-capture', 'realtime-capture']) {
    const reasons = items
      .filter(({ involvedObject }) => involvedObject.name === name)
      .map(({ reason }) => reason)
    t.true(
      reasons.includes('CaptureStarted') && reasons.includes('CaptureCompleted'),
      `${name}: ${reasons}`,
    )
    t.true(
      reasons.every(reason => !/Fail|Retry/.test(reason)),
      `${name}: ${reasons}`,
    )
    type Results = {
      metadata: { ownerReferences: { kind: string; name: string }[] }
      data: Record<string, string>
    }
    const { metadata, data } = await cluster().get<Results>(
      'configmap',
      `${name}-results`,
      '-n',
      'selcap-system',
    )
    t.like(metadata.ownerReferences[0], { kind: 'PacketCaptureConfig', name })
    t.like(JSON.parse(data['results.json'] ?? ''), {
      name,
      status: { phase: 'Completed' },
      spec: { targetPorts: [80, 443] },
    })
  }
})

clusterTest('a capture ends with its duration, and holds what passed by then', async t => {
  const stage = await onStage()
  await cluster().apply(config('short', { targetIPs: ['10.7.0.0/16'], duration: 4 }))
  await runsOn(cluster(), 'short', [1, 2, 3])
  await stage.pods[1]?.sender.frames(
    'eth0',
    framesOf({ from: '10.7.1.2', port: 5, protocol: 'udp' }, 20),
  )
  const { captureFiles } = await untilConfig(
    cluster(),
    'short',
    'completion',
    now => now?.phase === 'Completed',
  )
  const held = [1, 2, 3].map(node => numbersIn(captureFiles[addressOf(node)]?.output_file ?? ''))
  t.deepEqual(held, [[], range(20), []])
  await until('its taps to go', () => stage.nodes.every(node => packetSockets(node) === 0))
})

clusterTest('all files but the newest are compressed, and the status follows', async t => {
  await onStage()
  const first = await untilConfig(cluster(), 'ip-capture', 'compression', now =>
    Object.values(now?.captureFiles ?? {}).every(file => file.output_file.endsWith('.pcap.gz')),
  )
  t.is(first.phase, 'Completed')
})

clusterTest('only so many files are kept on a node, and each that goes is told of', async t => {
  const stage = await onStage()
  const pods = [{ podName: 'my-app-pod', namespace: 'default' }]
  for (const number of range(4)) {
    await cluster().apply(
      config(`many-${number}`, {
        podSelector: { pods },
        targetPorts: [80],
        maxPackets: 3,
        duration: 600,
      }),
    )
    await runsOn(cluster(), `many-${number}`, [1])
    await stage.pods[0]?.sender.frames('eth0', framesOf({ port: 80 }, 3))
    await untilConfig(cluster(), `many-${number}`, 'completion', now => now?.phase === 'Completed')
  }
  const directory = filesOf(cluster(), stage.nodes[0] ?? t.fail())
  await until(
    'the oldest to go',
    () => namesIn(directory).filter(name => !name.startsWith('.')).length === 4,
  )
  t.deepEqual(namesIn(directory).map(name => name.replace(/-\d{8}-\d{6}/, '')), ['many-0.pcap.gz', 'many-1.pcap.gz', 'many-2.pcap.gz', 'many-3.pcap']) // biome-ignore format: one line
  const { captureFiles, phase } = await untilConfig(
    cluster(),
    'short',
    'the deletion',
    now => now?.captureFiles[addressOf(1)]?.file_size === 0,
  )
  t.is(phase, 'Completed')
  t.regex(captureFiles[addressOf(1)]?.output_file ?? '', /was deleted/)
  const { items } = await cluster().get<Events>('events', '-n', 'default')
  const deletion = items.find(
    ({ reason, involvedObject }) => reason === 'FileDeleted' && involvedObject.name === 'short',
  )
  t.regex(deletion?.message ?? '', /short-\d{8}-\d{6}\.pcap(\.gz)? was deleted on 198\.19\.0\.1/)
})
