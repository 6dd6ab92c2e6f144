// `kubectl pcap download`, `copy` and `clean` by the real kubectl, through the service proxy of a
// real API server, from a real gateway, with the files of real agents: as a user with rights in one
// namespace, and none on nodes, pods or services.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { kubeconfig } from '../../../support/kube/credentials.ts'
import {
  addGateway,
  makeStage,
  type Stage,
  untilState,
} from '../../../support/kube/pluginFixture.ts'
import { useSimulated } from '../../../support/kube/useSimulated.ts'
import { readRecords } from '../../../support/pcap/captureFile.ts'
import { shared } from '../../../support/shared.ts'
import { until } from '../../../support/until.ts'

const { cluster, clusterTest } = useSimulated()
type Set = Stage & { readonly dest: string }

const onStage = shared((): Promise<Set> => prepare())

async function prepare(): Promise<Set> {
  const stage = await makeStage(cluster())
  await addGateway(cluster())
  await stage.pcap('create', 'web', '-l', 'app == "web"', '--protocol', 'UDP', '--wait')
  for (const [index, pod] of stage.pods.entries())
    await pod.sender.udp({ to: pod.hostAddress, port: 9, count: 10 + index })
  await untilState(stage, 'web', ({ status }) => status?.packets === 21)
  return { ...stage, dest: join(cluster().directory, 'files') }
}

/** What lies in a directory, and below it. */
function under(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name).slice(directory.length + 1))
    .toSorted()
}

const onDisk = (stage: Stage, index: number, name: string) =>
  readFileSync(join(stage.nodes[index]?.captures ?? '', 'shop', 'web', name))

clusterTest('kubectl pcap download brings every file of every node, verified', async t => {
  const stage = await onStage()
  const { code, out, err } = await stage.pcap('download', 'web', '--dest', stage.dest)
  t.is(code, 0, err)
  t.regex(out, /^Downloaded 2 files, \d+(\.\d)? k?B, verified, to \S+\n$/)
  const names = stage.pods.map((pod, index) => `node-${index + 1}/${pod.name}_${pod.hostName}.pcap`)
  t.deepEqual(under(stage.dest), names)
  for (const [index, name] of names.entries())
    t.deepEqual(
      readFileSync(join(stage.dest, name)),
      onDisk(stage, index, name.slice('node-1/'.length)),
    )
})

clusterTest(
  'kubectl pcap download tells checksums, takes nodes and pods, and fetches what has grown',
  async t => {
    const stage = await onStage()
    const [pod] = stage.pods
    const read = async (...flags: string[]) => {
      const { code, out, err } = await stage.pcap(
        'download',
        'web',
        '--dest',
        stage.dest,
        ...flags,
        '-o',
        'json',
      )
      t.is(code, 0, err)
      return (JSON.parse(out) as { files: { node: string; path: string; sha256: string }[] }).files
    }
    await pod?.sender.udp({ to: pod.hostAddress, port: 9, count: 5 })
    await until('15 packets in the file', () => stage.nodes[0]?.records('shop', 'web') === 15)
    const [file, ...others] = await read('--pod', 'web-0')
    t.deepEqual([file?.node, others], ['node-1', []])
    const bytes = readFileSync(file?.path ?? '')
    t.is(file?.sha256, createHash('sha256').update(bytes).digest('hex'))
    t.is(readRecords(bytes, 'pcap').length, 15)
    t.deepEqual(
      (await read('--node', 'node-2')).map(({ node }) => node),
      ['node-2'],
    )
  },
)

clusterTest(
  'kubectl pcap download of a node or a pod without files exits 3 and names files there are',
  async t => {
    const { pcap } = await onStage()
    for (const choice of ['--node=nobody', '--pod=nobody', '--pod=web']) {
      const { code, err } = await pcap('download', 'web', choice)
      t.is(code, 3)
      t.regex(
        err,
        /^Cannot find a file of shop\/web for that --node and --pod: found node-1\/web-0_/,
      )
    }
  },
)

clusterTest(
  'kubectl pcap download --merge makes one file in the order of time, which tshark reads',
  async t => {
    const stage = await onStage()
    for (let round = 0; round < 3; round++)
      for (const pod of stage.pods) await pod.sender.udp({ to: pod.hostAddress, port: 9, count: 2 })
    await until(
      'the packets in the files',
      () => stage.nodes.reduce((sum, node) => sum + node.records('shop', 'web'), 0) === 38,
    )
    const file = join(cluster().directory, 'all.pcapng')
    const { code, err } = await stage.pcap(
      'download',
      'web',
      '--dest',
      cluster().directory,
      '--merge',
      file,
    )
    t.is(code, 0, err)
    t.regex(err, /^Merged 38 packets into \S+\n$/)
    const rows = tshark(file, 'frame.time_epoch', 'frame.interface_name')
    t.is(rows.length, 38)
    t.deepEqual(
      rows,
      rows.toSorted((a, b) => Number(a[0]) - Number(b[0])),
    )
    t.deepEqual(
      new Set(rows.map(([, name]) => name)),
      new Set(stage.pods.map(({ hostName }) => hostName)),
    )
    t.false(existsSync(join(cluster().directory, '.web.parts')))
  },
)

function tshark(file: string, ...fields: string[]): string[][] {
  const args = ['-r', file, '-T', 'fields', ...fields.flatMap(field => ['-e', field])]
  const lines = execFileSync('tshark', args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  }).trim()
  return lines.split('\n').map(line => line.split('\t'))
}

