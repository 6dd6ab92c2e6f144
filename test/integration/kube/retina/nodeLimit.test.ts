// A limit to the nodes of a Capture, on three nodes with real packets: beyond it nothing begins
// anywhere, whatever the order of events and whoever is killed; within it captures run as they do
// without one.
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import type { RetinaStatus } from '../../../../src/api/retina/status.ts'
import {
  type NodeName,
  nodeNames,
  type RetinaStage,
  useRetina,
} from '../../../support/kube/retinaFixture.ts'
import { useSimulated } from '../../../support/kube/useSimulated.ts'
import { remains } from '../../../support/until.ts'

const { cluster, clusterTest } = useSimulated()
const onStage = useRetina(cluster, 'captureJobNumLimit: 1\n')

const spec = (captureTarget: object, duration = '40s'): object => ({
  captureConfiguration: {
    captureTarget,
    captureOption: { duration, pcapFilter: 'udp' },
    includeMetadata: false,
  },
  outputConfiguration: { hostPath: 'limit' },
})
const web = { podSelector: { matchLabels: { app: 'web' } } }

const exceeds = (count: number, limit: number) => ({
  type: 'error',
  status: 'True',
  reason: 'ExceedJobNumLimit',
  message: `the number of capture jobs ${count} exceeds the limit ${limit}`,
})
const told = ({ conditions = [] }: Partial<RetinaStatus>) =>
  conditions.map(({ type, status, reason, message }) => ({ type, status, reason, message }))
const saysExceeded = (status: Partial<RetinaStatus>): boolean =>
  told(status).some(({ reason }) => reason === 'ExceedJobNumLimit')

/** Every packet socket of the node's network, whoever has it. */
const sockets = (stage: RetinaStage): number[] =>
  nodeNames.map(name => {
    const command = [`--net=${stage.nodes[name].namespace.path}`, 'cat', '/proc/net/packet']
    return execFileSync('nsenter', command, { encoding: 'utf8' }).trim().split('\n').length - 1
  })

/** No ring, no file and no archive: nowhere. */
function nothingBegan(
  t: ExecutionContext,
  stage: RetinaStage,
  name: string,
  before: readonly number[],
): void {
  t.deepEqual(sockets(stage), before)
  for (const node of nodeNames) {
    t.false(existsSync(join(stage.nodes[node].captures, 'shop.retina.sh', name)), node)
    t.deepEqual(
      stage.archives(node).filter(path => path.includes(`/${name}-`)),
      [],
    )
    t.false(stage.nodes[node].agent.tail(10_000).includes(`"tap":"shop.retina.sh/${name}/`), node)
  }
}

clusterTest(
  'a capture of more nodes than the limit begins on none, and says so in the words of Retina',
  async t => {
    const stage = await onStage()
    const before = sockets(stage)
    await stage.apply('pods', spec(web))
    await stage.apply(
      'nodes',
      spec({ nodeSelector: { matchLabels: { 'kubernetes.io/os': 'linux' } } }),
    )
    for (const [name, count] of [
      ['pods', 2],
      ['nodes', 3],
    ] as const) {
      const { status, metadata } = await stage.until(name, 'the error', saysExceeded)
      t.deepEqual(told(status ?? {}), [exceeds(count, 1)])
      t.deepEqual(
        [status?.active, status?.succeeded, status?.failed, status?.files],
        [undefined, undefined, undefined, []],
      )
      t.is(metadata.finalizers, undefined)
    }
    await stage.send('web-0', { first: 10, count: 3 })
    await remains('nothing begun', 3_000, () => {
      for (const name of ['pods', 'nodes']) nothingBegan(t, stage, name, before)
      return true
    })
    const { status } = await stage.get('pods')
    t.deepEqual(told(status ?? {}), [exceeds(2, 1)])
    await stage.remove('nodes')
  },
)

clusterTest(
  'one within the limit runs to its end, and begins on no other node while it does, by pods or by an edit',
  async t => {
    const stage = await onStage()
    await stage.apply(
      'one',
      spec(
        {
          podSelector: {
            matchExpressions: [{ key: 'app', operator: 'In', values: ['db', 'late'] }],
          },
        },
        '1h',
      ),
    )
    await stage.open('one', ['node-3'])
    await stage.send('db-0', { first: 100, count: 2 })
    await stage.nodes['node-1'].addPod('shop', 'late-0', { app: 'late' })
    const excess = `${exceeds(2, 1).message}: nothing is captured on node-1`
    const { status } = await stage.until('one', 'word of the late node', now =>
      told(now).some(({ message }) => message.includes(excess)),
    )
    t.deepEqual(
      status?.files.map(({ node }) => node),
      ['node-3'],
    )
    t.is(status?.conditions[0]?.reason, 'JobsInProgress')

    await stage.apply('one', spec({ podSelector: {} }, '1h'))
    const edited = await stage.until('one', 'the error', saysExceeded)
    t.deepEqual(told(edited.status ?? {}), [exceeds(3, 1)])
    await stage.until('one', 'the end of its tap', ({ files = [] }) =>
      files.every(({ state }) => state === 'Scheduled'),
    )
    for (const node of ['node-1', 'node-2'] as const)
      t.false(stage.nodes[node].agent.tail(10_000).includes('"tap":"shop.retina.sh/one/'), node)

    await stage.remove('one') // it flushes what it had
    t.deepEqual(Object.values(stage.packets(stage.archive('node-3', 'one'))), [
      { numbers: [100, 101], others: 0 },
    ])
    await cluster().api.kubectl(
      'delete',
      'pod',
      'late-0',
      '-n',
      'shop',
      '--grace-period=0',
      '--force',
    )
  },
)

