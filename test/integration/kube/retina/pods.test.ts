// Whose packets a Capture takes, on three nodes with real packets: never another namespace's,
// whatever is asked for together; pods are waited for and followed. And what is left when one is
// deleted, in each phase: nothing but finished archives.
import { join } from 'node:path'
import type { RetinaStatus } from '../../../../src/api/retina/status.ts'
import { nodeNames, type RetinaStage, useRetina } from '../../../support/kube/retinaFixture.ts'
import { useSimulated } from '../../../support/kube/useSimulated.ts'
import { remains } from '../../../support/until.ts'

const { cluster, clusterTest } = useSimulated()
const onStage = useRetina(cluster)

const spec = (captureTarget: object, captureOption: object = {}, more: object = {}): object => ({
  captureConfiguration: {
    captureTarget,
    captureOption: { duration: '40s', pcapFilter: 'udp', ...captureOption },
    includeMetadata: false,
    ...more,
  },
  outputConfiguration: { hostPath: 'pods' },
})
const web = { matchLabels: { app: 'web' } }
const named = (...values: string[]): object => ({
  matchExpressions: [{ key: 'kubernetes.io/metadata.name', operator: 'In', values }],
})

/** By node and file, of the tests' packets; anything else in a file makes it `undefined`. */
const held = (
  stage: RetinaStage,
  name: string,
): Record<string, Record<string, readonly number[] | undefined>> =>
  Object.fromEntries(
    nodeNames
      .filter(node => stage.archives(node).some(path => path.includes(`/${name}-${node}-`)))
      .map(node => {
        const files = Object.entries(stage.packets(stage.archive(node, name)))
        return [
          node,
          Object.fromEntries(
            files.map(([file, { numbers, others }]) => [file, others === 0 ? numbers : undefined]),
          ),
        ]
      }),
  )

clusterTest(
  'targets and filters take exactly the packets that they say, of the pods that they say',
  async t => {
    const stage = await onStage()
    const { hostAddress, podAddress } = stage.pods['web-0'] ?? { hostAddress: '', podAddress: '' }
    const wanted: Readonly<Record<string, readonly [object, readonly string[]]>> = {
      own: [spec({ podSelector: web }), ['node-1', 'node-2']],
      every: [spec({ podSelector: {} }), ['node-1', 'node-2', 'node-3']],
      names: [spec({ podNames: ['db-0', 'web-1'] }), ['node-2', 'node-3']],
      both: [
        spec({ podSelector: web, namespaceSelector: named('shop', 'bank') }),
        ['node-1', 'node-2'],
      ],
      other: [
        spec({
          podSelector: web,
          namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'bank' } },
        }),
        ['node-1'],
      ],
      exclude: [
        spec(
          { podSelector: web },
          {},
          { filters: { include: [hostAddress], exclude: [`${podAddress}:7`] } },
        ),
        ['node-1', 'node-2'],
      ],
      range: [spec({ podNames: ['web-0'] }, {}, { filters: { include: ['*:1-10'] } }), ['node-1']],
      source: [spec({ podSelector: web }, { sourceIPs: [podAddress] }), ['node-1', 'node-2']],
      back: [spec({ podNames: ['web-0'] }, { destinationIPs: [podAddress] }), ['node-1']],
      old: [
        spec(
          { podNames: ['web-0'] },
          { pcapFilter: undefined },
          { tcpdumpFilter: 'udp dst portrange 7-9' },
        ),
        ['node-1'],
      ],
      short: [spec({ podNames: ['web-0'] }, { packetSize: 60, verbosity: 'verbose' }), ['node-1']],
    }
    await stage.applyAll(
      Object.fromEntries(Object.entries(wanted).map(([name, [document]]) => [name, document])),
    )
    for (const [name, [, nodes]] of Object.entries(wanted)) await stage.open(name, nodes)
    for (const [index, pod] of ['web-0', 'vault-0', 'web-1', 'db-0'].entries())
      await stage.send(pod, { first: 100 * (index + 1), count: 2 })
    await stage.send('web-0', { first: 150, count: 2, port: 7 })
    for (const name of Object.keys(wanted)) await stage.complete(name)

    const [vault, web1, db] = [200, 300, 400].map(first => [first, first + 1])
    const web0 = [100, 101, 150, 151]
    t.deepEqual(held(stage, 'own'), { 'node-1': { '.pcap': web0 }, 'node-2': { '.pcap': web1 } })
    t.deepEqual(held(stage, 'every'), {
      'node-1': { '.pcap': web0 },
      'node-2': { '.pcap': web1 },
      'node-3': { '.pcap': db },
    })
    t.deepEqual(held(stage, 'names'), { 'node-2': { '.pcap': web1 }, 'node-3': { '.pcap': db } })
    t.deepEqual(held(stage, 'both'), {
      'node-1': { '-bank.vault-0.pcap': vault, '-web-0.pcap': web0 },
      'node-2': { '.pcap': web1 },
    })
    t.deepEqual(held(stage, 'other'), { 'node-1': { '.pcap': vault } })
    t.deepEqual(held(stage, 'exclude'), {
      'node-1': { '.pcap': [100, 101] },
      'node-2': { '.pcap': [] },
    }) // Retina: every packet of the node
    t.deepEqual(held(stage, 'range'), { 'node-1': { '.pcap': [150, 151] } })
    t.deepEqual(held(stage, 'back'), { 'node-1': { '.pcap': [] } })
    t.deepEqual(held(stage, 'old'), { 'node-1': { '.pcap': [150, 151] } })
    const { status } = await stage.get('old')
    t.regex(
      status?.conditions[0]?.message ?? '',
      /^All 1 Capture jobs are completed; tcpdumpFilter is deprecated, use captureOption\.pcapFilter$/,
    )
    t.deepEqual(held(stage, 'source'), { 'node-1': { '.pcap': web0 }, 'node-2': { '.pcap': [] } })
    t.deepEqual(held(stage, 'short'), { 'node-1': { '.pcap': web0 } })
    const archive = stage.archive('node-1', 'short')
    const text = stage
      .read(archive, stage.entries(archive).find(entry => entry.endsWith('.txt')) ?? '')
      .toString()
    t.is(text.match(/proto UDP/g)?.length, 4)
    const packets = stage.read(
      archive,
      stage.entries(archive).find(entry => entry.endsWith('.pcap')) ?? '',
    )
    t.is(packets.readUInt32LE(24 + 8), 60) // of the first packet: what was kept, and how long it was
    t.true(packets.readUInt32LE(24 + 12) > 60)
    for (const name of Object.keys(wanted)) await stage.remove(name)
  },
)

