// The plugin's commands over captures, run by the real kubectl against a real API server, agents and a controller.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { parse } from 'yaml'
import type { PublishedCapture } from '../../../src/publish/statusDirectory.ts'
import { useSimulated } from '../../cluster/useSimulated.ts'
import { makeStage, type Stage, untilSo, untilState } from './stage.ts'

const { cluster, clusterTest } = useSimulated()
let made: Promise<Stage> | undefined

function onStage(): Promise<Stage> {
  made ??= makeStage(cluster())
  return made
}

clusterTest('kubectl capture create --wait makes a capture that is captured when it returns', async t => {
  const stage = await onStage()
  const flags = ['-l', 'app == "web"', '--protocol', 'UDP', '--port', '9,8000:8080', '--wait', '--timeout', '30s']
  const { code, out, err } = await stage.capture('create', 'web', ...flags)
  t.is(code, 0, err)
  t.is(out, 'packetcapture.projectcalico.org/web created\n')
  t.regex(err, /^web is WaitingForTraffic: 2 nodes, 2 endpoints, 0 packets\n$/)
  const { spec } = await stage.get('web')
  t.like(spec, { selector: 'app == "web"', filters: [{ protocol: 'UDP', ports: [9, '8000:8080'] }] })
})

clusterTest('kubectl capture create refuses a selector that does not parse before it sends anything, with the caret', async t => {
  const stage = await onStage()
  const { code, out, err } = await stage.capture('create', 'bad', '-l', 'app == web')
  t.deepEqual([code, out], [2, ''])
  t.is(err, 'Cannot capture: spec.selector: expected string\n  app == web\n         ^\n')
  t.regex((await stage.capture('describe', 'bad')).err, /"bad" not found/)
})

for (const [what, flags, code, said] of [
  ['an unknown option', ['--slector', 'all()'], 2, /unknown option '--slector'/],
  ['--for and --until', ['--for', '1m', '--until', '+1m'], 2, /expected one of them/],
  ['an end before its start', ['--from', '+2m', '--until', '+1m'], 2, /endTime must be after startTime/],
  ['a host name in the expression', ['--expression', 'host example'], 2, /names of hosts/],
  ['a schedule without a window', ['--cron', '0 2 * * *'], 2, /--cron and --window together/],
  ['a pod that is not there', ['--pod', 'nobody'], 3, /there is none in namespace "shop"/],
  ['a deployment that is not there', ['--deployment', 'nobody'], 3, /"nobody" not found/],
  ['a namespace without rights', ['-n', 'other'], 4, /cannot create resource "packetcaptures".*namespace "other"/],
  ['a name that is taken', [], 5, /"web" already exists/],
] as const) {
  clusterTest(`kubectl capture create exits ${code} when it is given ${what}`, async t => {
    const stage = await onStage()
    const answer = await stage.capture('create', 'web', ...flags)
    t.is(answer.code, code, answer.err)
    t.regex(answer.err, said)
    t.notRegex(answer.err, /\n\s+at /)
  })
}

clusterTest('kubectl capture create turns deployments, services and pods into selectors', async t => {
  const stage = await onStage()
  const template = { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'main', image: 'app' }] } }
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
    const { out, err } = await stage.capture('create', 'x', ...flags, '--dry-run=client', '-o', 'json')
    t.is(err, '')
    return (JSON.parse(out) as PublishedCapture).spec.selector
  }
  t.is(await selectorFor('--deployment', 'web'), 'app == "web" && tier not in {"db", "cache"}')
  t.is(await selectorFor('--service', 'web', '-l', 'has(x)'), '(has(x)) && (app == "web" && role == "front")')
  t.is(await selectorFor('--pod', 'web-1'), 'app == "web" && pod-name == "web-1"')
  t.is(await selectorFor('--pod', 'web-0,web-1'), '(app == "web" && pod-name == "web-0") || (app == "web" && pod-name == "web-1")')
})

clusterTest('kubectl capture create --pod refuses labels that other pods have too, unless they are meant', async t => {
  const stage = await onStage()
  for (const name of ['twin-a', 'twin-b'])
    await cluster().apply({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: 'shop', labels: { app: 'twin' } },
      spec: { containers: [{ name: 'main', image: 'app' }] },
    })
  const alone = await stage.capture('create', 'x', '--pod', 'twin-a', '--dry-run=client')
  t.is(alone.code, 2)
  t.regex(alone.err, /the same labels are on twin-b; expected --with-replicas/)
  t.is((await stage.capture('create', 'x', '--pod', 'twin-a', '--with-replicas', '--dry-run=client')).code, 0)
})

