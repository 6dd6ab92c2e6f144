// The stage of the plugin's tests: a simulated cluster with two nodes, a pod on each, agents and a
// controller, and a user with rights in the namespace "shop" alone. `kubectl pcap` is run by the
// real kubectl, which finds it on the PATH.
import { writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import type { PublishedCapture } from '../../../src/publish/statusDirectory.ts'
import { root } from '../repository.ts'
import { until } from '../until.ts'
import { kubeconfig } from './credentials.ts'
import { GatewayClient } from './gatewayClient.ts'
import type { Answer } from './kubectl.ts'
import type { SimulatedCluster, SimulatedNode, SimulatedPod } from './simulated.ts'
import { systemNamespace } from './systemNamespace.ts'

export type Stage = {
  readonly nodes: readonly SimulatedNode[]
  readonly pods: readonly SimulatedPod[]
  /** As the user with rights in "shop". */
  readonly pcap: (...args: string[]) => Promise<Answer>
  readonly asAdmin: (...args: string[]) => Promise<Answer>
  readonly get: (name: string) => Promise<PublishedCapture>
  readonly userKubeconfig: string
}

export async function makeStage(
  cluster: SimulatedCluster,
  { isCapturing = true } = {},
): Promise<Stage> {
  process.env.PATH = `${join(root, 'bin')}${delimiter}${process.env.PATH}`
  await cluster.api.kubectl('create', 'namespace', 'shop')
  await cluster.api.kubectl('create', 'namespace', 'other')
  const userKubeconfig = await makeUser(cluster)
  const nodes = isCapturing
    ? await Promise.all(['node-1', 'node-2'].map(name => cluster.addNode(name)))
    : []
  const pods = await Promise.all(
    nodes.map((node, index) =>
      node.addPod('shop', `web-${index}`, { app: 'web', 'pod-name': `web-${index}` }),
    ),
  )
  await Promise.all(nodes.map(node => node.startAgent()))
  if (isCapturing) await startController(cluster)
  const get = (name: string) => cluster.get<PublishedCapture>('packetcapture', name, '-n', 'shop')
  const pcap = (...args: string[]) =>
    cluster.api.ask(['pcap', ...args, '--kubeconfig', userKubeconfig])
  return {
    nodes,
    pods,
    pcap,
    asAdmin: (...args) => cluster.api.ask(['pcap', ...args]),
    get,
    userKubeconfig,
  }
}

export async function untilState(
  stage: Stage,
  name: string,
  isSo: (capture: PublishedCapture) => boolean,
): Promise<PublishedCapture> {
  let capture = await stage.get(name)
  await until(`a state of ${name}`, async () => {
    capture = await stage.get(name)
    return isSo(capture)
  })
  return capture
}

/** As it is installed, and the user may have files and streams in "shop". */
export async function addGateway(
  cluster: SimulatedCluster,
  options: readonly string[] = [],
): Promise<void> {
  await cluster.api.kubectl(
    'create',
    'rolebinding',
    'dev-files',
    '-n',
    'shop',
    '--clusterrole=selcap-files',
    '--serviceaccount=shop:dev',
  )
  await GatewayClient.start(cluster, 8_443, options)
  await showGateway(cluster)
}

/**
 * No controller fills a service's endpoints here, and no kubelet tells the address of the gateway's
 * pod.
 */
async function showGateway(cluster: SimulatedCluster): Promise<void> {
  const [pod, ip] = ['selcap-gateway-pod', '198.19.255.1']
  const status = JSON.stringify({ status: { phase: 'Running', podIP: ip, podIPs: [{ ip }] } })
  await cluster.api.kubectl(
    'patch',
    'pod',
    pod,
    '-n',
    systemNamespace,
    '--subresource=status',
    '--type=merge',
    '-p',
    status,
  )
  const metadata = { name: 'selcap-gateway', namespace: systemNamespace }
  const targetRef = { kind: 'Pod', name: pod, namespace: systemNamespace }
  const subsets = [
    { addresses: [{ ip, targetRef }], ports: [{ name: 'https', port: 8_443, protocol: 'TCP' }] },
  ]
  await cluster.apply({ apiVersion: 'v1', kind: 'Endpoints', metadata, subsets })
}

async function startController(cluster: SimulatedCluster): Promise<void> {
  const file = await cluster.kubeconfigFor('selcap-controller', 'a')
  const child = cluster.run('controller', undefined, [
    'controller',
    '--kubeconfig',
    file,
    '--metrics-port',
    '0',
  ])
  await child.ready(() => Promise.resolve(child.tail(1_000).includes('selcap controller started')))
}

/** The context's namespace is the user's. */
export async function makeUser(cluster: SimulatedCluster): Promise<string> {
  const binding = (name: string, kind: string, role: string) => ({
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'RoleBinding',
    metadata: { name, namespace: 'shop' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind, name: role },
    subjects: [{ kind: 'ServiceAccount', name: 'dev', namespace: 'shop' }],
  })
  const rules = [
    { apiGroups: [''], resources: ['pods', 'services'], verbs: ['get', 'list'] },
    { apiGroups: ['apps'], resources: ['deployments'], verbs: ['get', 'list'] },
  ]
  await cluster.apply(
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'dev', namespace: 'shop' } },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'Role',
      metadata: { name: 'look', namespace: 'shop' },
      rules,
    },
    binding('dev-look', 'Role', 'look'),
    binding('dev-capture', 'ClusterRole', 'selcap-edit'),
  )
  const token = (await cluster.api.kubectl('create', 'token', 'dev', '-n', 'shop')).trim()
  const config = JSON.parse(kubeconfig(cluster.api.url, cluster.api.caFile, token)) as {
    contexts: { context: object }[]
  }
  const contexts = config.contexts.map(each => ({
    ...each,
    context: { ...each.context, namespace: 'shop' },
  }))
  const file = join(cluster.directory, 'dev.kubeconfig')
  writeFileSync(file, JSON.stringify({ ...config, contexts }), { mode: 0o600 })
  return file
}
