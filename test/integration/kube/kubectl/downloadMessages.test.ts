// What `download`, `copy` and `stream` say of what was here already, of a disk that takes nothing,
// and of what is waited for; and what they print for scripts. By the real kubectl, from a real
// gateway.
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { addGateway, makeStage, type Stage } from '../../../support/kube/pluginFixture.ts'
import { useSimulated } from '../../../support/kube/useSimulated.ts'
import { shared } from '../../../support/shared.ts'
import { until } from '../../../support/until.ts'

const { cluster, clusterTest } = useSimulated()

const onStage = shared((): Promise<Stage> => prepare())

async function prepare(): Promise<Stage> {
  const stage = await makeStage(cluster())
  await addGateway(cluster())
  await stage.pcap('create', 'web', '-l', 'app == "web"', '--protocol', 'UDP', '--wait')
  return stage
}

clusterTest(
  'kubectl pcap download says what was here already, prints paths for scripts, and merges into the directory it is given',
  async t => {
    const stage = await onStage()
    const [dest, names] = [
      join(cluster().directory, 'again'),
      stage.pods.map((pod, index) => `node-${index + 1}/${pod.name}_${pod.hostName}.pcap`),
    ]
    t.regex((await stage.pcap('download', 'web', '--dest', dest)).out, /^Downloaded 2 files, /)
    t.regex(
      (await stage.pcap('download', 'web', '--dest', dest)).out,
      /^Downloaded 0 of 2 files, the others were here: .*, verified, in \S+again\n$/,
    )
    const paths = await stage.pcap('download', 'web', '--dest', dest, '-o', 'name')
    t.deepEqual([paths.code, paths.out], [0, names.map(name => `${join(dest, name)}\n`).join('')])
    const into = join(cluster().directory, 'merged')
    const merged = await stage.pcap(
      'download',
      'web',
      '--dest',
      into,
      '--merge',
      'one.pcapng',
      '-o',
      'json',
    )
    t.is(merged.code, 0, merged.err)
    t.deepEqual(readdirSync(into), ['one.pcapng'])
    const told = JSON.parse(merged.out) as { files: { path?: string }[]; merged: string }
    t.deepEqual(
      [told.merged, told.files.map(({ path }) => path)],
      [join(into, 'one.pcapng'), [undefined, undefined]],
    )
  },
)

clusterTest(
  'kubectl pcap download, copy and stream exit with a message, and no stack, when there is no room for files',
  async t => {
    const { pcap } = await onStage()
    const file = join(cluster().directory, 'a-file')
    writeFileSync(file, '')
    for (const command of [
      ['download', 'web', '--dest', file],
      ['copy', 'web', '--dest', file],
      ['download', 'web', '--dest', cluster().directory, '--merge', join(file, 'one')], // what came stays there, to go on from
    ]) {
      const { code, err } = await pcap(...command)
      t.deepEqual([code, err.split('\n').length], [1, 2], err)
      t.regex(err, /^Cannot keep what came: (ENOTDIR|EEXIST): /)
    }
    const { code, err } = await pcap('stream', 'web', '--write', join(file, 'one'))
    t.is(code, 2, err) // and ends, though the capture goes on
    t.regex(err, /^Cannot write \S+: ENOTDIR/)
  },
)

clusterTest(
  'kubectl pcap create --download says what it waits for, and keeps standard output for what -o asks',
  async t => {
    const { pcap } = await onStage()
    const dest = join(cluster().directory, 'soon')
    const { code, out, err } = await pcap(
      'create',
      'soon',
      '-l',
      'app == "web"',
      '--for',
      '3s',
      `--download=${dest}`,
      '-o',
      'json',
    )
    t.is(code, 0, err)
    t.is((JSON.parse(out) as { metadata: { name: string } }).metadata.name, 'soon')
    t.regex(
      err,
      /^Waiting for its end at \S+Z; to fetch files at any time: kubectl pcap download soon -n shop\nsoon is Finished: .*\nDownloaded 2 files, .*\n$/,
    )
  },
)

clusterTest(
  'reports that were deleted leave the files where they are, and nothing on the way is not "no files"',
  async t => {
    const { pcap, nodes } = await onStage()
    const reports = nodes.map(({ name }) => name)
    await cluster().api.kubectl('delete', 'nodecapturereports', ...reports)
    const { code, out, err } = await pcap('download', 'web', '--dest', join(cluster().directory, 'lost')) // biome-ignore format: one line
    t.is(code, 0, err)
    t.regex(out, /^Downloaded 2 files, /)
    const [first] = nodes
    await first?.stopAgent()
    await cluster().api.kubectl('delete', 'nodecapturereports', '--all')
    const missing = await pcap('download', 'web', '--dest', join(cluster().directory, 'lost'))
    t.is(missing.code, 8, missing.err)
    t.regex(missing.err, /^Cannot have the files of node-1 \(.*\): what is here is not all\n$/m)
  },
)

clusterTest(
  'a download of a capture that nobody has seen is no success, a quota and a namespace that ends are no missing right',
  async t => {
    const { pcap, asAdmin, nodes, pods } = await onStage()
    await cluster().api.kubectl('create', 'namespace', 'full')
    const create = (namespace: string, name = 'web') =>
      asAdmin('create', name, '-n', namespace, '-l', 'all()')
    const count = { 'count/packetcaptures.projectcalico.org': '0' }
    const metadata = { name: 'none', namespace: 'full' }
    await cluster().apply({
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata,
      spec: { hard: count },
    })
    const status = JSON.stringify({ status: { hard: count, used: count } }) // as a controller would fill it
    await cluster().api.kubectl('patch', 'quota', 'none', '-n', 'full', '--subresource=status', '--type=merge', '-p', status) // biome-ignore format: one line
    await cluster().apply({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'stays', namespace: 'other', finalizers: ['selcap.dev/test'] },
    })
    await cluster().api.kubectl('delete', 'namespace', 'other', '--wait=false')
    t.teardown(() => cluster().api.kubectl('patch', 'configmap', 'stays', '-n', 'other', '--type=merge', '-p', '{"metadata":{"finalizers":null}}')) // biome-ignore format: one line
    const ending = await create('other')
    t.is(ending.code, 1, ending.err)
    t.regex(ending.err, /because it is being terminated/)
    let tries = 0
    let full = await create('full')
    await until('the quota to count', async () => {
      if (full.code !== 0) return true
      full = await create('full', `web-${tries++}`)
      return false
    })
    t.is(full.code, 1, full.err)
    t.regex(full.err, /exceeded quota/)
    await nodes[0]?.startAgent()
    const long = 'a'.repeat(253)
    const made = await pcap('create', long, '-l', 'app == "web"', '--protocol', 'UDP', '--wait')
    t.is(made.code, 0, made.err)
    for (const pod of pods) await pod.sender.udp({ to: pod.hostAddress, port: 9, count: 2 })
    const into = join(cluster().directory, 'long')
    const merged = await pcap('download', long, '--merge', '--dest', into)
    t.is(merged.code, 0, merged.err)
    t.regex(readdirSync(into).join(), /^a+_[0-9a-f]+\.pcapng$/)
    for (const node of nodes) await node.stopAgent()
    t.is((await pcap('create', 'unseen', '-l', 'app == "web"')).code, 0)
    const { code, err } = await pcap('download', 'unseen', '--dest', join(into, 'unseen'))
    t.is(code, 8, err)
    t.regex(err, /^Cannot tell whether "unseen" has files: ./m)
  },
)