clusterTest('kubectl capture create --dry-run shows the whole spec, and makes nothing', async t => {
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
    // A ttl is for those who may delete captures; the policies of the installation judge the dry run too.
    const { out, err } = await stage.capture(
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
    t.is(err, '')
    t.deepEqual((parse(out) as PublishedCapture).spec, spec, where)
  }
  t.is((await stage.capture('describe', 'dry')).code, 3)
})

clusterTest('kubectl capture list prints the columns of kubectl, -A more, and names for scripts', async t => {
  const stage = await onStage()
  const { out } = await stage.capture('list')
  const [head = '', row = ''] = out.split('\n')
  t.deepEqual(head.split(/ {3,}/), ['NAME', 'SELECTOR', 'STATE', 'NODES', 'ENDPOINTS', 'PACKETS', 'DROPPED', 'AGE'])
  t.deepEqual(row.split(/ {3,}/).slice(0, 5), ['web', 'app == "web"', 'WaitingForTraffic', '2', '2'])
  t.is((await stage.capture('list', '-o', 'name')).out, 'packetcapture.projectcalico.org/web\n')
  t.regex((await stage.asAdmin('list', '-A', '-o', 'wide')).out, /^NAMESPACE .* MESSAGE\nshop +web /)
  const refused = await stage.capture('list', '-A')
  t.is(refused.code, 4)
  t.regex(refused.err, /cannot list resource "packetcaptures"/)
})

clusterTest('kubectl capture explain tells which pods are taken, and why not the others', async t => {
  const { nodes, capture } = await onStage()
  await nodes[0]?.addPod('shop', 'proxy', { app: 'web' }, { spec: { hostNetwork: true } })
  await nodes[0]?.addPod('shop', 'db', { app: 'db' })
  const { out, code } = await capture('explain', 'web')
  t.is(code, 0)
  t.regex(out, /^Selector: app == "web"\n2 of 6 pods are taken in namespace "shop"\n/)
  t.regex(out, /\nyes {5}web-0 +node-1 +app == "web" is true, label app is "web"\n/)
  t.regex(out, /\nno +proxy +node-1 +it is host-networked/)
  t.regex(out, /\nno +db +node-1 +app == "web" is false, label app is "db"\n/)
  t.is((await capture('explain', '-l', 'app == "db"', '-o', 'name')).out, 'pod/db\n')
  t.is((await capture('explain')).code, 2)
})

clusterTest('kubectl capture describe shows nodes, endpoints, losses, and what the selector matches now', async t => {
  const stage = await onStage()
  for (const pod of stage.pods) await pod.sender.udp({ to: pod.hostAddress, port: 9, count: 4 })
  await untilState(stage, 'web', ({ status }) => status?.packets === 8)
  const { out } = await stage.capture('describe', 'web')
  t.regex(out, /^Name: +web\nNamespace: +shop\n/)
  t.regex(out, /\nState: +Capturing\n/)
  t.regex(out, /\nTotals: +2 nodes, 2 endpoints, 8 packets, \d+ B\nDropped: +none\n/)
  t.regex(
    out,
    /\nNode node-2: Capturing\n {2}1 files in \S+\n {2}POD +INTERFACE .*\n {2}web-1 +cali\w+ +HostVeth +Capturing +4 +\d+ B +0\n/,
  )
  t.regex(out, /\nMatches now: 2 of 6 pods\n {2}web-0 on node-1\n {2}web-1 on node-2\n {2}not proxy: it is host-networked/)
})

clusterTest('kubectl capture watch follows a capture to its end, and stop ends it', async t => {
  const stage = await onStage()
  const watching = stage.capture('watch', 'web')
  await untilState(stage, 'web', ({ status }) => status?.state === 'Capturing')
  const { out } = await stage.capture('stop', 'web')
  t.is(out, 'web stopped\n')
  const { code, out: lines } = await watching
  t.is(code, 0)
  t.regex(lines, /^NAME +SELECTOR +STATE .*\nweb +app == "web" +Capturing [\s\S]*\nweb +app == "web" +Finished .*\n$/)
  t.regex((await stage.capture('stop', 'web')).out, /^web ended already at /)
})

