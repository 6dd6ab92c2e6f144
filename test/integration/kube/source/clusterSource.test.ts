// A cluster's world for one node, from a real API server: when it may be believed, what is asked
// for and what is not.
import test, { type ExecutionContext } from 'ava'
import { pino } from 'pino'
import { defaultSettings } from '../../../../src/model/settings.ts'
import type { CaptureDocument, World } from '../../../../src/model/world.ts'
import { ClusterSource } from '../../../../src/source/clusterSource.ts'
import { felix, felixDefinition } from '../../../support/kube/felixConfiguration.ts'
import {
  apply,
  capture,
  hurriedClock,
  installPacketCapture,
  useApiServer,
} from '../../../support/kube/informerFixture.ts'
import { type ApiProxy, startProxy, type Treatment } from '../../../support/kube/proxy.ts'
import { remains, until } from '../../../support/until.ts'

const api = useApiServer(async server => {
  await installPacketCapture(server)
  await apply(server, felixDefinition, {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'node-1' },
  })
  await server.kubectl('wait', '--for=condition=Established', 'crd', '--all', '--timeout=30s')
  await apply(server, pod('mine', 'node-1'), pod('elsewhere', 'node-2'))
})

function pod(name: string, nodeName: string): object {
  const spec = { nodeName, containers: [{ name: 'main', image: 'app' }] }
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', labels: { app: name } },
    spec,
  }
}

type Scene = {
  readonly proxy: ApiProxy
  readonly cluster: ClusterSource
  readonly until: (what: string, isSo: (world: World) => boolean) => Promise<void>
}

async function start(
  t: ExecutionContext,
  next: ApiProxy['next'] = () => undefined,
): Promise<Scene> {
  await api().kubectl('delete', 'packetcaptures', '--all')
  const proxy = await startProxy(t, api())
  proxy.next = next
  const settings = () => defaultSettings
  const parts = {
    kube: proxy.kube(),
    node: 'node-1',
    apis: ['PacketCapture'] as const,
    group: 'projectcalico.org',
    hostInterfaces: () => [],
    settings,
    clock: hurriedClock(),
    log: pino({ level: 'silent' }),
  }
  const cluster = new ClusterSource(parts)
  t.teardown(() => cluster[Symbol.asyncDispose]())
  return { proxy, cluster, until: (what, isSo) => until(what, () => isSo(cluster.snapshot())) }
}

function names(captures: readonly CaptureDocument[]): string[] {
  return captures.map(({ metadata }) => metadata.name).toSorted()
}

function refusing(pattern: RegExp, treatment: Treatment = { status: 503 }): ApiProxy['next'] {
  return ({ url }) => (pattern.test(url.pathname) ? treatment : undefined)
}

for (const what of ['packetcaptures', 'pods']) {
  test.serial(`a world is complete only after the first list of ${what}`, async t => {
    const scene = await start(t, refusing(new RegExp(`/${what}$`)))
    await until('refusals', () => scene.proxy.count(new RegExp(`/${what}`)) > 2)
    await until('the other watch', () => scene.proxy.asked.some(({ isWatch }) => isWatch))
    t.false(scene.cluster.snapshot().isSynced)
    scene.proxy.next = () => undefined
    await scene.until('completeness', world => world.isSynced)
    t.deepEqual(
      scene.cluster.snapshot().pods.map(({ metadata }) => metadata.name),
      ['mine'],
    )
  })
}

test.serial(
  'a server that is away is not believed to be empty, one that answers so is',
  async t => {
    const scene = await start(t)
    await apply(api(), capture('one', 'all()'), capture('two', 'all()'))
    await scene.until('both', ({ captures }) => captures.length === 2)
    scene.proxy.next = () => ({ status: 502, body: '' })
    scene.proxy.cut('reset')
    const asked = scene.proxy.asked.length
    await until('refusals', () => scene.proxy.asked.length > asked + 6)
    t.like(scene.cluster.snapshot(), {
      isSynced: true,
      captures: { length: 2 },
      pods: { length: 1 },
    })
    await api().kubectl('delete', 'packetcaptures', '--all')
    scene.proxy.next = () => undefined
    await scene.until('nothing', ({ captures }) => captures.length === 0)
    t.true(scene.cluster.snapshot().isSynced)
  },
)

test.serial('only this node’s pods are asked for, and little of them is kept', async t => {
  const scene = await start(t)
  await scene.until('completeness', world => world.isSynced)
  const queries = scene.proxy.asked
    .filter(({ url }) => url.pathname === '/api/v1/pods')
    .map(({ url }) => url.searchParams.get('fieldSelector'))
  t.deepEqual([...new Set(queries)], ['spec.nodeName=node-1'])
  const [mine] = scene.cluster.snapshot().pods
  t.deepEqual(Object.keys(mine?.spec ?? {}), ['nodeName'])
  t.deepEqual(mine?.metadata.labels, { app: 'mine' })
})

const inherited = [
  {
    what: 'namespaces',
    selector: "pcns.team == 'blue'",
    list: 'namespace',
    labels: (world: World) => world.namespaceLabels.get('default'),
  },
  {
    what: 'serviceaccounts',
    selector: 'has(pcsa.team)',
    list: 'serviceaccount',
    labels: (world: World) => world.serviceAccountLabels.get('default/default'),
  },
] as const

