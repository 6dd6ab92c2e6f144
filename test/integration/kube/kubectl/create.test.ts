// `kubectl pcap create` by the real kubectl against a real API server: what it refuses beforehand
// and with which code, and what flags, deployments, services and pods become. Nothing is captured
// here.
import { parse } from 'yaml'
import type { PublishedCapture } from '../../../../src/publish/statusDirectory.ts'
import { makeStage, type Stage } from '../../../support/kube/pluginFixture.ts'
import { useSimulated } from '../../../support/kube/useSimulated.ts'
import { shared } from '../../../support/shared.ts'

const { cluster, clusterTest } = useSimulated()

const onStage = shared((): Promise<Stage> => makeStage(cluster(), { isCapturing: false }))

const pod = (name: string, labels: object) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'shop', labels },
  spec: { containers: [{ name: 'main', image: 'app' }] },
})

clusterTest('kubectl pcap create makes a capture, and says so', async t => {
  const stage = await onStage()
  for (const name of ['web-0', 'web-1'])
    await cluster().apply(pod(name, { app: 'web', 'pod-name': name }))
  const { code, out, err } = await stage.pcap(
    'create',
    'web',
    '-l',
    'app == "web"',
    '--protocol',
    'UDP',
    '--port',
    '9,8000:8080',
  )
  t.is(code, 0, err)
  t.is(out, 'packetcapture.projectcalico.org/web created\n')
  const { spec } = await stage.get('web')
  t.like(spec, {
    selector: 'app == "web"',
    filters: [{ protocol: 'UDP', ports: [9, '8000:8080'] }],
  })
})

clusterTest(
  'kubectl pcap create refuses a selector that does not parse before it sends anything, with the caret',
  async t => {
    const stage = await onStage()
    const { code, out, err } = await stage.pcap('create', 'bad', '-l', 'app == web')
    t.deepEqual([code, out], [2, ''])
    t.is(err, 'Cannot capture: spec.selector: expected string\n  app == web\n         ^\n')
    t.regex((await stage.pcap('describe', 'bad')).err, /"bad" not found/)
  },
)

for (const [what, flags, code, said] of [
  ['an unknown option', ['--slector', 'all()'], 2, /unknown option '--slector'/],
  ['--for and --until', ['--for', '1m', '--until', '+1m'], 2, /expected one of them/],
  [
    'an end before its start',
    ['--from', '+2m', '--until', '+1m'],
    2,
    /endTime must be after startTime/,
  ],
  ['a host name in the expression', ['--expression', 'host example'], 2, /names of hosts/],
  ['a schedule without a window', ['--cron', '0 2 * * *'], 2, /--cron and --window together/],
  ['a pod that is not there', ['--pod', 'nobody'], 3, /there is none in namespace "shop"/],
  ['a deployment that is not there', ['--deployment', 'nobody'], 3, /"nobody" not found/],
  [
    'a namespace without rights',
    ['-n', 'other'],
    4,
    /cannot create resource "packetcaptures".*namespace "other"/,
  ],
  ['a name that is taken', [], 5, /"web" already exists/],
] as const) {
  clusterTest(`kubectl pcap create exits ${code} when it is given ${what}`, async t => {
    const stage = await onStage()
    const answer = await stage.pcap('create', 'web', ...flags)
    t.is(answer.code, code, answer.err)
    t.regex(answer.err, said)
    t.notRegex(answer.err, /\n\s+at /)
  })
}