clusterTest('rotated files keep the newest packets, numbered as tcpdump numbers them', async t => {
  const stage = await onStage()
  await stage.apply('rotated', spec({ podNames: ['web-0'] }, { maxCaptureSize: 1, fileCount: 2 }))
  await stage.open('rotated', ['node-1'])
  const { hostAddress = '', sender } = stage.pods['web-0'] ?? {}
  await sender?.udp({ to: hostAddress, port: stage.port('web-0'), count: 2_500, bytes: 1_200 }) // three million bytes
  await stage.complete('rotated')
  const files = held(stage, 'rotated')['node-1'] ?? {}
  t.deepEqual(Object.keys(files), ['.pcap0', '.pcap1'])
  const numbers = [...(files['.pcap0'] ?? []), ...(files['.pcap1'] ?? [])]
  t.is(numbers.at(-1), 2_499)
  t.deepEqual(
    numbers,
    Array.from({ length: numbers.length }, (_, index) => 2_500 - numbers.length + index),
  )
  t.true(numbers.length > 800 && numbers.length < 1_700, `${numbers.length} packets`)
  await stage.remove('rotated')
})

clusterTest(
  'a pod that comes later, with an address later still, is captured from then on; nothing is captured instead',
  async t => {
    const stage = await onStage()
    await stage.apply('later', spec({ podNames: ['late', 'web-1'] }, { duration: '40s' }))
    await stage.open('later', ['node-2'])
    await stage.until('later', 'word of the missing pod', ({ conditions = [] }) =>
      conditions.some(({ message }) =>
        message.startsWith('failed to get pod late in namespace shop'),
      ),
    )
    const node = stage.nodes['node-3']
    const waiting = { spec: { nodeName: 'node-3', containers: [{ name: 'main', image: 'app' }] } }
    await cluster().apply({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'late', namespace: 'shop' },
      ...waiting,
    })
    await stage.send('db-0', { first: 900, count: 3 }) // on the same node
    const files = async () => (await stage.get('later')).status?.files.length
    await remains('the files of one node', 2_000, async () => (await files()) === 1)
    await cluster().api.kubectl(
      'delete',
      'pod',
      'late',
      '-n',
      'shop',
      '--grace-period=0',
      '--force',
    )
    const late = await node.addPod('shop', 'late', { app: 'late' })
    await stage.open('later', ['node-2', 'node-3'])
    await late.sender.udp({ to: late.hostAddress, port: 9, count: 2, first: 950 })
    await stage.send('web-1', { first: 970, count: 1 })
    await stage.complete('later')
    const { 'node-2': second, 'node-3': third, ...others } = held(stage, 'later')
    t.deepEqual([others, second], [{}, { '.pcap': [970] }])
    t.deepEqual(third, { '.pcap': [950, 951] })
    await stage.remove('later')
  },
)

