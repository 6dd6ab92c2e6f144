// The agent's pod on a real node: the image from the list of files, the DaemonSet's pod as it stands in daemonset/base (its
// capabilities, its mounts, its seccomp profile), real pods whose interfaces have no name that could be derived.
// Inside runs `selcap standalone`, fed through a directory of the host: what it may do is what is tried here.
import { execFileSync } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { parse, parseAllDocuments, stringify } from 'yaml'
import type { PublishedCapture } from '../../src/publish/statusDirectory.ts'
import { busyboxPod } from '../cluster/node/config.ts'
import { makeImage } from '../cluster/node/image.ts'
import { useNode } from '../cluster/node/useNode.ts'
import { root } from '../repo/tree.ts'
import { endpoint } from '../standaloneProcess.ts'
import { until } from '../taps/capture.ts'

const { node, nodeTest } = useNode()
const image = 'selcap.test/selcap:1'
const folders = { manifests: '/var/log/selcap-test/manifests', status: '/var/log/selcap-test/status' }
const agent = 'daemonset/selcap-agent'
const web = { namespace: 'shop', pod: 'web-0', labels: { app: 'web' } }

type Json = Record<string, unknown>
type Mounted = { volumeMounts: Json[]; command: string[]; image: string; imagePullPolicy: string; readinessProbe?: Json }
type DaemonSet = Json & { kind: string; spec: { template: { spec: { containers: [Mounted]; volumes: Json[] } } } }

/** The base's DaemonSet; changed: the image, the command, two more directories, and no question for /readyz. */
async function daemonSet(): Promise<object[]> {
  const documents = parseAllDocuments(await node().kubectl('kustomize', join(root, 'daemonset/base'))).map(document => document.toJS())
  const set = documents.find(({ kind }) => kind === 'DaemonSet') as DaemonSet
  const { containers, volumes } = set.spec.template.spec
  const [container] = containers
  const directories = Object.entries(folders)
  const options = directories.flatMap(([name, path]) => [`--${name}`, path])
  container.command = ['selcap', 'standalone', '--config', '/etc/selcap/config.yaml', '--node', node().name, ...options]
  container.image = image
  container.imagePullPolicy = 'Never'
  delete container.readinessProbe
  container.volumeMounts.push(...directories.map(([name, mountPath]) => ({ name, mountPath })))
  volumes.push(...directories.map(([name, path]) => ({ name, hostPath: { path, type: 'DirectoryOrCreate' } })))
  return documents.filter(({ kind }) => kind !== 'Deployment')
}

const write = (name: string, ...documents: object[]): Promise<string> =>
  node().run(
    'bash',
    '-c',
    'printf %s "$1" >"$2"',
    'sh',
    documents.map(document => stringify(document)).join('---\n'),
    join(folders.manifests, name),
  )

async function statusOf(capture: string): Promise<PublishedCapture | undefined> {
  const text = await node()
    .run('cat', join(folders.status, web.namespace, `${capture}.yaml`))
    .catch(() => '')
  return (parse(text) as PublishedCapture | null) ?? undefined
}

async function captured(capture: string): Promise<string> {
  const folder = join('/var/log/calico/pcap', web.namespace, capture)
  const { fileNames = [] } = (await statusOf(capture))?.status?.files[0] ?? {}
  return node().run('tcpdump', '-nr', join(folder, fileNames[0] ?? 'none'))
}