clusterTest('kubectl pcap create turns deployments, services and pods into selectors', async t => {
  const stage = await onStage()
  const template = {
    metadata: { labels: { app: 'web' } },
    spec: { containers: [{ name: 'main', image: 'app' }] },
  }
  const matchExpressions = [{ key: 'tier', operator: 'NotIn', values: ['db', 'cache'] }]
  await cluster().apply(
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web', namespace: 'shop' },
      spec: { selector: { matchLabels: { app: 'web' }, matchExpressions }, template },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web', namespace: 'shop' },
      spec: { selector: { app: 'web', role: 'front' }, ports: [{ port: 80 }] },
    },
  )
  const selectorFor = async (...flags: string[]) => {
    const { out, err } = await stage.pcap('create', 'x', ...flags, '--dry-run=client', '-o', 'json')
    t.is(err, '')
    return (JSON.parse(out) as PublishedCapture).spec.selector
  }
  t.is(await selectorFor('--deployment', 'web'), 'app == "web" && tier not in {"db", "cache"}')
  t.is(
    await selectorFor('--service', 'web', '-l', 'has(x)'),
    '(has(x)) && (app == "web" && role == "front")',
  )
  t.is(await selectorFor('--pod', 'web-1'), 'app == "web" && pod-name == "web-1"')
  t.is(
    await selectorFor('--pod', 'web-0,web-1'),
    '(app == "web" && pod-name == "web-0") || (app == "web" && pod-name == "web-1")',
  )
})

clusterTest(
  'kubectl pcap create --pod refuses labels that other pods have too, unless they are meant',
  async t => {
    const stage = await onStage()
    for (const name of ['twin-a', 'twin-b']) await cluster().apply(pod(name, { app: 'twin' }))
    const alone = await stage.pcap('create', 'x', '--pod', 'twin-a', '--dry-run=client')
    t.is(alone.code, 2)
    t.regex(alone.err, /the same labels are on twin-b; expected --with-replicas/)
    t.is(
      (await stage.pcap('create', 'x', '--pod', 'twin-a', '--with-replicas', '--dry-run=client'))
        .code,
      0,
    )
  },
)

clusterTest('kubectl pcap create --dry-run shows the whole spec, and makes nothing', async t => {
  const stage = await onStage()
  const flags = [
    '--filter',
    'TCP/80',
    '--filter',
    'ICMP',
    '--filter',
    '/53',
    '--expression',
    'greater 100',
    '--from',
    '2030-01-01T00:00:00Z',
    '--for',
    '1h30m',
  ]
  const limits = [
    '--limit-duration',
    '2m',
    '--limit-packets',
    '10',
    '--limit-bytes',
    '1MiB',
    '--rotate-size',
    '10MB',
    '--rotate-after',
    '1h',
    '--rotate-files',
    '3',
  ]
  const kept = [
    '--snap-length',
    '96',
    '--payload',
    'Headers',
    '--format',
    'pcapng',
    '--vantage',
    'PodNetns',
    '--cron',
    '0 2 * * *',
    '--window',
    '1h',
    '--time-zone',
    'Europe/Berlin',
    '--ttl',
    '1d',
  ]
  const spec = {
    selector: 'all()',
    filters: [{ protocol: 'TCP', ports: [80] }, { protocol: 'ICMP' }, { ports: [53] }],
    expression: 'greater 100',
    startTime: '2030-01-01T00:00:00.000Z',
    endTime: '2030-01-01T01:30:00.000Z',
    limits: { durationSeconds: 120, packets: 10, bytes: 1_048_576 },
    rotation: { maxSizeBytes: 10_000_000, seconds: 3_600, maxFiles: 3 },
    snapLength: 96,
    payload: 'Headers',
    format: 'pcapng',
    vantage: 'PodNetns',
    schedule: { cron: '0 2 * * *', timeZone: 'Europe/Berlin', durationSeconds: 3_600 },
    ttlSecondsAfterFinished: 86_400,
  }
  for (const where of ['client', 'server']) {
    // A ttl is for those who may delete captures; the policies of the installation judge the dry
    // run too.
    const { out, err } = await stage.pcap(
      'create',
      'dry',
      '-l',
      'all()',
      ...flags,
      ...limits,
      ...kept,
      `--dry-run=${where}`,
      '-o',
      'yaml',
    )
    t.regex(
      err,
      where === 'client'
        ? /^$/
        : /^Warning: in namespace "shop" no pod that matches can be captured now: twin-a: it is on no node yet; /,
    )
    t.deepEqual((parse(out) as PublishedCapture).spec, spec, where)
  }
  t.is((await stage.pcap('describe', 'dry')).code, 3)
})