clusterTest('kubectl capture stop ends a capture that has not begun', async t => {
  const stage = await onStage()
  t.is((await stage.capture('create', 'later', '-l', 'app == "web"', '--from', '+1h', '--for', '1h', '--wait')).code, 0)
  t.is((await stage.capture('stop', 'later')).out, 'later ended before it began\n')
  await untilState(stage, 'later', ({ status }) => status?.state === 'Finished')
  t.pass()
})

clusterTest('kubectl capture create --wait exits 7 when the goal does not come', async t => {
  const stage = await onStage()
  const { code, err } = await stage.capture('create', 'quiet', '-l', 'app == "db"', '--wait', 'capturing', '--timeout', '1s')
  t.is(code, 7, err)
  t.regex(err, /^Cannot wait any longer for "quiet": after 1 s it is \w+/)
})

clusterTest('kubectl capture create --wait exits 6 with the message when the capture is an Error', async t => {
  const stage = await onStage()
  const { code, err } = await stage.capture('create', 'filter', '--expression', 'tcp and and', '--wait', '--timeout', '30s')
  t.is(code, 6, err)
  t.regex(err, /syntax error/)
})

clusterTest('kubectl capture watch draws a table with the way to the limit on a terminal', async t => {
  const { userKubeconfig, capture } = await onStage()
  t.is((await capture('create', 'limited', '-l', 'app == "web"', '--limit-packets', '2', '--wait')).code, 0)
  const command = `stty columns 100; kubectl capture watch limited --kubeconfig ${userKubeconfig}`
  const args = [`--net=${cluster().networkPath}`, 'script', '-qec', command, '/dev/null']
  const child = spawn('nsenter', args, {
    env: { ...process.env, TERM: 'xterm-256color', NO_COLOR: '' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  const closed = once(child, 'close')
  let drawn = ''
  child.stdout.on('data', (chunk: Buffer) => {
    drawn += chunk.toString().replaceAll('\u001b', '<esc>')
  })
  await untilSo('a bar', () => /0 of 2 packets \[-+\]/.test(drawn))
  await capture('stop', 'limited')
  await closed
  t.regex(drawn, /<esc>\[2A<esc>\[J/)
  t.regex(drawn, /<esc>\[90mFinished<esc>\[39m .* done\r\n$/)
})

clusterTest('kubectl completes names of captures, pods and namespaces through kubectl_complete-capture', async t => {
  const { userKubeconfig } = await onStage()
  const completed = async (...words: string[]) => (await cluster().api.ask(['__complete', 'capture', ...words])).out.trim().split('\n')
  t.deepEqual(await completed('describe', '--kubeconfig', userKubeconfig, 'la'), ['later\tFinished', ':4'])
  t.deepEqual(await completed('create', 'x', '-n', 'shop', '--pod', 'web-0,web-'), ['web-0,web-0\tRunning', 'web-0,web-1\tRunning', ':4'])
  t.deepEqual(await completed('list', '--context', ''), ['selcap', ':4'])
  t.deepEqual(await completed('describe', '--kubeconfig', 'missing', ''), [':4'])
})

clusterTest('kubectl capture delete removes captures, and exits 3 for one that is not there', async t => {
  const { capture } = await onStage()
  t.is(
    (await capture('delete', 'web', 'later')).out,
    'packetcapture.projectcalico.org "web" deleted\npacketcapture.projectcalico.org "later" deleted\n',
  )
  t.is((await capture('delete', 'web')).code, 3)
  t.is((await capture('delete')).code, 2)
  t.is((await capture('delete', '--all')).code, 0)
  t.regex((await capture('list')).err, /^No captures found in shop namespace\n$/)
})

clusterTest('kubectl capture exits 1 when the API server cannot be reached, and 2 for a context that is not there', async t => {
  const { capture } = await onStage()
  const away = await capture('list', '--context', 'nowhere')
  t.is(away.code, 2)
  t.regex(away.err, /^Cannot use the context "nowhere": expected one of selcap\n$/)
  const { code, err } = await cluster().api.ask(['capture', 'list', '--kubeconfig', cluster().kubeconfigOf('https://198.19.255.1:1')])
  t.is(code, 1)
  t.regex(err, /^Cannot reach the API server: .*ECONNREFUSED/)
})
