// The controller in this process against a real API server, with reports that no agent wrote:
// hundreds of nodes, nodes that come and go, and what nobody should write.
import { isDeepStrictEqual } from 'node:util'
import test from 'ava'
import { Controller } from '../../../../src/controller/controller.ts'
import type { ReportedCapture } from '../../../../src/core/status/nodeReport.ts'
import { type Kube, type KubeRequest, readJson } from '../../../../src/kube/request.ts'
import { reportPath } from '../../../../src/kube/resources.ts'
import type { PublishedCapture } from '../../../../src/publish/statusDirectory.ts'
import { systemClock } from '../../../../src/runtime/clock.ts'
import { makeLogger } from '../../../../src/runtime/log.ts'
import { packetCapture } from '../../../support/kube/simulated.ts'
import { useServer } from '../../../support/kube/useServer.ts'
import { endpoint, row } from '../../../support/model/observations.ts'
import { remains, untilFound, until as waitUntil } from '../../../support/until.ts'
import { budgets, identity } from '../../../support/worlds/nodeReports.ts'

const server = useServer()
const captures = '/apis/projectcalico.org/v3/namespaces/shop/packetcaptures'

async function ask(
  path: string,
  method = 'GET',
  body?: object,
  type = 'application/json',
): Promise<unknown> {
  const request: KubeRequest = {
    path,
    method,
    headers: { 'content-type': type },
    signal: AbortSignal.timeout(30_000),
  }
  const response = await server().kube({
    ...request,
    query: type.includes('apply') ? { fieldManager: 'test', force: 'true' } : {},
    ...(body && { body: JSON.stringify(body) }),
  })
  const answer = await readJson(response)
  if ((response.statusCode ?? 0) >= 300) throw new Error(JSON.stringify(answer))
  return answer
}

const make = async (name: string, spec: object = {}) =>
  (await ask(captures, 'POST', packetCapture(name, spec))) as PublishedCapture
const get = async (name: string) => (await ask(`${captures}/${name}`)) as PublishedCapture
const addNode = (name: string) =>
  ask('/api/v1/nodes', 'POST', { apiVersion: 'v1', kind: 'Node', metadata: { name } })

async function report(node: string, rows: readonly object[]): Promise<void> {
  const body = { ...identity, budgets, captures: rows, reportedAt: new Date().toISOString() }
  const document = {
    apiVersion: 'selcap.dev/v1alpha1',
    kind: 'NodeCaptureReport',
    metadata: { name: node },
    report: body,
  }
  await ask(`${reportPath}/${node}`, 'PATCH', document, 'application/apply-patch+yaml')
}

const of = ({ metadata }: PublishedCapture, rest: ReportedCapture): ReportedCapture => ({
  ...rest,
  name: metadata.name,
  namespace: 'shop',
  uid: metadata.uid,
})

async function until(
  name: string,
  what: string,
  isSo: (capture: PublishedCapture) => boolean,
): Promise<PublishedCapture> {
  const look = async () => {
    const capture = await get(name)
    return isSo(capture) ? capture : undefined
  }
  const found = async () => JSON.stringify((await get(name)).status).slice(0, 1_000)
  return untilFound(what, look, { everyMs: 100, found })
}

/** One that leads for the length of a test. */
async function withController(
  work: (controller: Controller) => Promise<void>,
  kube = server().kube,
): Promise<void> {
  const stop = new AbortController()
  const compile = () => Promise.resolve(0)
  const parts = {
    kube,
    apis: ['PacketCapture'],
    group: 'projectcalico.org',
    namespace: 'selcap-system',
    clock: systemClock,
    log: makeLogger('silent', '/dev/null'),
    compile,
  } as const
  await using controller = new Controller(parts)
  const running = controller.run({
    signal: stop.signal,
    heldUntilMs: () => Number.POSITIVE_INFINITY,
  })
  try {
    await Promise.race([work(controller), running])
  } finally {
    stop.abort()
    await running
  }
}

test.serial('run() folds two hundred nodes into one status', async t => {
  const names = Array.from({ length: 200 }, (_, index) => `node-${String(index).padStart(3, '0')}`)
  for (const name of names) await addNode(name)
  const capture = await make('many')
  await withController(async () => {
    for (const name of names)
      await report(name, [of(capture, row(name, 'Capturing', { file: { packets: 3 } }))])
    const { status } = await until('many', '600 packets', each => each.status?.packets === 600)
    t.like(status, { state: 'Capturing', nodes: 200, endpoints: 200 })
    t.deepEqual(
      status?.files.map(({ node }) => node),
      names,
    )
  })
})