for (const { what, selector, list, labels } of inherited) {
  test.serial(
    `${what} are watched while a selector mentions their labels, and not otherwise`,
    async t => {
      const isAsked = new RegExp(`/api/v1/${what}`)
      if (list === 'serviceaccount')
        await apply(api(), {
          apiVersion: 'v1',
          kind: 'ServiceAccount',
          metadata: { name: 'default', namespace: 'default' },
        })
      await api().kubectl('label', list, 'default', '-n', 'default', 'team=blue', '--overwrite')
      const scene = await start(t)
      await apply(api(), capture('plain', "app == 'mine'"))
      await scene.until('the capture', ({ captures }) => captures.length === 1)
      t.is(scene.proxy.count(isAsked), 0)
      const { connections } = scene.proxy
      await apply(api(), capture('inheriting', selector))
      await scene.until('the labels', world => labels(world)?.team === 'blue')
      await api().kubectl('label', list, 'default', '-n', 'default', 'team=red', '--overwrite')
      await scene.until('the new labels', world => labels(world)?.team === 'red')
      t.is(scene.proxy.count(isAsked), 2, 'a list and a watch')
      await apply(api(), capture('inheriting', "app == 'mine'"))
      await until(
        'the watch to end',
        () => scene.cluster.snapshot().isSynced && scene.proxy.connections === connections,
      )
      t.is(labels(scene.cluster.snapshot()), undefined)
      t.is(scene.proxy.count(isAsked), 2)
    },
  )
}

test.serial(
  'a selector that needs labels waits for them, for all the others too: nothing is taken for gone',
  async t => {
    const scene = await start(t)
    await apply(api(), capture('plain', 'all()'))
    await scene.until('the first', world => world.isSynced && world.captures.length === 1)
    scene.proxy.next = refusing(/\/namespaces$/)
    await apply(api(), capture('sparing', '!has(pcns.secret)'))
    await until(
      'refusals',
      () => scene.cluster.snapshot() && scene.proxy.count(/\/namespaces\?/) > 2,
    )
    t.deepEqual(names(scene.cluster.snapshot().captures), ['plain'])
    t.false(scene.cluster.snapshot().isSynced)
    scene.proxy.next = () => undefined
    await scene.until(
      'both',
      ({ captures, isSynced: complete }) => complete && captures.length === 2,
    )
    t.deepEqual(names(scene.cluster.snapshot().captures), ['plain', 'sparing'])
  },
)

test.serial(
  'FelixConfiguration makes the host veth OneSided when eBPF is on, and is asked for now and then',
  async t => {
    await apply(api(), felix('default', { bpfEnabled: true }))
    const scene = await start(t)
    await scene.until('pods', ({ pods }) => pods.length === 1)
    t.is(scene.cluster.snapshot().hostVeth, 'OneSided')
    await apply(api(), felix('node.node-1', { bpfRedirectToPeer: 'Disabled' }))
    await scene.until('the settings of the node', ({ hostVeth }) => hostVeth === 'TwoSided')
    await api().kubectl('delete', 'felixconfiguration', 'node.node-1')
    await scene.until('the settings of all', ({ hostVeth }) => hostVeth === 'OneSided')
    scene.proxy.next = refusing(/felixconfigurations/)
    const count = scene.proxy.count(/felix/)
    await until('refusals', () => scene.proxy.count(/felix/) > count + 2)
    t.is(scene.cluster.snapshot().hostVeth, 'OneSided', 'no answer changes nothing')
    await api().kubectl('delete', 'felixconfiguration', '--all')
    scene.proxy.next = () => undefined
    await scene.until('none', ({ hostVeth }) => hostVeth === 'TwoSided')
    t.true(scene.cluster.snapshot().isSynced)
  },
)

test.serial(
  'no pod is shown before it is known how its interface is to be looked at, and it is not waited for in vain',
  async t => {
    const scene = await start(t, refusing(/felix/, { lateMs: 2_000, status: 503 }))
    await until('the pods', () => scene.proxy.count(/\/pods\?.*watch=true/) >= 1)
    t.like(scene.cluster.snapshot(), { isSynced: false, pods: { length: 0 } })
    await scene.until('the pods', ({ pods }) => pods.length === 1)
    t.like(scene.cluster.snapshot(), { isSynced: true, hostVeth: 'TwoSided' })
  },
)

test.serial('nothing is asked any more after the end, and no connection stays', async t => {
  const scene = await start(t, refusing(/felix/, { lateMs: 60_000 }))
  await apply(api(), capture('both', "pcns.a == 'b' || pcsa.a == 'b'"))
  await until(
    'all of them',
    () =>
      scene.cluster.snapshot() && scene.proxy.asked.filter(({ isWatch }) => isWatch).length === 4,
  )
  await scene.cluster[Symbol.asyncDispose]()
  await until('the connections to end', () => scene.proxy.connections === 0)
  const { length } = scene.proxy.asked
  await remains('no request', 500, () => scene.proxy.asked.length === length)
  t.pass()
})