clusterTest(
  'kubectl pcap copy prints the line of calicoctl, and puts files side by side',
  async t => {
    const stage = await onStage()
    const dest = join(cluster().directory, 'copied')
    const { code, out, err } = await stage.pcap('copy', 'web', '-n', 'shop', '--dest', dest)
    t.is(code, 0, err)
    t.is(out, `Copy capture files for shop/web to ${dest}\n`)
    t.deepEqual(
      under(dest),
      stage.pods.map(pod => `${pod.name}_${pod.hostName}.pcap`),
    )
  },
)

for (const [what, args, code, said] of [
  [
    'a namespace without rights',
    ['download', 'web', '-n', 'other'],
    4,
    /may not get packetcaptures\/files .* in the namespace "other"/,
  ],
  [
    'a capture that is not there',
    ['download', 'nothing'],
    3,
    /Cannot find a capture "nothing" in the namespace "shop"/,
  ],
  [
    'clean while it is captured',
    ['clean', 'web'],
    5,
    /Cannot clean files while they are captured: on node-1, node-2/,
  ],
  [
    'copy of all namespaces without the right to list them',
    ['copy', 'web', '-a'],
    4,
    /cannot list resource "packetcaptures"/,
  ],
  [
    'a gateway that is not installed',
    ['download', 'web', '--gateway-namespace', 'shop'],
    4,
    /services "https:selcap-gateway:443" is forbidden.*; and by port-forward: /,
  ],
  [
    'a service account that it may not be',
    ['download', 'web', '--service-account', 'other'],
    4,
    /Cannot get a token of service account "other"/,
  ],
] as const) {
  clusterTest(`kubectl pcap exits ${code} for ${what}`, async t => {
    const stage = await onStage()
    const answer = await stage.pcap(...args)
    t.is(answer.code, code, answer.err)
    t.regex(answer.err, said)
  })
}

clusterTest(
  'a user without a token is told what to do, and asks with a service account where they may',
  async t => {
    const stage = await onStage()
    // The administrator's token with basic authentication in its stead would do no better: the
    // gateway takes bearer tokens alone.
    const config = JSON.parse(kubeconfig(cluster().api.url, cluster().api.caFile, '')) as {
      users: { user: object }[]
    }
    const file = join(cluster().directory, 'certificate.kubeconfig')
    writeFileSync(
      file,
      JSON.stringify({ ...config, users: config.users.map(each => ({ ...each, user: {} })) }),
    )
    const refused = await cluster().api.ask([
      'pcap',
      'download',
      'web',
      '-n',
      'shop',
      '--api-group',
      'projectcalico.org',
      '--kubeconfig',
      file,
    ])
    t.is(refused.code, 4, refused.err)
    t.regex(refused.err, /holds no token.*expected --service-account/)
    const dest = join(cluster().directory, 'as-dev')
    const { code, err } = await stage.asAdmin(
      'download',
      'web',
      '-n',
      'shop',
      '--service-account',
      'dev',
      '--dest',
      dest,
    )
    t.is(code, 0, err)
    t.is(under(dest).length, 2)
  },
)

clusterTest(
  'kubectl pcap download has what is there, names the node that is not, and exits 8',
  async t => {
    const stage = await onStage()
    await stage.nodes[1]?.stopAgent('SIGKILL')
    const dest = join(cluster().directory, 'half')
    const { code, err, out } = await stage.pcap('download', 'web', '--dest', dest)
    t.is(code, 8, err)
    t.regex(err, /Cannot have the files of node-2 \(.+\): what is here is not all/)
    t.regex(out, /^Downloaded 1 file, /)
    await stage.nodes[1]?.startAgent()
  },
)

clusterTest('kubectl pcap create --download waits for the end and has the files', async t => {
  const stage = await onStage()
  const dest = join(cluster().directory, 'created')
  t.is((await stage.pcap('create', 'short', '--download')).code, 2)
  const creating = stage.pcap(
    'create',
    'short',
    '-l',
    'app == "web"',
    '--protocol',
    'UDP',
    '--limit-packets',
    '3',
    '--wait',
    '--download',
    dest,
  )
  await untilState(stage, 'web', ({ status }) => status?.state === 'Capturing')
  await until('its files', () =>
    stage.nodes.every(node => node.files('shop', 'short').length === 1),
  )
  // A file is there a moment before its interface is listened to: sent until both have had enough.
  const ended: { isSo?: true } = {}
  const over = creating.finally(() => {
    ended.isSo = true
  })
  const send = async () => {
    for (const pod of stage.pods) await pod.sender.udp({ to: pod.hostAddress, port: 9, count: 5 })
    return ended.isSo
  }
  await until('the end', send, { everyMs: 500 })
  const { code, err } = await over
  t.is(code, 0, err)
  t.regex(err, /short is Finished: 2 nodes, 2 endpoints, 6 packets\n/)
  t.deepEqual(
    under(dest).map(name => readRecords(readFileSync(join(dest, name)), 'pcap').length),
    [3, 3],
  )
})

clusterTest(
  'kubectl pcap clean removes the files of a capture that has finished, with the line of calicoctl',
  async t => {
    const stage = await onStage()
    t.is((await stage.pcap('stop', 'web')).code, 0)
    await untilState(stage, 'web', ({ status }) => status?.state === 'Finished')
    await until('the gateway to know', async () => (await stage.pcap('clean', 'web')).code === 0)
    t.is((await stage.pcap('clean', 'web', '-n', 'shop')).out, 'Clean capture files for shop/web\n')
    t.deepEqual(
      stage.nodes.map(node => node.files('shop', 'web')),
      [[], []],
    )
    const { out } = await stage.pcap('download', 'web', '--dest', join(cluster().directory, 'none'))
    t.is(out, 'No files\n')
  },
)