test.serial('run() goes on when a report holds the least that its schema takes', async t => {
  const capture = await make('least')
  await withController(async () => {
    const least = { api: 'x', namespace: 'shop', name: 'least', uid: capture.metadata.uid }
    await report('node-000', [{ ...least, file: { node: 'node-000' } }])
    await report('node-001', [
      { ...least, file: { node: 'node-001', state: 'Capturing', endpoints: [{}] } },
    ])
    await report('node-002', [of(capture, row('node-002', 'Capturing', { file: { packets: 1 } }))])
    const { status } = await until('least', 'a packet', each => each.status?.packets === 1)
    t.deepEqual(
      status?.files.map(({ node }) => node),
      ['node-001', 'node-002'],
    )
  })
})

test.serial('run() puts right what somebody else wrote into a status', async t => {
  const capture = await make('edited')
  await withController(async () => {
    await report('node-003', [of(capture, row('node-003', 'Capturing'))])
    await until('edited', 'Capturing', each => each.status?.state === 'Capturing')
    await ask(
      `${captures}/edited/status`,
      'PATCH',
      { status: { state: 'Error', nodes: 0, files: [] } },
      'application/merge-patch+json',
    )
    const { status } = await until(
      'edited',
      'Capturing again',
      each => each.status?.state === 'Capturing',
    )
    t.like(status, { nodes: 1, endpoints: 1 })
  })
})

for (const [what, status] of [
  ['nothing', {}],
  [
    'what Calico writes',
    {
      files: [
        {
          node: 'node-003',
          directory: '/var/log/calico/pcap',
          fileNames: ['a.pcap'],
          state: 'Capturing',
        },
      ],
    },
  ],
  [
    'an endpoint without a word',
    { conditions: [], files: [{ node: 'node-003', endpoints: [{}] }] },
  ],
] as const) {
  test.serial(`run() goes on from a status that holds ${what}`, async t => {
    const name = `before-${what.split(' ').length}`
    const capture = await make(name)
    await ask(`${captures}/${name}/status`, 'PATCH', { status }, 'application/merge-patch+json')
    await report('node-003', [of(capture, row('node-003', 'Capturing', { file: { packets: 2 } }))])
    await withController(async () => {
      const found = await until(name, 'two packets', each => each.status?.packets === 2)
      t.like(found.status, { state: 'Capturing', nodes: 1, endpoints: 1 })
    })
  })
}

test.serial(
  'run() does not remove a finished capture that was given more time, though its nodes have not heard of it',
  async t => {
    const at = (ms: number) => new Date(Date.now() + ms).toISOString()
    const capture = await make('resumed', { endTime: at(-10_000), ttlSecondsAfterFinished: 20 })
    const over = endpoint('p', 'Finished', { startedAt: at(-15_000), endedAt: at(-10_000) })
    await report('node-004', [
      of(capture, row('node-004', 'Finished', { file: { endpoints: [over] } })),
    ])
    await withController(async () => {
      await until('resumed', 'Finished', each => each.status?.state === 'Finished')
      await ask(
        `${captures}/resumed`,
        'PATCH',
        { spec: { endTime: at(3_600_000) } },
        'application/merge-patch+json',
      )
      // Longer than the ttl of before.
      const generation = async () => (await get('resumed')).status?.observedGeneration
      await remains('its first status', 13_000, async () => (await generation()) === 1, {
        everyMs: 500,
      })
      t.pass()
    })
  },
)

test.serial(
  'run() counts what it wrote, what somebody else wrote first, and what was not taken',
  async t => {
    const capture = await make('counted')
    await report('node-003', [of(capture, row('node-003', 'Capturing'))])
    let [edits, breaks] = [1, 1]
    const kube: Kube = async request => {
      const { path, method } = request
      if (path.endsWith('/counted/status') && method === 'PATCH' && edits-- > 0)
        await ask(
          `${captures}/counted`,
          'PATCH',
          { metadata: { annotations: { edited: 'yes' } } },
          'application/merge-patch+json',
        )
      if (path.endsWith('/events') && request.body?.includes('"counted"') && breaks-- > 0)
        throw new Error('read ECONNRESET')
      return server().kube(request)
    }
    await withController(async controller => {
      t.deepEqual(
        [controller.state.statusWrites, controller.state.folds],
        [{ written: 0, stale: 0, failed: 0 }, 0],
      )
      await until('counted', 'Capturing', each => each.status?.state === 'Capturing')
      const { statusWrites, eventWrites, folds, isLeading, nodesSilent } = controller.state
      t.like(
        { isLeading, nodesSilent, stale: statusWrites.stale, failed: eventWrites.failed },
        { isLeading: true, nodesSilent: 0, stale: 1, failed: 1 },
      )
      t.true(statusWrites.written >= 1 && folds > statusWrites.written)
    }, kube)
  },
)

