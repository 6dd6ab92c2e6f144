// The plugin's commands over captures, run by the real kubectl against a real API server, agents
// and a controller.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { makeStage, type Stage, untilState } from '../../../support/kube/pluginFixture.ts'
import { useSimulated } from '../../../support/kube/useSimulated.ts'
import { shared } from '../../../support/shared.ts'
import { until } from '../../../support/until.ts'

const { cluster, clusterTest } = useSimulated()

const onStage = shared((): Promise<Stage> => makeStage(cluster()))

clusterTest(
  'kubectl pcap create --wait makes a capture that is captured when it returns',
  async t => {
    const stage = await onStage()
    const flags = [
      '-l',
      'app == "web"',
      '--protocol',
      'UDP',
      '--port',
      '9,8000:8080',
      '--wait',
      '--timeout',
      '30s',
    ]
    const { code, out, err } = await stage.pcap('create', 'web', ...flags)
    t.is(code, 0, err)
    t.is(out, 'packetcapture.projectcalico.org/web created\n')
    t.regex(err, /^web is WaitingForTraffic: 2 nodes, 2 endpoints, 0 packets\n$/)
    const { spec } = await stage.get('web')
    t.like(spec, {
      selector: 'app == "web"',
      filters: [{ protocol: 'UDP', ports: [9, '8000:8080'] }],
    })
  },
)

clusterTest(
  'kubectl pcap create says that its window is over, and --wait that no pod matches once the nodes had their time',
  async t => {
    const stage = await onStage()
    const past = await stage.pcap('create', 'past', '--until', '2020-01-01T00:00:00Z', '--wait')
    t.is(past.code, 0, past.err)
    t.regex(
      past.err,
      /^Warning: the window ended at 2020-01-01T00:00:00.000Z already: nothing will be captured\npast is Finished: /,
    )
    const nobody = await stage.pcap('create', 'nobody', '-l', 'app == "nobody"', '--wait')
    t.is(nobody.code, 0, nobody.err)
    t.regex(
      nobody.err,
      /^nobody is WaitingForTraffic: No pod in namespace "shop" matches the selector/,
    )
    t.is((await stage.pcap('delete', 'past', 'nobody')).code, 0)
  },
)

clusterTest(
  'kubectl pcap list prints the columns of kubectl, -A more, and names for scripts',
  async t => {
    const stage = await onStage()
    const { out } = await stage.pcap('list')
    const [head = '', row = ''] = out.split('\n')
    t.deepEqual(head.split(/ {3,}/), [
      'NAME',
      'SELECTOR',
      'STATE',
      'NODES',
      'ENDPOINTS',
      'PACKETS',
      'DROPPED',
      'AGE',
    ])
    t.deepEqual(row.split(/ {3,}/).slice(0, 5), [
      'web',
      'app == "web"',
      'WaitingForTraffic',
      '2',
      '2',
    ])
    t.is((await stage.pcap('list', '-o', 'name')).out, 'packetcapture.projectcalico.org/web\n')
    t.regex(
      (await stage.asAdmin('list', '-A', '-o', 'wide')).out,
      /^NAMESPACE .* MESSAGE\nshop +web /,
    )
    const refused = await stage.pcap('list', '-A')
    t.is(refused.code, 4)
    t.regex(refused.err, /cannot list resource "packetcaptures"/)
  },
)

clusterTest('kubectl pcap explain tells which pods are taken, and why not the others', async t => {
  const { nodes, pcap } = await onStage()
  await nodes[0]?.addPod('shop', 'proxy', { app: 'web' }, { spec: { hostNetwork: true } })
  await nodes[0]?.addPod('shop', 'db', { app: 'db' })
  const { out, code } = await pcap('explain', 'web')
  t.is(code, 0)
  t.regex(out, /^Selector: app == "web"\n2 of 4 pods are taken in namespace "shop"\n/)
  t.regex(out, /\nyes {5}web-0 +node-1 +app == "web" is true, label app is "web"\n/)
  t.regex(out, /\nno +proxy +node-1 +it is host-networked/)
  t.regex(out, /\nno +db +node-1 +app == "web" is false, label app is "db"\n/)
  t.is((await pcap('explain', '-l', 'app == "db"', '-o', 'name')).out, 'pod/db\n')
  t.is((await pcap('explain')).code, 2)
})

clusterTest(
  'kubectl pcap describe shows nodes, endpoints, losses, and what the selector matches now',
  async t => {
    const stage = await onStage()
    for (const pod of stage.pods) await pod.sender.udp({ to: pod.hostAddress, port: 9, count: 4 })
    await untilState(stage, 'web', ({ status }) => status?.packets === 8)
    const { out } = await stage.pcap('describe', 'web')
    t.regex(out, /^Name: +web\nNamespace: +shop\n/)
    t.regex(out, /\nState: +Capturing\n/)
    t.regex(out, /\nTotals: +2 nodes, 2 endpoints, 8 packets, \d+ B\nDropped: +none\n/)
    t.regex(
      out,
      /\nNode node-2: Capturing\n {2}1 file in \S+\n {2}POD +INTERFACE .*\n {2}web-1 +cali\w+ +HostVeth +Capturing +4 +\d+ B +0\n/,
    )
    t.regex(
      out,
      /\nMatches now: 2 of 4 pods\n {2}web-0 on node-1\n {2}web-1 on node-2\n {2}not proxy: it is host-networked/,
    )
  },
)

