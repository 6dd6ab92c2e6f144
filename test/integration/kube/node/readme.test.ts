// The commands of docs/cluster.md, and with them those of README.md's section on clusters, typed
// one after another on a real node as they stand there, with pods of a shop that the reader would
// have. A command without a check fails the first test.
import { mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { parse } from 'yaml'
import { busyboxPod } from '../../../support/kube/node/config.ts'
import { importSelcap } from '../../../support/kube/node/install.ts'
import { useNode } from '../../../support/kube/node/useNode.ts'
import { toolPath } from '../../../support/kube/tools.ts'
import { commandsOf, sectionOf, spokenCommandsOf } from '../../../support/markdown.ts'
import { read, root } from '../../../support/repository.ts'
import { until } from '../../../support/until.ts'

const { node, nodeTest } = useNode()
const guide = read('docs/cluster.md')
const section = `${sectionOf(guide, 'Install')}${sectionOf(guide, 'With kubectl')}`

const reportCommand = 'kubectl get nodecapturereport NODE -o yaml'

const packets = sectionOf(guide, 'With the plugin')

type Check = (t: ExecutionContext, said: string) => unknown

async function shop(): Promise<void> {
  const serve = 'echo hello >/www/index.html; httpd -f -h /www'
  await node().apply(busyboxPod('shop', 'web-0', { app: 'web' }, serve))
  await node().kubectl('wait', '-n', 'shop', '--for=condition=Ready', 'pod/web-0', '--timeout=60s')
  const address = await node().kubectl(
    'get',
    'pod',
    'web-0',
    '-n',
    'shop',
    '-o',
    'jsonpath={.status.podIP}',
  )
  await node().apply(
    busyboxPod('shop', 'client', {}, `while :; do wget -qO- http://${address}/; sleep 1; done`),
  )
  await node().kubectl('wait', '-n', 'shop', '--for=condition=Ready', 'pod/client', '--timeout=60s')
}

const checks: Readonly<Record<string, Check>> = {
  'kubectl apply -k daemonset/base': (t, said) =>
    t.regex(said, /daemonset.apps\/selcap-agent created/),
  'kubectl rollout status daemonset/selcap-agent -n selcap-system': (t, said) =>
    t.regex(said, /successfully rolled out/),
  'kubectl create namespace shop': shop,
  'kubectl apply -f examples/selector.yaml': (t, said) =>
    t.regex(said, /packetcapture.projectcalico.org\/web created/),
  'kubectl get packetcaptures -n shop': (t, said) =>
    t.regex(said, /^NAME +SELECTOR +STATE +NODES +ENDPOINTS +PACKETS +DROPPED +AGE\nweb /),
  "kubectl wait --for=jsonpath='{.status.state}'=Capturing packetcapture/web -n shop --timeout=60s":
    (t, said) => t.regex(said, /condition met/),
  'kubectl get packetcaptures web -n shop -o yaml': (t, said) =>
    t.regex(parse(said).status.files[0].fileNames[0], /^web-0_veth\w+\.pcap$/),
  'kubectl get packetcaptures -A -o wide': (t, said) =>
    t.regex(said, /AGE +START +END +BYTES +MESSAGE\nshop +web /),
  'kubectl describe packetcapture web -n shop': (t, said) =>
    t.regex(said, /Normal +Started .*selcap-controller +Capturing 1 endpoint on 1 node/),
  'kubectl explain packetcapture.spec.selector': (t, said) => t.regex(said, /==/),
  'kubectl get nodecapturereports': (t, said) => t.regex(said, /node-1 +0\.1\.0/),
  'kubectl patch packetcapture web -n shop --type=merge -p "{\\"spec\\":{\\"endTime\\":\\"$(date -u +%FT%TZ)\\"}}"':
    async t => {
      await until(
        'the end',
        async () =>
          (await type('kubectl get pcap web -n shop -o jsonpath={.status.state}')) === 'Finished',
      )
      t.not(await node().run('ls', '/var/log/calico/pcap/shop/web'), '')
    },
  'kubectl delete packetcapture web -n shop': async t => {
    await until(
      'the files to go',
      async () => !(await node().run('ls', '/var/log/calico/pcap')).includes('shop'),
    )
    t.pass()
  },
}

const packetChecks: Readonly<Record<string, Check>> = {
  'kubectl pcap create http --selector \'app == "web"\' --port 80 --for 10m -n shop --wait': (
    t,
    said,
  ) => t.regex(said, /http/),
  'kubectl pcap explain http -n shop': (t, said) => t.regex(said, /web-0/),
  'kubectl pcap describe http -n shop': (t, said) => t.regex(said, /node-1/),
  'kubectl pcap stream http -n shop | tcpdump -nr - -c 5': (t, said) =>
    t.is(said.trim().split('\n').length, 5),
  'kubectl pcap stop http -n shop': async t => {
    await until(
      'the end',
      async () =>
        (await type('kubectl get pcap http -n shop -o jsonpath={.status.state}')) === 'Finished',
    )
    t.pass()
  },
  'kubectl pcap download http -n shop --merge': async t => {
    const merged = await node().run(
      'bash',
      '-c',
      `tcpdump -nr "$(find ${folder()} -name '*.pcapng' | head -1)" 2>/dev/null | wc -l`,
    )
    const { status } = JSON.parse(await type('kubectl get pcap http -n shop -o json'))
    t.is(Number(merged), status.packets)
  },
  'kubectl pcap delete http -n shop': (t, said) => t.regex(said, /http/),
}

/** Where the reader downloads to. */
function folder(): string {
  const path = join(node().directory, 'downloads')
  mkdirSync(path, { recursive: true })
  return path
}

/**
 * As the reader's shell does; its kubectl is the one that was built, and finds the plugin on the
 * PATH.
 */
function type(command: string, place = root): Promise<string> {
  const path = [dirname(toolPath('kubectl')), join(root, 'bin'), process.env.PATH].join(':')
  return node().run(
    'env',
    `KUBECONFIG=${node().api.kubeconfig}`,
    `PATH=${path}`,
    'bash',
    '-c',
    `cd "$1"; ${command}`,
    'bash',
    place,
  )
}

test('every command of docs/cluster.md has a check here, and no check is left over', t => {
  t.deepEqual(commandsOf(section), Object.keys(checks))
  t.deepEqual(commandsOf(packets), Object.keys(packetChecks))
  t.deepEqual(
    commandsOf(sectionOf(read('README.md'), 'In a cluster')).filter(
      each => !(each in checks) && !(each in packetChecks),
    ),
    [],
  )
  t.deepEqual(spokenCommandsOf(section), [
    'kubectl pcap install --image NAME:TAG', // these three: test/integration/kube/kubectl/install.test.ts
    '--for 1h',
    'kubectl pcap uninstall',
    'bin/selcap preflight', // test/integration/kube/preflight.test.ts
  ])
  const programs = spokenCommandsOf(sectionOf(read('docs/operations.md'), 'The programs'))
  t.deepEqual(programs, [
    'selcap agent',
    'selcap controller',
    'selcap gateway',
    'selcap standalone',
    reportCommand,
  ])
  const { newTag } = parse(read('daemonset/base/kustomization.yaml')).images[0]
  t.true(
    section.includes(`-t selcap:${newTag} .`) &&
      section.includes(`kind load docker-image selcap:${newTag}`),
  )
})

nodeTest('the node has the image, as it would be pulled', async t => {
  await importSelcap(node())
  t.pass()
})

for (const command of commandsOf(section)) {
  nodeTest(`docs/cluster.md: ${command}`, async t => {
    await checks[command]?.(t, await type(command))
    t.pass()
  })
}

nodeTest(`docs/operations.md: ${reportCommand}`, async t => {
  const { report } = parse(await type(reportCommand.replace('NODE', 'node-1')))
  t.like(report, { budgets: { ringBytesMax: 134_217_728 }, clockOffsetMilliseconds: 0 })
})

for (const command of commandsOf(packets)) {
  nodeTest(`docs/cluster.md: ${command}`, async t => {
    await packetChecks[command]?.(t, await type(command, folder()))
    t.pass()
  })
}
