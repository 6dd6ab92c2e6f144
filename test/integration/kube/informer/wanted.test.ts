// How little a ListWatch lets the server send: metadata alone, or specs without the status of a
// thousand nodes. And that what it does not ask for is not missed: new generations, namesakes, what
// is gone when it comes to fetch it.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import {
  apply,
  capture,
  captures,
  configMap,
  type Item,
  installPacketCapture,
  type Scene,
  unstarted,
  untilTrue,
  useApiServer,
  watching,
} from '../../../support/kube/informerFixture.ts'
import { until } from '../../../support/until.ts'

const api = useApiServer(installPacketCapture)

/** The status that a controller of a thousand nodes writes; `packets` makes it another one. */
async function writeStatus(name: string, packets: number): Promise<void> {
  const files = Array.from({ length: 1_000 }, (_, index) => ({
    node: `node-${index}.example.internal`,
    directory: '/var/log/selcap/pcap',
    fileNames: [`web-${index}_cali0123456789a.pcap`],
    state: 'Capturing',
    packets,
    bytes: packets * 1_000,
  }))
  const file = join(api().directory, 'status.json')
  writeFileSync(file, JSON.stringify([{ op: 'add', path: '/status', value: { files } }]))
  const to = ['packetcapture', name, '--subresource=status', '--field-manager=selcap-controller']
  await api().kubectl('patch', ...to, '--type=json', `--patch-file=${file}`)
}

function following(t: Parameters<typeof watching>[0]) {
  const keep = ({ metadata, spec = {} }: Item): Item => ({
    metadata: { ...metadata, managedFields: undefined } as Item['metadata'],
    spec,
  })
  return watching(t, api(), {
    path: captures,
    wanted: 'spec',
    isConsistent: true,
    keep,
    random: () => 0.1,
  })
}

test.serial('metadata is all that is sent when metadata is wanted', async t => {
  await apply(api(), configMap('large', 'x'.repeat(500_000)))
  const scene = await watching(t, api(), { wanted: 'metadata' })
  t.true(scene.proxy.bytes < 10_000, `${scene.proxy.bytes}`)
  await apply(
    api(),
    configMap('large', 'y'.repeat(500_000)),
    configMap('another', 'y'.repeat(500_000)),
  )
  await untilTrue(scene, api())
  t.true(scene.proxy.bytes < 15_000, `${scene.proxy.bytes}`)
  t.deepEqual(
    [...scene.watch.objects.values()].filter(({ data }) => data),
    [],
  )
})

test.serial(
  'a status of a thousand nodes costs less than 2 KB when it changes, and wakes nobody',
  async t => {
    await apply(api(), capture('wide', 'all()'))
    await writeStatus('wide', 1)
    const scene = await following(t)
    t.true(scene.proxy.bytes > 100_000, 'the first list is whole')
    const [before, changes, version] = [
      scene.proxy.bytes,
      scene.changes(),
      versionOf(scene, 'wide'),
    ]
    for (let packets = 2; packets <= 6; packets++) await writeStatus('wide', packets)
    await untilTrue(scene, api(), captures)
    t.not(versionOf(scene, 'wide'), version)
    t.log(`${(scene.proxy.bytes - before) / 5} bytes a change`)
    t.true((scene.proxy.bytes - before) / 5 < 2_000, `${(scene.proxy.bytes - before) / 5}`)
    t.is(scene.changes(), changes)
    t.is(scene.proxy.asked.length, 2)
    await api().kubectl('label', 'packetcapture', 'wide', 'team=blue')
    await until('the label', () => scene.changes() > changes)
  },
)

test.serial('a new generation is fetched whole, once, whatever comes in between', async t => {
  await apply(api(), capture('edited', "app == 'a'"))
  const scene = await following(t)
  await apply(api(), capture('edited', "app == 'b'"))
  await writeStatus('edited', 7)
  await apply(api(), capture('edited', "app == 'c'"))
  await untilTrue(scene, api(), captures)
  t.is(selectorOf(scene, 'edited'), "app == 'c'")
  t.true(scene.proxy.count(/namespaces\/default\/packetcaptures\/edited/) <= 2)
})

test.serial('one that is deleted and made again under its name is another one', async t => {
  await apply(api(), capture('again', "app == 'a'"))
  const scene = await following(t)
  const first = uidOf(scene, 'again')
  await api().kubectl('delete', 'packetcapture', 'again')
  await apply(api(), capture('again', "app == 'b'"))
  await untilTrue(scene, api(), captures)
  t.not(uidOf(scene, 'again'), first)
  t.is(selectorOf(scene, 'again'), "app == 'b'")
})

test.serial(
  'one that is gone, or another of its name, when it is fetched is no reason to stop',
  async t => {
    const scene = await following(t)
    scene.proxy.next = ({ url }) =>
      /\/(gone|namesake)/.test(url.pathname) ? { lateMs: 1_500 } : undefined
    await apply(api(), capture('gone', 'all()'), capture('namesake', "app == 'a'"))
    await api().kubectl('delete', 'packetcapture', 'gone', 'namesake')
    await apply(api(), capture('namesake', "app == 'b'"))
    await until('the fetch', () => scene.proxy.count(/\/gone/) >= 1)
    await untilTrue(scene, api(), captures)
    t.is(uidOf(scene, 'gone'), undefined)
    t.is(selectorOf(scene, 'namesake'), "app == 'b'")
    t.deepEqual(
      scene.states.filter(state => state.startsWith('failed')),
      [],
    )
  },
)