nodeTest("the DaemonSet's pod starts, with three capabilities, a seccomp filter and a root that cannot be written", async t => {
  const tree = mkdtempSync(join(node().directory, 'selcap-'))
  execFileSync(process.execPath, [join(root, 'scripts/image.mjs'), tree])
  const entrypoint = ['/usr/local/bin/selcap']
  await node().importImage(makeImage(node().directory, { name: image, files: { '/': tree }, entrypoint, user: '65532:65532' }))
  await node().apply((await daemonSet()).map(document => JSON.stringify(document)).join('\n---\n'))
  await node().kubectl('rollout', 'status', agent, '-n', 'selcap-system', '--timeout=90s')

  const pid = (await node().run('pgrep', '-f', 'selcap standalone')).trim()
  const status = await node().run('cat', `/proc/${pid}/status`)
  const field = (name: string): string => new RegExp(`^${name}:\\s+(\\S+)`, 'm').exec(status)?.[1] ?? ''
  const bits = ['CAP_NET_ADMIN 12', 'CAP_NET_RAW 13', 'CAP_SYS_ADMIN 21'].map(name => 1n << BigInt(name.split(' ')[1] ?? 0))
  const three = bits.reduce((sum, bit) => sum | bit, 0n)
  for (const set of ['CapEff', 'CapPrm', 'CapBnd']) t.is(BigInt(`0x${field(set)}`), three, set)
  t.is(field('NoNewPrivs'), '1')
  t.is(field('Seccomp'), '2')
  const mounts = (await node().run('cat', `/proc/${pid}/mountinfo`)).split('\n').map(line => line.split(' '))
  t.regex(mounts.find(([, , , , at]) => at === '/')?.[5] ?? '', /^ro\b/)
})

nodeTest('the agent finds pods that start later, by address, and captures from both sides', async t => {
  await node().kubectl('create', 'namespace', web.namespace)
  await node().apply(busyboxPod(web.namespace, web.pod, web.labels, 'echo hello >/www/index.html; httpd -f -h /www'))
  await node().apply(busyboxPod(web.namespace, 'client', { app: 'client' }))
  await node().kubectl('wait', '-n', web.namespace, '--for=condition=Ready', 'pod', '--all', '--timeout=60s')
  const address = (await node().kubectl('get', 'pod', web.pod, '-n', web.namespace, '-o', 'jsonpath={.status.podIP}')).trim()
  const pod = endpoint('cali00000000000') as { spec: object }
  const capture = (name: string, vantage: string) => ({
    apiVersion: 'projectcalico.org/v3',
    kind: 'PacketCapture',
    metadata: { name, namespace: web.namespace },
    spec: { selector: 'app == "web"', vantage, filters: [{ protocol: 'TCP', ports: [80] }] },
  })
  await write('pods.yaml', { ...pod, spec: { pod: web.pod, endpoint: 'eth0', ipNetworks: [`${address}/32`] } })
  await write('captures.yaml', capture('outside', 'Auto'), capture('inside', 'PodNetns'))
  for (const name of ['outside', 'inside'])
    await until(`${name} to wait for traffic`, async () => (await statusOf(name))?.status?.state === 'WaitingForTraffic')

  t.is(await node().kubectl('exec', '-n', web.namespace, 'client', '--', 'wget', '-qO-', `http://${address}/`), 'hello\n')
  for (const [name, vantage] of [
    ['outside', 'HostVeth'],
    ['inside', 'PodNetns'],
  ] as const) {
    await until(`${name} to capture`, async () => (await statusOf(name))?.status?.state === 'Capturing')
    t.is((await statusOf(name))?.status?.files[0]?.endpoints[0]?.vantage, vantage)
    await until(`the end of the connection in ${name}`, async () => (await captured(name)).split('Flags [F').length >= 3)
    t.regex(await captured(name), /HTTP: GET \/ HTTP\/1\.1/)
    t.regex(await captured(name), /HTTP: HTTP\/1\.[01] 200 OK/)
  }
})

nodeTest("selcap runs by `kubectl exec` in the agent's pod, which has no shell", async t => {
  const inPod = ['exec', '-n', 'selcap-system', agent, '--']
  t.regex(await node().kubectl(...inPod, 'selcap', 'get', 'pcap', '-A', '--status', folders.status), /shop +inside .*Capturing/)
  t.not((await node().ask([...inPod, 'sh', '-c', 'true'])).code, 0)
})

nodeTest('deleting the DaemonSet ends the agent in order: whole files and a last status', async t => {
  const pid = (await node().run('pgrep', '-f', 'selcap standalone')).trim()
  await node().kubectl('delete', agent, '-n', 'selcap-system', '--timeout=60s')
  await until('the agent to end', async () => (await node().run('ls', '/proc')).split('\n').every(name => name !== pid))
  for (const name of ['outside', 'inside']) {
    const packets = (await captured(name)).trim().split('\n').length
    t.is((await statusOf(name))?.status?.packets, packets)
  }
})
