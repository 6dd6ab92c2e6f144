// PacketCaptureConfigs on three nodes where not all goes well: a filter that is too long for the
// kernel, a file that cannot be made, a spec that cannot be read, and deletions in every phase.
import { renameSync, rmSync, writeFileSync } from 'node:fs'
import type { ExecutionContext } from 'ava'
import {
  addressOf,
  boundPacketSockets,
  collectGarbage,
  config,
  type Events,
  filesOf,
  framesOf,
  namesIn,
  numbersIn,
  packetSockets,
  range,
  runsOn,
  type Stage,
  startAgent,
  untilConfig,
  useStage,
} from '../../../support/kube/packetCaptureConfigs.ts'
import { until } from '../../../support/until.ts'

const { cluster, clusterTest, onStage } = useStage()

async function deleteAndWait(t: ExecutionContext, { nodes }: Stage, name: string): Promise<void> {
  await cluster().api.kubectl('delete', 'pcc', name)
  await until('its files to go', () =>
    nodes.every(node => !namesIn(filesOf(cluster(), node)).some(file => file.includes(name))),
  )
  await until('its directories to go', () =>
    nodes.every(node => node.files('networking.packet.io', name).length === 0),
  )
  await until('its taps to go', () => nodes.every(node => packetSockets(node) === 0))
  t.pass()
}

clusterTest(
  'a capture of 256 addresses, a filter too long for the kernel, holds exactly their packets',
  async t => {
    const stage = await onStage()
    const targetIPs = range(256).map(number => `10.99.${number}.7`)
    await cluster().apply(
      config('long', { targetIPs, targetPorts: range(64, 1_000), maxPackets: 40 }),
    )
    await runsOn(cluster(), 'long', [1, 2, 3])
    for (const { sender } of stage.pods) {
      for (const from of ['10.99.0.7', '10.99.255.7']) {
        await sender.frames('eth0', framesOf({ from, port: 999, protocol: 'udp' }, 10, 5_000))
        await sender.frames(
          'eth0',
          framesOf({ from: '10.98.0.7', port: 1_063, protocol: 'udp' }, 10, 6_000),
        )
        await sender.frames(
          'eth0',
          framesOf({ from, port: 1_063, protocol: 'udp' }, 20, from === '10.99.0.7' ? 0 : 20),
        )
      }
    }
    const { captureFiles } = await untilConfig(
      cluster(),
      'long',
      'completion',
      now => now?.phase === 'Completed',
    )
    for (const node of [1, 2, 3])
      t.deepEqual(numbersIn(captureFiles[addressOf(node)]?.output_file ?? ''), range(40))
  },
)

clusterTest(
  'a capture goes on where it was when its agent is killed, and ends with exactly its packets',
  async t => {
    const stage = await onStage()
    const [node, pod] = [stage.nodes[0] ?? t.fail(), stage.pods[0] ?? t.fail()]
    const pods = [{ podName: 'my-app-pod', namespace: 'default' }]
    await cluster().apply(
      config('killed', { podSelector: { pods }, targetPorts: [80], maxPackets: 30, duration: 600 }),
    )
    await runsOn(cluster(), 'killed', [1])
    await pod.sender.frames('eth0', framesOf({ port: 80 }, 10))
    await until(
      'ten packets on the disk',
      () => node.records('networking.packet.io', 'killed') === 10,
    )
    await node.stopAgent('SIGKILL')
    await until('its taps to go', () => packetSockets(node) === 0)
    await startAgent(cluster(), node)
    await until('its taps to be back', () => boundPacketSockets(node) > 0)
    await pod.sender.frames('eth0', framesOf({ port: 80 }, 25, 10))
    const { captureFiles } = await untilConfig(
      cluster(),
      'killed',
      'completion',
      now => now?.phase === 'Completed',
    )
    t.deepEqual(numbersIn(captureFiles[addressOf(1)]?.output_file ?? ''), range(30))
  },
)

clusterTest('a file that cannot be made is tried again, and each attempt is told of', async t => {
  const stage = await onStage()
  const directory = filesOf(cluster(), stage.nodes[2] ?? t.fail())
  renameSync(directory, `${directory}-away`)
  writeFileSync(directory, 'a file where the directory should be')
  await cluster().apply(config('again', { targetIPs: ['10.77.0.1'], duration: 2 }))
  const { message, phase } = await untilConfig(
    cluster(),
    'again',
    'an attempt',
    now => (now?.captureFiles[addressOf(3)]?.attempts ?? 0) > 1,
  )
  t.is(phase, 'Running')
  t.regex(message, /node-3: attempt \d failed and is made again: /)
  rmSync(directory)
  renameSync(`${directory}-away`, directory)
  const { captureFiles } = await untilConfig(
    cluster(),
    'again',
    'completion',
    now => now?.phase === 'Completed',
  )
  t.deepEqual(numbersIn(captureFiles[addressOf(3)]?.output_file ?? ''), [])
  const { items } = await cluster().get<Events>('events', '-n', 'default')
  const reasons = items
    .filter(({ involvedObject }) => involvedObject.name === 'again')
    .map(({ reason }) => reason)
  t.true(reasons.filter(reason => reason === 'CaptureRetrying').length > 1, reasons.join())
  t.true(reasons.includes('CaptureCompleted'))
})

clusterTest(
  'deleting a capture leaves nothing of it on any node, in whatever phase it is',
  async t => {
    const stage = await onStage()
    const collected = collectGarbage(t, cluster())
    const nowhere = { podSelector: { pods: [{ podName: 'nobody', namespace: 'default' }] } }
    await cluster().apply(config('gone-starting', nowhere))
    await untilConfig(cluster(), 'gone-starting', 'its start', now => now?.phase === 'Starting')
    await deleteAndWait(t, stage, 'gone-starting')

    await cluster().apply(config('gone-running', { targetIPs: ['10.8.0.1'], duration: 600 }))
    await runsOn(cluster(), 'gone-running', [1, 2, 3])
    for (const { sender } of stage.pods)
      await sender.frames('eth0', framesOf({ from: '10.8.0.1', port: 1 }, 10))
    await untilConfig(cluster(), 'gone-running', 'its run', now => now?.phase === 'Running')
    await deleteAndWait(t, stage, 'gone-running')

    for (const name of ['long', 'killed', 'again']) await deleteAndWait(t, stage, name)
    await until('their results to go', async () => {
      const { items } = await cluster().get<{ items: { metadata: { name: string } }[] }>(
        'configmaps',
        '-n',
        'selcap-system',
      )
      return !collected || items.every(({ metadata }) => !metadata.name.endsWith('-results'))
    })
    t.deepEqual(stage.nodes.flatMap(node => namesIn(filesOf(cluster(), node))), []) // biome-ignore format: one line
  },
)

clusterTest('a capture that cannot be read is Failed, with the field, and tells so', async t => {
  await onStage()
  await cluster().apply(config('wrong', { targetIPs: ['10.0.0.1'], filter: 'host example.com' }))
  const { message } = await untilConfig(
    cluster(),
    'wrong',
    'its failure',
    now => now?.phase === 'Failed',
  )
  t.regex(message, /spec\.filter: found the name "example\.com"/)
})