clusterTest('a limit that is raised lets through what waited for it', async t => {
  const stage = await onStage()
  const before = await stage.get('pods')
  t.true(saysExceeded(before.status ?? {}))
  stage.configure('captureJobNumLimit: 2\n')
  await stage.open('pods', ['node-1', 'node-2'])
  await stage.send('web-0', { first: 200, count: 2 })
  await stage.send('web-1', { first: 300, count: 3 })
  const { status } = await stage.complete('pods')
  t.deepEqual(
    [told(status ?? {})[0]?.message, status?.succeeded],
    ['All 2 Capture jobs are completed', 2],
  )
  t.deepEqual(Object.values(stage.packets(stage.archive('node-1', 'pods'))), [
    { numbers: [200, 201], others: 0 },
  ])
  t.deepEqual(Object.values(stage.packets(stage.archive('node-2', 'pods'))), [
    { numbers: [300, 301, 302], others: 0 },
  ])
  await stage.remove('pods')
})

clusterTest(
  'a pass that is taken away is given again, and a limit that is lowered stops what is beyond it',
  async t => {
    const stage = await onStage()
    const before = sockets(stage)
    const archives = (node: NodeName) =>
      stage.archives(node).filter(path => path.includes('/lowered-')).length
    await stage.apply('lowered', spec(web, '1h'))
    await stage.open('lowered', ['node-1', 'node-2'])
    await stage.send('web-0', { first: 500, count: 2 })
    await stage.until('lowered', 'packets', ({ files = [] }) =>
      files.some(({ packets }) => packets === 2),
    )
    await cluster().api.kubectl(
      'annotate',
      'captures.retina.sh',
      'lowered',
      '-n',
      'shop',
      'selcap.dev/pass-',
    )
    const isBack = ({ files = [] }: Partial<RetinaStatus>) =>
      files.length === 2 &&
      files.every(({ endpoints }) => endpoints.every(({ gaps }) => gaps.at(-1)?.to !== undefined))
    await stage.until('lowered', 'its taps', isBack)
    await stage.send('web-0', { first: 510, count: 1 })
    await stage.until('lowered', 'another packet', ({ files = [] }) =>
      files.some(({ packets }) => packets === 3),
    )

    stage.configure('captureJobNumLimit: 1\n')
    const { status } = await stage.until('lowered', 'the error', saysExceeded)
    t.deepEqual(told(status ?? {}), [exceeds(2, 1)])
    await stage.until('lowered', 'the end of its taps', ({ files = [] }) =>
      files.every(({ state }) => state === 'Scheduled'),
    )
    t.deepEqual(sockets(stage), before)
    t.deepEqual(nodeNames.map(archives), [0, 0, 0])
    await stage.remove('lowered')
    t.deepEqual(nodeNames.map(archives), [1, 1, 0])
    t.deepEqual(Object.values(stage.packets(stage.archive('node-1', 'lowered'))), [
      { numbers: [500, 501, 510], others: 0 },
    ])
    stage.configure('captureJobNumLimit: 2\n')
  },
)

clusterTest(
  'while no controller is there nothing begins; the next one lets it through, for all of its duration',
  async t => {
    const stage = await onStage()
    const before = sockets(stage)
    await stage.controller?.stop('SIGKILL')
    await stage.apply('waits', spec(web, '5s'))
    const isUntouched = async () => {
      t.is((await stage.get('waits')).status, undefined)
      nothingBegan(t, stage, 'waits', before)
      return true
    }
    await remains('nothing begun', 6_000, isUntouched, { everyMs: 500 }) // longer than it would last
    await stage.nodes['node-1'].stopAgent('SIGKILL') // nor one that comes later
    await stage.startAgent('node-1')
    await remains('nothing begun', 10_000, isUntouched, { everyMs: 500 })
    await stage.startController()
    await stage.open('waits', ['node-1', 'node-2'])
    await stage.send('web-1', { first: 400, count: 2 })
    await stage.complete('waits')
    t.deepEqual(Object.values(stage.packets(stage.archive('node-2', 'waits'))), [
      { numbers: [400, 401], others: 0 },
    ])
    await stage.remove('waits')
  },
)