clusterTest('an agent that is killed goes on with the capture, and packs all of it', async t => {
  const stage = await onStage()
  await stage.apply('killed', spec({ podNames: ['web-0'] }))
  await stage.open('killed', ['node-1'])
  await stage.send('web-0', { first: 10, count: 3 })
  await stage.until('killed', 'packets', ({ files = [] }) => files[0]?.packets === 3)
  await stage.nodes['node-1'].stopAgent('SIGKILL')
  await stage.startAgent('node-1')
  const isBack = ({ files = [] }: Partial<RetinaStatus>) =>
    files[0]?.state === 'Capturing' && files[0].endpoints[0]?.gaps.at(-1)?.to !== undefined
  await stage.until('killed', 'its tap', isBack)
  await stage.send('web-0', { first: 20, count: 2 })
  await stage.complete('killed')
  t.deepEqual(Object.values(held(stage, 'killed')['node-1'] ?? {}).flat(), [10, 11, 12, 20, 21])
  await stage.remove('killed')
})

clusterTest(
  'a capture that is deleted while it runs flushes its archive first, on every node',
  async t => {
    const stage = await onStage()
    const notLate = { matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['late'] }] }
    await stage.apply('flushed', spec({ podSelector: notLate }, { duration: '1h' }))
    await stage.open('flushed', nodeNames)
    t.is((await stage.get('flushed')).metadata.finalizers, undefined) // it would outlive who takes it away
    await stage.send('web-0', { first: 500, count: 3 })
    await stage.remove('flushed')
    t.deepEqual(held(stage, 'flushed'), {
      'node-1': { '.pcap': [500, 501, 502] },
      'node-2': { '.pcap': [] },
      'node-3': { '.pcap': [] },
    })
  },
)

clusterTest(
  'a capture that is made again under its name waits until the one before has its archive',
  async t => {
    const stage = await onStage()
    const again = spec({ podNames: ['web-0'] }, { duration: '1h' })
    await stage.apply('again', again)
    await stage.open('again', ['node-1'])
    await stage.send('web-0', { first: 600, count: 2 })
    await cluster().api.kubectl('delete', 'captures.retina.sh', 'again', '-n', 'shop')
    await stage.apply('again', again)
    await stage.open('again', ['node-1'])
    t.deepEqual(held(stage, 'again')['node-1'], { '.pcap': [600, 601] })
    await stage.send('web-0', { first: 700, count: 2 })
    await stage.remove('again')
    const archives = stage.archives('node-1').filter(path => path.includes('/again-node-1-'))
    const numbers = archives.map(path =>
      Object.values(stage.packets(join(stage.base('node-1'), path))).map(file => file.numbers),
    )
    t.deepEqual(numbers, [[[600, 601]], [[700, 701]]])
  },
)

clusterTest('a capture that is deleted in any other phase leaves nothing either', async t => {
  const stage = await onStage()
  await stage.apply('at-once', spec({ podSelector: {} }, { duration: '1h' }))
  await stage.remove('at-once')

  await stage.apply('refused', { ...spec({ podSelector: {} }), outputConfiguration: {} })
  await stage.refused('refused', 'At least one output configuration should be set')
  await stage.remove('refused')

  await stage.apply('nobody', spec({ podNames: ['nobody'] }))
  await stage.until('nobody', 'an error', ({ conditions = [] }) =>
    conditions.some(({ type }) => type === 'error'),
  )
  await stage.remove('nobody')

  await stage.apply('done', spec({ podNames: ['web-0'] }, { duration: '1s' }))
  await stage.complete('done')
  t.is((await stage.leftOvers('done')).length, 2) // the state of its files, and the row
  await stage.remove('done')
  t.true(stage.archive('node-1', 'done').endsWith('UTC.tar.gz'))
})