test.serial(
  'an event whose object cannot be fetched is asked for again, and the object stays meanwhile',
  async t => {
    await apply(api(), capture('hidden', "app == 'a'"))
    const scene = await following(t)
    const notHere = {
      status: 404,
      body: JSON.stringify({
        kind: 'Status',
        code: 404,
        message: 'the server could not find the requested resource',
      }),
    }
    scene.proxy.next = ({ url }) => (url.pathname.endsWith('/hidden') ? notHere : undefined)
    await apply(api(), capture('hidden', "app == 'b'"))
    await until('three refusals', () => scene.proxy.count(/\/hidden/) >= 3)
    t.is(selectorOf(scene, 'hidden'), "app == 'a'")
    await until('the watches that were left to close', () => scene.proxy.connections <= 2)
    scene.proxy.next = () => undefined
    await untilTrue(scene, api(), captures)
    t.is(selectorOf(scene, 'hidden'), "app == 'b'")
  },
)

test.serial(
  'what is known is not sent again when the server has forgotten what it told, only what is new',
  async t => {
    for (const name of ['stays-1', 'stays-2', 'changes']) {
      await apply(api(), capture(name, "app == 'a'"))
      await writeStatus(name, 1)
    }
    const scene = await following(t)
    scene.proxy.next = ({ url, isWatch }) => {
      if (isWatch) url.searchParams.set('resourceVersion', '1')
      return { ...(isWatch ? { url } : { lateMs: 300 }) }
    }
    const before = scene.proxy.bytes
    scene.proxy.cut('close')
    await apply(api(), capture('changes', "app == 'b'"))
    await until(
      'a list',
      () => scene.states.filter(state => state.startsWith('listed')).length >= 2,
    )
    scene.proxy.next = () => undefined
    await untilTrue(scene, api(), captures)
    t.is(selectorOf(scene, 'changes'), "app == 'b'")
    t.is(selectorOf(scene, 'stays-1'), "app == 'a'")
    t.is(scene.proxy.count(/\/stays/), 0)
    t.is(scene.proxy.count(/\/changes/), 1)
    t.true(scene.proxy.bytes - before < 400_000, `${scene.proxy.bytes - before}`)
  },
)

test.serial(
  'a list that must be consistent comes in pages of one moment, and a page that is refused begins it anew',
  async t => {
    await apply(
      api(),
      ...Array.from({ length: 50 }, (_, index) => capture(`many-${index}`, 'all()')),
    )
    const scene = await unstarted(t, api(), {
      path: captures,
      wanted: 'spec',
      isConsistent: true,
      random: () => 0.1,
    })
    const isNext = (url: URL) => url.searchParams.has('continue')
    scene.proxy.next = ({ url }) =>
      isNext(url) && scene.proxy.asked.length < 4 ? { status: 410 } : undefined
    scene.watch.start()
    await until('the list', () => scene.watch.hasSynced)
    await untilTrue(scene, api(), captures)
    t.true(scene.watch.objects.size >= 50)
    t.true(scene.proxy.asked.filter(({ url }) => isNext(url)).length >= 3)
    t.is(scene.changes(), 1)
    await api().kubectl('delete', 'packetcaptures', '--all')
    await untilTrue(scene, api(), captures)
    t.is(scene.watch.objects.size, 0)
  },
)

test.serial('bookmarks carry a watch on where only what it did not select changed', async t => {
  const scene = await unstarted(t, api(), { query: { fieldSelector: 'metadata.name=selected' } })
  scene.proxy.next = ({ url, isWatch }) => {
    if (isWatch) url.searchParams.set('timeoutSeconds', '4') // a server sends a bookmark before it ends a watch
    return { url }
  }
  scene.watch.start()
  const versions = () =>
    scene.proxy.asked
      .filter(({ isWatch }) => isWatch)
      .map(({ url }) => Number(url.searchParams.get('resourceVersion')))
  await until('the watch', () => versions().length >= 1)
  for (const value of ['1', '2', '3']) await apply(api(), configMap('elsewhere', value))
  await until('a later version', () => (versions().at(-1) ?? 0) > (versions()[0] ?? 0))
  t.is(scene.proxy.count(/configmaps\?(?!.*watch)/), 1)
  t.is(scene.changes(), 1)
  t.deepEqual(scene.waits, [])
})

function found({ watch }: Scene, name: string): Item | undefined {
  return [...watch.objects.values()].find(({ metadata }) => metadata.name === name)
}

function uidOf(scene: Scene, name: string): string | undefined {
  return found(scene, name)?.metadata.uid
}

function versionOf(scene: Scene, name: string): string | undefined {
  return found(scene, name)?.metadata.resourceVersion
}

function selectorOf(scene: Scene, name: string): unknown {
  return found(scene, name)?.spec?.selector
}
