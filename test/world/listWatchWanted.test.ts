// How little a ListWatch lets the server send: metadata alone, or specs without the status of a thousand nodes. And that
// what it does not ask for is not missed: new generations, namesakes, what is gone when it comes to fetch it.
import { join } from 'node:path'
import test from 'ava'
import { root } from '../repo/tree.ts'
import { apply, configMap, type Item, until, untilTrue, useApiServer, watching } from './listWatchParts.ts'

const api = useApiServer()
const captures = '/apis/projectcalico.org/v3/packetcaptures'

test.before(async () => {
  await api().kubectl('apply', '--server-side', '-f', join(root, 'crds', 'packetcapture.yaml'))
  await api().kubectl('wait', '--for=condition=Established', 'crd', '--all', '--timeout=30s')
})

function capture(name: string, selector: string): object {
  return { apiVersion: 'projectcalico.org/v3', kind: 'PacketCapture', metadata: { name, namespace: 'default' }, spec: { selector } }
}

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
  const patch = JSON.stringify([{ op: 'add', path: '/status', value: { files } }])
  const { code, err } = await api().ask(
    ['patch', 'packetcapture', name, '--subresource=status', '--type=json', '--patch-file=/dev/stdin', '--field-manager=selcap-controller'],
    { input: patch },
  )
  if (code !== 0) throw new Error(`Cannot write the status: ${err}`)
}

function following(t: Parameters<typeof watching>[0]) {
  const keep = ({ metadata, spec = {} }: Item): Item => ({ metadata: { ...metadata, managedFields: undefined } as Item['metadata'], spec })
  return watching(t, api(), { path: captures, wanted: 'spec', isConsistent: true, keep, random: () => 0.1 })
}

test.serial('metadata is all that is sent when metadata is wanted', async t => {
  await apply(api(), configMap('large', 'x'.repeat(500_000)))
  const scene = await watching(t, api(), { wanted: 'metadata' })
  t.true(scene.proxy.bytes < 10_000, `${scene.proxy.bytes}`)
  await apply(api(), configMap('large', 'y'.repeat(500_000)), configMap('another', 'y'.repeat(500_000)))
  await untilTrue(scene, api())
  t.true(scene.proxy.bytes < 15_000, `${scene.proxy.bytes}`)
  t.deepEqual(
    [...scene.watch.objects.values()].filter(({ data }) => data),
    [],
  )
})

test.serial('a status of a thousand nodes costs less than 2 KB when it changes, and wakes nobody', async t => {
  await apply(api(), capture('wide', 'all()'))
  await writeStatus('wide', 1)
  const scene = await following(t)
  t.true(scene.proxy.bytes > 100_000, 'the first list is whole')
  const [before, changes, version] = [scene.proxy.bytes, scene.changes(), versionOf('wide')]
  for (let packets = 2; packets <= 6; packets++) await writeStatus('wide', packets)
  await untilTrue(scene, api(), captures)
  t.not(versionOf('wide'), version)
  t.log(`${(scene.proxy.bytes - before) / 5} bytes a change`)
  t.true((scene.proxy.bytes - before) / 5 < 2_000, `${(scene.proxy.bytes - before) / 5}`)
  t.is(scene.changes(), changes)
  t.is(scene.proxy.asked.length, 2)
  await api().kubectl('label', 'packetcapture', 'wide', 'team=blue')
  await until('the label', () => scene.changes() > changes)

  function versionOf(name: string): string | undefined {
    return [...scene.watch.objects.values()].find(({ metadata }) => metadata.name === name)?.metadata.resourceVersion
  }
})
