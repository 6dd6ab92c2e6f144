// What `download`, `copy` and `stream` say of what was here already, of a disk that takes nothing,
// and of what is waited for; and what they print for scripts. By the real kubectl, from a real
// gateway.
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { addGateway, makeStage, type Stage } from '../../../support/kube/pluginFixture.ts'
import { useSimulated } from '../../../support/kube/useSimulated.ts'
import { shared } from '../../../support/shared.ts'

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
