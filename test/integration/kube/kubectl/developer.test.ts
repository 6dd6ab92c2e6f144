// From beginning to end, as the developer of one namespace: three nodes, a capture made, watched,
// followed live and downloaded, packet by packet what was sent; and everywhere else nothing, with
// the name of the right that is missing.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  addGateway,
  makeStage,
  type Stage,
  untilState,
} from '../../../support/kube/pluginFixture.ts'
import type { SimulatedNode, SimulatedPod } from '../../../support/kube/simulated.ts'
import { useSimulated } from '../../../support/kube/useSimulated.ts'
import { range } from '../../../support/net/contract/packets.ts'
import { readRecords } from '../../../support/pcap/captureFile.ts'
import { numberOf } from '../../../support/pcap/frames.ts'
import { readStream } from '../../../support/pcap/pcapng.ts'
import { shared } from '../../../support/shared.ts'
import { until } from '../../../support/until.ts'

const { cluster, clusterTest } = useSimulated()
type Three = Stage & {
  readonly nodes: readonly SimulatedNode[]
  readonly pods: readonly SimulatedPod[]
}

const onStage = shared((): Promise<Three> => prepare())

async function prepare(): Promise<Three> {
  const stage = await makeStage(cluster())
  const node = await cluster().addNode('node-3')
  const pod = await node.addPod('shop', 'web-2', { app: 'web', 'pod-name': 'web-2' })
  await node.startAgent()
  await addGateway(cluster())
  return { ...stage, nodes: [...stage.nodes, node], pods: [...stage.pods, pod] }
}

const each = 1_000 // packets of each pod

clusterTest(
  'what is streamed and downloaded is what was sent on three nodes, each packet once and in order',
  async t => {
    t.timeout(180_000)
    const stage = await onStage()
    const { code, err } = await stage.pcap(
      'create',
      'web',
      '-l',
      'app == "web"',
      '--protocol',
      'udp',
      '--wait',
    )
    t.is(code, 0, err)
    t.regex(err, /^web is WaitingForTraffic: 3 nodes, 3 endpoints, 0 packets\n$/)
    const file = join(cluster().directory, 'live.pcapng')
    const [watching, streaming] = [
      stage.pcap('watch', 'web'),
      stage.pcap('stream', 'web', '--write', file),
    ]
    await until('the stream of all nodes', () => interfacesIn(file) === 3)
    for (const pod of stage.pods)
      await pod.sender.udp({ to: pod.hostAddress, port: 9, count: each, bytes: 200, gapMs: 0.2 })
    await untilState(stage, 'web', ({ status }) => status?.packets === 3 * each)
    t.is((await stage.pcap('stop', 'web')).code, 0)
    t.is((await streaming).code, 0)
    const watched = await watching
    t.is(watched.code, 0)
    t.regex(watched.out, new RegExp(`\nweb +app == "web" +Finished +3 +3 +${3 * each} +0 `))

    const { interfaces, packets } = readStream(readFileSync(file))
    t.deepEqual(interfaces.map(({ description }) => description).toSorted(), stage.pods.map(({ name }) => `shop/${name}`)) // biome-ignore format: one line
    for (const number of interfaces.keys())
    t.deepEqual(packets.filter(packet => packet.interface === number).map(({ bytes }) => numberOf(bytes)), range(0, each)) // biome-ignore format: one line

    const paths = (
      await stage.pcap(
        'download',
        'web',
        '--dest',
        join(cluster().directory, 'files'),
        '-o',
        'name',
      )
    ).out
      .trim()
      .split('\n')
    t.is(paths.length, 3)
    for (const path of paths) t.deepEqual(readRecords(readFileSync(path), 'pcap').map(({ bytes }) => numberOf(bytes)), range(0, each)) // biome-ignore format: one line
  },
)

/** Of a file that grows: its last block may not be whole. */
function interfacesIn(file: string): number {
  try {
    return readStream(readFileSync(file)).interfaces.length
  } catch {
    return 0
  }
}

clusterTest(
  'in another namespace every command says which right is missing, and does nothing',
  async t => {
    const stage = await onStage()
    t.is((await stage.asAdmin('create', 'theirs', '-n', 'other')).code, 0)
    const before = (await stage.asAdmin('describe', 'theirs', '-n', 'other', '-o', 'json')).out
    const [captures, files, stream] = [/cannot \w+ resource "packetcaptures" in API group "projectcalico.org" in the namespace "other"/, /may not (get|delete) packetcaptures\/files in group "projectcalico.org" in the namespace "other"/, /may not get packetcaptures\/stream in group/] // biome-ignore format: one line
    for (const [right, ...words] of [
      [captures, 'create', 'ours'],
      [captures, 'list'],
      [captures, 'describe', 'theirs'],
      [captures, 'watch', 'theirs'],
      [captures, 'watch'],
      [captures, 'stop', 'theirs'],
      [captures, 'delete', 'theirs'],
      [captures, 'delete', '--all'],
      [captures, 'explain', 'theirs'],
      [/cannot list resource "pods"/, 'explain', '-l', 'all()'],
      [files, 'download', 'theirs'],
      [files, 'download', 'not-there'],
      [files, 'copy', 'theirs'],
      [files, 'clean', 'theirs'],
      [stream, 'stream', 'theirs'],
    ] as const) {
      const { code, out, err } = await stage.pcap(...words, '-n', 'other')
      t.deepEqual([code, out], [4, ''], `${words.join(' ')}: ${err}`)
      t.regex(err, right, words.join(' '))
    }
    const same = (text: string) =>
      (JSON.parse(text) as { capture: { spec: object; metadata: { uid: string } } }).capture
    const after = (await stage.asAdmin('describe', 'theirs', '-n', 'other', '-o', 'json')).out
    t.deepEqual(
      [same(after).spec, same(after).metadata.uid],
      [same(before).spec, same(before).metadata.uid],
    )
  },
)