type Events = {
  readonly items: readonly {
    readonly reason: string
    readonly involvedObject: { readonly name: string }
  }[]
}

for (const moment of ['before', 'after'] as const) {
  test.serial(
    `run() tells what happened once, though it dies ${moment} the status is written`,
    async t => {
      const name = `dies-${moment}`
      const capture = await make(name)
      await report('node-003', [of(capture, row('node-003', 'Capturing'))])
      const dead = Promise.withResolvers<void>()
      let isDead = false // from then on nothing leaves it
      const kube: Kube = async request => {
        if (isDead) throw new Error('read ECONNRESET')
        isDead = request.path.endsWith(`/${name}/status`)
        if (isDead) dead.resolve()
        if (isDead && moment === 'before') throw new Error('read ECONNRESET')
        return server().kube(request)
      }
      await withController(() => dead.promise, kube)
      await withController(
        async () =>
          void (await until(name, 'Capturing', each => each.status?.state === 'Capturing')),
      )
      const { items } = (await ask('/api/v1/namespaces/shop/events')) as Events
      const told = items
        .filter(({ involvedObject }) => involvedObject.name === name)
        .map(({ reason }) => reason)
      t.deepEqual(told, ['Started'])
    },
  )
}

test.serial(
  'run() prunes the report of a node that is gone, and takes the node in again when it is back',
  async t => {
    const capture = await make('pruned')
    await withController(async controller => {
      for (const name of ['node-005', 'node-006'])
        await report(name, [of(capture, row(name, 'Capturing', { file: { packets: 5 } }))])
      await until('pruned', 'two nodes', each => each.status?.nodes === 2)
      await ask('/api/v1/nodes/node-006', 'DELETE')
      const { status } = await until('pruned', 'one node', each => each.status?.nodes === 1)
      t.is(status?.packets, 10)
      await t.throwsAsync(ask(`${reportPath}/node-006`), { message: /not found/ })
      t.is(controller.state.removals.report, 1)
      await addNode('node-006')
      await report('node-006', [
        of(capture, row('node-006', 'Capturing', { file: { packets: 6 } })),
      ])
      t.is(
        (await until('pruned', 'two nodes again', each => each.status?.nodes === 2)).status
          ?.packets,
        11,
      )
    })
  },
)

test.serial('run() adds what a node counts after its disk was replaced', async t => {
  const capture = await make('replaced')
  const held = (stateId: string, packets: number) =>
    report('node-000', [of(capture, row('node-000', 'Capturing', { file: { stateId, packets } }))])
  await withController(async () => {
    await held('old', 1_000)
    await until('replaced', 'its packets', each => each.status?.packets === 1_000)
    await held('new', 50)
    const { status } = await until('replaced', 'both', each => each.status?.packets === 1_050)
    t.like(status?.files[0], { stateId: 'new', packets: 50 })
    t.deepEqual(status?.earlier, [
      { node: 'node-000', stateId: 'old', packets: 1_000, bytes: 0, dropped: 0 },
    ])
  })
})

test.serial('run() writes nothing when nothing changes', async t => {
  await withController(async () => {
    await until('many', 'its status', each => each.status?.state === 'Capturing')
    const versions = async () =>
      ((await ask(captures)) as { items: { metadata: { resourceVersion: string } }[] }).items.map(
        ({ metadata }) => metadata.resourceVersion,
      )
    const last = { versions: await versions(), atMs: performance.now() }
    const isQuiet = async () => {
      const now = await versions()
      if (!isDeepStrictEqual(now, last.versions))
        Object.assign(last, { versions: now, atMs: performance.now() })
      return performance.now() - last.atMs > 5_000
    }
    await waitUntil('five seconds without a write', isQuiet, { everyMs: 200 })
    t.pass()
  })
})
