// PacketCaptureConfigs that are printed: lines are in the agent's log while the capture runs, each
// once, also when the agent is killed, and nothing is left running.
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { addressOf, boundPacketSockets, config, framesOf, packetSockets, range, runsOn, startAgent, untilConfig, useStage } from '../../../support/kube/packetCaptureConfigs.ts' // biome-ignore format: one line
import type { SimulatedNode, SimulatedPod } from '../../../support/kube/simulated.ts'
import { until } from '../../../support/until.ts'

const { cluster, clusterTest, onStage } = useStage()

const printed = (name: string, spec: object): object =>
  config(name, {
    podSelector: { pods: [{ podName: 'my-app-pod', namespace: 'default' }] },
    duration: 600,
    outputFormat: 'stdout',
    ...spec,
  })

/** To ports of their own: each line says which packet it is of. */
const send = ({ sender }: SimulatedPod, from: number, to: number): Promise<unknown> =>
  sender.frames('eth0', range(to - from, from).flatMap(number => framesOf({ port: number }, 1))) // biome-ignore format: one line

function portsIn(node: SimulatedNode, first: number, count: number): number[] {
  const lines = node.agent.tail(100_000).split('\n').filter(line => line.startsWith('PACKET: ')) // biome-ignore format: one line
  const ports = lines.map(line =>
    Number(/> 192\.0\.2\.2\.(\d+): Flags .*, \d+ bytes$/.exec(line)?.[1]),
  )
  return ports.filter(port => !(port < first || port >= first + count)) // one that is none stays, and is told of
}

function decoders(node: SimulatedNode): string[] {
  const network = readlinkSync(`/proc/${node.namespace.pid}/ns/net`)
  return readdirSync('/proc').filter(pid => {
    try {
      return (
        /^tcpdump$/m.test(readFileSync(`/proc/${pid}/comm`, 'utf8')) &&
        readlinkSync(`/proc/${pid}/ns/net`) === network
      )
    } catch {
      return false // it is no process, or ended
    }
  })
}

/** Whether the next agent would begin behind all that is in the files. */
function isNoted(node: SimulatedNode, name: string): boolean {
  const folder = join(node.captures, 'networking.packet.io', name)
  const notes = readFileSync(join(folder, '.printed'), 'utf8').trimEnd().split('\n')
  return node.files('networking.packet.io', name).every(file => {
    const { ino, size } = statSync(join(folder, file))
    return notes.includes(`${ino} ${size}`)
  })
}

clusterTest(
  'lines appear while the capture runs, and there are exactly as many as packets',
  async t => {
    const { nodes, pods } = await onStage()
    const [node, pod] = [nodes[0] ?? t.fail(), pods[0] ?? t.fail()]
    await cluster().apply(printed('live', { maxPackets: 40 }))
    await runsOn(cluster(), 'live', [1])
    t.deepEqual(decoders(node), [])
    const used = new Set<string>()
    for (const number of range(5)) {
      await send(pod, 1_000 + number, 1_001 + number)
      await until(`line ${number}`, () => portsIn(node, 1_000, 100).length === number + 1)
      for (const pid of decoders(node)) used.add(pid)
    }
    t.is(used.size, 1)
    const { phase, captureFiles } = await untilConfig(
      cluster(),
      'live',
      'its run',
      now => now?.phase === 'Running',
    )
    t.is(phase, 'Running')
    t.is(captureFiles[addressOf(1)]?.status, 'running')
    await send(pod, 1_005, 1_060)
    const done = await untilConfig(
      cluster(),
      'live',
      'completion',
      now => now?.phase === 'Completed',
    )
    t.deepEqual(done.captureFiles[addressOf(1)], { status: 'completed', output_file: 'Packet capture logs are in stdout format', file_size: 0 }) // biome-ignore format: one line
    t.deepEqual(portsIn(node, 1_000, 100), range(40, 1_000))
    await until('tcpdump to go', () => decoders(node).length === 0)
    t.deepEqual(node.files('networking.packet.io', 'live'), [])
  },
)

clusterTest('an agent that is killed prints no line twice and loses none', async t => {
  const { nodes, pods } = await onStage()
  const [node, pod] = [nodes[0] ?? t.fail(), pods[0] ?? t.fail()]
  await cluster().apply(printed('killed', { maxPackets: 30 }))
  await runsOn(cluster(), 'killed', [1])
  await send(pod, 2_000, 2_010)
  await until('ten lines', () => portsIn(node, 2_000, 100).length === 10)
  await until('them to be noted', () => isNoted(node, 'killed'))
  await node.stopAgent('SIGKILL')
  await until('its taps to go', () => packetSockets(node) === 0)
  await until('its tcpdump to go', () => decoders(node).length === 0)
  await startAgent(cluster(), node)
  await until('its taps to be back', () => boundPacketSockets(node) > 0)
  await send(pod, 2_010, 2_020)
  await until('twenty lines', () => portsIn(node, 2_000, 100).length >= 20)
  t.deepEqual(portsIn(node, 2_000, 100), range(20, 2_000))
  await send(pod, 2_020, 2_050)
  await untilConfig(cluster(), 'killed', 'completion', now => now?.phase === 'Completed')
  t.deepEqual(portsIn(node, 2_000, 100), range(30, 2_000))
})

clusterTest('a capture that is deleted while it runs is printed no more', async t => {
  const { nodes, pods } = await onStage()
  const [node, pod] = [nodes[0] ?? t.fail(), pods[0] ?? t.fail()]
  await cluster().apply(printed('gone', { maxPackets: 1_000 }))
  await runsOn(cluster(), 'gone', [1])
  await send(pod, 3_000, 3_010)
  await until('ten lines', () => portsIn(node, 3_000, 100).length === 10)
  t.is(decoders(node).length, 1)
  await cluster().api.kubectl('delete', 'pcc', 'gone')
  await until('its taps to go', () => packetSockets(node) === 0)
  await until('its tcpdump to go', () => decoders(node).length === 0)
  t.deepEqual(node.files('networking.packet.io', 'gone'), [])
  t.false(node.agent.tail(100_000).includes('not printed'))
})