clusterTest('kubectl pcap watch follows a capture to its end, and stop ends it', async t => {
  const stage = await onStage()
  const watching = stage.pcap('watch', 'web')
  await untilState(stage, 'web', ({ status }) => status?.state === 'Capturing')
  const { out } = await stage.pcap('stop', 'web')
  t.is(out, 'web stopped\n')
  const { code, out: lines } = await watching
  t.is(code, 0)
  t.regex(
    lines,
    /^NAME +SELECTOR +STATE .*\nweb +app == "web" +Capturing [\s\S]*\nweb +app == "web" +Finished .*\n$/,
  )
  t.regex((await stage.pcap('stop', 'web')).out, /^web ended already at /)
})

clusterTest('kubectl pcap stop ends a capture that has not begun', async t => {
  const stage = await onStage()
  t.is(
    (
      await stage.pcap(
        'create',
        'later',
        '-l',
        'app == "web"',
        '--from',
        '+1h',
        '--for',
        '1h',
        '--wait',
      )
    ).code,
    0,
  )
  t.is((await stage.pcap('stop', 'later')).out, 'later ended before it began\n')
  await untilState(stage, 'later', ({ status }) => status?.state === 'Finished')
  t.pass()
})

clusterTest('kubectl pcap create --wait exits 7 when the goal does not come', async t => {
  const stage = await onStage()
  const { code, err } = await stage.pcap(
    'create',
    'quiet',
    '-l',
    'app == "db"',
    '--wait',
    'capturing',
    '--timeout',
    '1s',
  )
  t.is(code, 7, err)
  t.regex(err, /^Cannot wait any longer for "quiet": after 1 s it is \w+/)
})

clusterTest(
  'kubectl pcap create --wait exits 6 with the message when the capture is an Error',
  async t => {
    const stage = await onStage()
    const { code, err } = await stage.pcap(
      'create',
      'filter',
      '--expression',
      'tcp and and',
      '--wait',
      '--timeout',
      '30s',
    )
    t.is(code, 6, err)
    t.regex(err, /syntax error/)
  },
)

// What says "no colour", or that nobody is at the terminal, is the test runner's business.
function onTerminal(): NodeJS.ProcessEnv {
  const { CI: _, NO_COLOR: __, FORCE_COLOR: ___, NODE_DISABLE_COLORS: ____, ...env } = process.env
  return { ...env, TERM: 'xterm-256color' }
}

clusterTest('kubectl pcap watch draws a table with the way to the limit on a terminal', async t => {
  const { userKubeconfig, pcap } = await onStage()
  t.is(
    (await pcap('create', 'limited', '-l', 'app == "web"', '--limit-packets', '2', '--wait')).code,
    0,
  )
  const command = `stty columns 100; kubectl pcap watch limited --kubeconfig ${userKubeconfig}`
  const args = [`--net=${cluster().networkPath}`, 'script', '-qec', command, '/dev/null']
  const child = spawn('nsenter', args, {
    env: onTerminal(),
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  const closed = once(child, 'close')
  let drawn = ''
  child.stdout.on('data', (chunk: Buffer) => {
    drawn += chunk.toString().replaceAll('\u001b', '<esc>')
  })
  await until('a bar', () => /0 of 2 packets \[-+\]/.test(drawn))
  await pcap('stop', 'limited')
  await closed
  t.regex(drawn, /<esc>\[2A<esc>\[J/)
  t.regex(drawn, /<esc>\[90mFinished<esc>\[39m .* done\r\n$/)
})

clusterTest(
  'kubectl completes names of captures, pods and namespaces through kubectl_complete-pcap',
  async t => {
    const { userKubeconfig } = await onStage()
    const completed = async (...words: string[]) =>
      (await cluster().api.ask(['__complete', 'pcap', ...words])).out.trim().split('\n')
    t.deepEqual(await completed('describe', '--kubeconfig', userKubeconfig, 'la'), [
      'later\tFinished',
      ':4',
    ])
    t.deepEqual(await completed('create', 'x', '-n', 'shop', '--pod', 'web-0,web-'), [
      'web-0,web-0\tRunning',
      'web-0,web-1\tRunning',
      ':4',
    ])
    t.deepEqual(await completed('list', '--context', ''), ['selcap', ':4'])
    t.deepEqual(
      await completed(
        'download',
        'later',
        '-n',
        'shop',
        '--kubeconfig',
        userKubeconfig,
        '--node',
        '',
      ),
      ['node-1', 'node-2', ':4'],
    )
    t.deepEqual(await completed('describe', '--kubeconfig', 'missing', ''), [':4'])
  },
)

clusterTest(
  'kubectl pcap delete removes captures, and exits 3 for one that is not there',
  async t => {
    const { pcap } = await onStage()
    t.is(
      (await pcap('delete', 'web', 'later')).out,
      'packetcapture.projectcalico.org "web" deleted\npacketcapture.projectcalico.org "later" deleted\n',
    )
    t.is((await pcap('delete', 'web')).code, 3)
    t.is((await pcap('delete')).code, 2)
    t.is((await pcap('delete', '--all')).code, 0)
    t.regex((await pcap('list')).err, /^No captures found in shop namespace\n$/)
  },
)

clusterTest(
  'kubectl pcap exits 1 when the API server cannot be reached, and 2 for a context that is not there',
  async t => {
    const { pcap } = await onStage()
    const away = await pcap('list', '--context', 'nowhere')
    t.is(away.code, 2)
    t.is(
      away.err,
      'Cannot use the kubeconfig: the context "nowhere" does not exist: expected one of selcap\n',
    )
    const { code, err } = await cluster().api.ask([
      'pcap',
      'list',
      '--kubeconfig',
      cluster().kubeconfigOf('https://198.19.255.1:1'),
    ])
    t.is(code, 1)
    t.regex(err, /^Cannot reach the API server: .*ECONNREFUSED/)
  },
)
