// The commands of README.md's section on clusters, typed one after another on a real node as they stand there, with pods of a
// shop that the reader would have. A command without a check fails the first test.
import type { ExecutionContext } from 'ava'
import test from 'ava'
import { parse } from 'yaml'
import { commandsOf, sectionOf, spokenCommandsOf } from '../../markdown.ts'
import { read, root } from '../../repo/tree.ts'
import { until } from '../../taps/capture.ts'
import { toolPath } from '../tools.ts'
import { busyboxPod } from './config.ts'
import { importSelcap } from './install.ts'
import { useNode } from './useNode.ts'

const { node, nodeTest } = useNode()
const section = sectionOf(read('README.md'), 'In a cluster')

const reportCommand = 'kubectl get nodecapturereport NODE -o yaml'

type Check = (t: ExecutionContext, said: string) => unknown

async function shop(): Promise<void> {
  const serve = 'echo hello >/www/index.html; httpd -f -h /www'
  await node().apply(busyboxPod('shop', 'web-0', { app: 'web' }, serve))
  await node().kubectl('wait', '-n', 'shop', '--for=condition=Ready', 'pod/web-0', '--timeout=60s')
  const address = await node().kubectl('get', 'pod', 'web-0', '-n', 'shop', '-o', 'jsonpath={.status.podIP}')
  await node().apply(busyboxPod('shop', 'client', {}, `while :; do wget -qO- http://${address}/; sleep 1; done`))
  await node().kubectl('wait', '-n', 'shop', '--for=condition=Ready', 'pod/client', '--timeout=60s')
}

const checks: Readonly<Record<string, Check>> = {
  'kubectl apply -k daemonset/base': (t, said) => t.regex(said, /daemonset.apps\/selcap-agent created/),
  'kubectl rollout status daemonset/selcap-agent -n selcap-system': (t, said) => t.regex(said, /successfully rolled out/),
  'kubectl create namespace shop': shop,
  'kubectl apply -f examples/selector.yaml': (t, said) => t.regex(said, /packetcapture.projectcalico.org\/web created/),
  'kubectl get packetcaptures -n shop': (t, said) => t.regex(said, /^NAME +SELECTOR +STATE +NODES +ENDPOINTS +PACKETS +DROPPED +AGE\nweb /),
  "kubectl wait --for=jsonpath='{.status.state}'=Capturing packetcapture/web -n shop --timeout=60s": (t, said) =>
    t.regex(said, /condition met/),
  'kubectl get packetcaptures web -n shop -o yaml': (t, said) => t.regex(parse(said).status.files[0].fileNames[0], /^web-0_veth\w+\.pcap$/),
  'kubectl get packetcaptures -A -o wide': (t, said) => t.regex(said, /AGE +START +END +BYTES +MESSAGE\nshop +web /),
  'kubectl describe packetcapture web -n shop': (t, said) =>
    t.regex(said, /Normal +Started .*selcap-controller +Capturing 1 endpoint on 1 node/),
  'kubectl explain packetcapture.spec.selector': (t, said) => t.regex(said, /==/),
  'kubectl get nodecapturereports': (t, said) => t.regex(said, /node-1 +0\.1\.0/),
  'kubectl patch packetcapture web -n shop --type=merge -p "{\\"spec\\":{\\"endTime\\":\\"$(date -u +%FT%TZ)\\"}}"': async t => {
    await until('the end', async () => (await type('kubectl get pcap web -n shop -o jsonpath={.status.state}')) === 'Finished')
    t.not(await node().run('ls', '/var/log/calico/pcap/shop/web'), '')
  },
  'kubectl delete packetcapture web -n shop': async t => {
    await until('the files to go', async () => !(await node().run('ls', '/var/log/calico/pcap')).includes('shop'))
    t.pass()
  },
}

/** As the reader's shell does, in the checkout; its kubectl is the one that was built. */
function type(command: string): Promise<string> {
  const script = `kubectl() { ${toolPath('kubectl')} "$@"; }; cd "$1"; ${command}`
  return node().run('env', `KUBECONFIG=${node().api.kubeconfig}`, 'bash', '-c', script, 'bash', root)
}

test("every command of README.md's section on clusters has a check here, and no check is left over", t => {
  t.deepEqual(commandsOf(section), Object.keys(checks))
  t.deepEqual(spokenCommandsOf(section), ['bin/selcap preflight']) // test/cluster/preflight.test.ts
  const programs = spokenCommandsOf(sectionOf(read('docs/operations.md'), 'The programs'))
  t.deepEqual(programs, ['selcap agent', 'selcap controller', 'selcap standalone', reportCommand])
  const { newTag } = parse(read('daemonset/base/kustomization.yaml')).images[0]
  t.true(section.includes(`-t selcap:${newTag} .`) && section.includes(`kind load docker-image selcap:${newTag}`))
})

nodeTest('the node has the image, as it would be pulled', async t => {
  await importSelcap(node())
  t.pass()
})

for (const command of commandsOf(section)) {
  nodeTest(`README.md: ${command}`, async t => {
    await checks[command]?.(t, await type(command))
    t.pass()
  })
}

nodeTest(`docs/operations.md: ${reportCommand}`, async t => {
  const { report } = parse(await type(reportCommand.replace('NODE', 'node-1')))
  t.like(report, { budgets: { ringBytesMax: 134_217_728 }, clockOffsetMilliseconds: 0 })
})
