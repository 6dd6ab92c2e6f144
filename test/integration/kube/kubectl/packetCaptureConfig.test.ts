// `kubectl pcap` fetches what the nodes made of a PacketCaptureConfig: for administrators, and for
// whoever may have its files.
import { readdirSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { exitCodes } from '../../../../src/model/codes.ts'
import {
  addressOf,
  config,
  framesOf,
  runsOn,
  setStage,
  untilConfig,
} from '../../../support/kube/packetCaptureConfigs.ts'
import { addGateway, makeUser } from '../../../support/kube/pluginFixture.ts'
import { addPodsWithoutAgent } from '../../../support/kube/podsWithoutAgent.ts'
import { useSimulated } from '../../../support/kube/useSimulated.ts'
import { root } from '../../../support/repository.ts'

const { cluster, clusterTest } = useSimulated()

clusterTest(
  'a PacketCaptureConfig is fetched from every node that made a file, and by nobody without the right',
  async t => {
    process.env.PATH = `${join(root, 'bin')}${delimiter}${process.env.PATH}`
    const { pods } = await setStage(cluster())
    await cluster().api.kubectl('create', 'namespace', 'shop')
    const kubeconfig = await makeUser(cluster())
    await addGateway(cluster(), ['--apis', 'packetcaptureconfig'])
    const pcap = (...args: string[]) => cluster().api.ask(['pcap', ...args], { timeoutMs: 120_000 })
    const named = [
      ['my-app-pod', 'default'],
      ['my-other-pod', 'kube-system'],
    ].map(([podName, namespace]) => ({ podName, namespace }))
    await cluster().apply(
      config('fetched', {
        podSelector: { pods: named },
        targetPorts: [80],
        maxPackets: 4,
        duration: 600,
      }),
    )
    await runsOn(cluster(), 'fetched', [1, 2])
    for (const { sender } of pods) await sender.frames('eth0', framesOf({ port: 80 }, 5))
    const { captureFiles } = await untilConfig(
      cluster(),
      'fetched',
      'completion',
      now => now?.phase === 'Completed',
    )

    const folder = join(cluster().directory, 'fetched')
    const { code, out, err } = await pcap('download', 'fetched', '--dest', folder)
    t.is(code, 0, err)
    t.regex(out, /^Downloaded 2 files, .*, verified, to /)
    for (const [index, node] of ['node-1', 'node-2'].entries()) {
      const [name = '', ...others] = readdirSync(join(folder, node))
      t.deepEqual(others, [])
      const { output_file: path = '' } = captureFiles[addressOf(index + 1)] ?? {}
      t.true(path.endsWith(`/${name}`), `${path} and ${name}`)
      t.deepEqual(readFileSync(join(folder, node, name)), readFileSync(path))
    }
    const refused = await pcap(
      'download',
      'fetched',
      '--api',
      'packetcaptureconfig',
      '--kubeconfig',
      kubeconfig,
    )
    t.is(refused.code, exitCodes.notAllowed, refused.err)
    t.regex(refused.err, /packetcaptureconfigs/)
  },
)

clusterTest(
  'a pod on a node without an agent is told of while the others are captured',
  async t => {
    const labels = { 'kubernetes.io/os': 'windows' }
    await addPodsWithoutAgent(cluster(), 'shop', { windows: labels }, { windows: ['far-0'] })
    const pods = [
      { podName: 'far-0', namespace: 'shop' },
      { podName: 'my-app-pod', namespace: 'default' },
    ]
    await cluster().apply(config('far', { podSelector: { pods }, duration: 600 }))
    const { message = '', withoutAgent } = await untilConfig(
      cluster(),
      'far',
      'the message',
      now => now?.phase === 'Running' && now.withoutAgent !== undefined,
    )
    const missed = 'windows: no agent runs on a Windows node, so nothing is captured of shop.far-0'
    t.is(message, `Packet capture running on 1 of 2 nodes; ${missed}`)
    t.deepEqual(withoutAgent, [{ node: 'windows', kind: 'Windows', pods: ['shop.far-0'] }])
    const pcap = (...args: string[]) => cluster().api.ask(['pcap', ...args], { timeoutMs: 120_000 })
    const listed = await pcap('list', '--api', 'packetcaptureconfig')
    t.true(listed.out.includes(missed), listed.out)
    const described = await pcap('describe', 'far', '--api', 'packetcaptureconfig')
    t.true(described.out.includes(missed), described.out)
    const events = await cluster().get<{ items: { reason: string; message: string }[] }>(
      ...['events', '-A', '--field-selector', 'involvedObject.name=far,reason=NoAgent'],
    )
    t.is(events.items[0]?.message, missed)
  },
)
