// Retina's archives in a PersistentVolumeClaim, from two nodes, with cleanUpAfterUpload: the nodes let them go when the pod that copied
// them has told their sizes and checksums, and nobody else can say so. There is no kubelet here (claims.test.ts says what that means).
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { setTimeout as after } from 'node:timers/promises'
import type { RetinaStatus } from '../../src/status/retina.ts'
import { addGateway, makeUser } from '../cli/capture/stage.ts'
import type { Child } from '../cluster/child.ts'
import type { SimulatedNode, SimulatedPod } from '../cluster/simulated.ts'
import { useSimulated } from '../cluster/useSimulated.ts'
import { sha256Of } from '../output/source.ts'
import { root } from '../repo/tree.ts'
import { until } from '../taps/capture.ts'
import { claimPods, endPod, type Pod, runByHand } from './claimPods.ts'

const { cluster, clusterTest } = useSimulated()

type Status = Partial<RetinaStatus>

async function untilSo<T>(what: string, look: () => Promise<T | undefined>, child: Child): Promise<T> {
  const endMs = Date.now() + 150_000
  for (;;) {
    const found = await look()
    if (found !== undefined) return found
    if (Date.now() > endMs) throw new Error(`Waited in vain for ${what}\n${child.tail(20)}`)
    await after(200)
  }
}

const restricted = {
  securityContext: { runAsNonRoot: true, runAsUser: 65_532, seccompProfile: { type: 'RuntimeDefault' } },
  containers: [{ name: 'main', image: 'app', securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } } }],
}

const capture = {
  apiVersion: 'retina.sh/v1alpha1',
  kind: 'Capture',
  metadata: { name: 'web', namespace: 'shop' },
  spec: {
    captureConfiguration: {
      captureTarget: { podSelector: { matchLabels: { app: 'web' } } },
      captureOption: { duration: '8s', pcapFilter: 'udp' },
      includeMetadata: false,
    },
    outputConfiguration: { persistentVolumeClaim: 'pcaps', hostPath: 'kept' },
    cleanUpAfterUpload: true,
  },
}

const statusOf = async (): Promise<Status> =>
  (await cluster().get<{ status?: Status }>('captures.retina.sh', 'web', '-n', 'shop')).status ?? {}
const archivesOf = ({ files = [] }: Status): string[] => files.flatMap(({ artifact }) => artifact?.files.map(({ path }) => path) ?? [])
const isThere = async (): Promise<boolean> => (await cluster().api.ask(['get', 'captures.retina.sh', 'web', '-n', 'shop'])).code === 0

clusterTest('archives leave the nodes when their pod has told what lies in the claim, and nobody else can', async t => {
  await cluster().api.kubectl('apply', '-k', join(root, 'daemonset/overlays/claims'))
  await cluster().api.kubectl('apply', '-k', join(root, 'daemonset/apis/retina'))
  await cluster().api.kubectl('wait', '--for=condition=Established', 'crd', '--all', '--timeout=60s')
  await cluster().api.kubectl('create', 'namespace', 'shop')
  await cluster().api.kubectl('label', 'namespace', 'shop', 'pod-security.kubernetes.io/enforce=restricted')
  await makeUser(cluster())
  await cluster().api.kubectl('create', 'serviceaccount', 'selcap-claim', '-n', 'shop')
  const bound = ['--clusterrole=selcap-claim', '--serviceaccount=shop:selcap-claim']
  await cluster().api.kubectl('create', 'rolebinding', 'selcap-claim', '-n', 'shop', ...bound)
  const resource = '--resource=pods,pods/exec,pods/attach,pods/ephemeralcontainers' // as Kubernetes' own role edit has it, and more
  await cluster().api.kubectl('create', 'role', 'editor', '-n', 'shop', '--verb=get,list,create,update,patch,delete', resource)
  await cluster().api.kubectl('create', 'rolebinding', 'editor', '-n', 'shop', '--role=editor', '--user=editor')
  const places: { readonly node: SimulatedNode; readonly pod: SimulatedPod }[] = []
  for (const number of [1, 2]) {
    const node = await cluster().addNode(`node-${number}`)
    const pod = await node.addPod('shop', `web-${number}`, { app: 'web' }, { spec: restricted })
    const config = join(cluster().directory, `node-${number}.yaml`)
    const base = join(cluster().directory, `node-${number}-archives`)
    writeFileSync(config, `captureHostPathBaseDir: ${base}\ncaptureDiskFreePercentMin: 0\n`)
    await node.startAgent(['--apis', 'retina', '--config', config])
    places.push({ node, pod })
  }
  await addGateway(cluster(), ['--apis', 'retina'])
  const args = ['controller', '--apis', 'retina', '--metrics-host', '127.0.0.1', '--metrics-port', '0']
  const controller = await cluster().runInPod('controller', 'selcap-controller', args, { CLAIM_IMAGE: 'selcap:test' })
  await cluster().apply(capture)
  const isOpen = ({ files = [] }: Status) => files.length === 2 && files.every(({ state }) => state === 'WaitingForTraffic')
  await untilSo('taps', async () => isOpen(await statusOf()) || undefined, controller)
  for (const { pod } of places) await pod.sender.udp({ to: pod.hostAddress, port: 9, count: 6 })
  const first = await untilSo('a pod', async () => (await claimPods(cluster()))[0], controller)
  const archives = archivesOf(await statusOf()).toSorted()
  t.is(archives.length, 2)
  const sums = await Promise.all(archives.map(sha256Of))

  const asEditor = (...command: string[]) => cluster().api.ask(['-n', 'shop', '--as', 'editor', ...command])
  const { name } = first.metadata
  const image = JSON.stringify({ spec: { containers: [{ name: 'copy', image: 'forged' }] } })
  const debug = JSON.stringify({ spec: { ephemeralContainers: [{ name: 'in', image: 'forged', ...restricted.containers[0] }] } })
  for (const attempt of [
    ['patch', 'pod', name, '-p', image],
    ['patch', 'pod', name, '--subresource=ephemeralcontainers', '-p', debug],
    ['exec', name, '--', 'sh'],
    ['attach', name],
  ])
    t.regex((await asEditor(...attempt)).err, /selcap-claims-guard/, attempt.join(' '))
  t.is((await asEditor('label', 'pod', name, 'seen=yes')).code, 0) // which changes nothing of it
  const forged = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'selcap-claim-x', namespace: 'shop' }, spec: restricted }
  const made = await cluster().api.ask(['create', '-f', '-', '--as', 'editor'], { input: JSON.stringify(forged) })
  t.regex(made.err, /selcap-claims-guard/)
  t.regex((await asEditor('patch', 'pod', name, '--subresource=status', '-p', '{"status":{"phase":"Succeeded"}}')).err, /forbidden/i)

  // A pod that ended well, and does not say what is to be said.
  await endPod(cluster(), first, JSON.stringify({ files: 2, bytes: 1, sha256: '0'.repeat(64) }))
  const isTold = ({ conditions = [] }: Status) =>
    conditions.some(({ reason, message }) => reason === 'UploadFailed' && /another size or checksum/.test(message))
  await untilSo('the difference to be told', async () => isTold(await statusOf()) || undefined, controller)
  t.true(archives.every(existsSync))
  t.deepEqual(
    (await statusOf()).files?.flatMap(({ uploads = [] }) => uploads),
    [],
  )

  const isOther = ({ metadata }: Pod) => metadata.uid !== first.metadata.uid
  const second = await untilSo('another pod', async () => (await claimPods(cluster())).find(isOther), controller)
  const claim = join(cluster().directory, 'claim')
  mkdirSync(claim)
  const { child, said } = await runByHand(cluster(), second, claim)
  t.like(JSON.parse(said || '{}'), { files: 2 }, child.tail(20))
  const [, dest = ''] = /--dest \/claim\/(\S+)/.exec(second.spec.containers[0].command.join(' ')) ?? []
  const copies = archives.map((path, index) => join(claim, dest, `node-${index + 1}`, basename(path)))
  t.deepEqual(await Promise.all(copies.map(sha256Of)), sums)
  t.true(copies.every((path, index) => readFileSync(path).equals(readFileSync(archives[index] ?? ''))))
  await endPod(cluster(), second, said)
  await untilSo('the capture to go', async () => ((await isThere()) ? undefined : true), controller)
  t.false(archives.some(existsSync))
  t.true(copies.every(existsSync))
  t.deepEqual(await claimPods(cluster()), [])
  await until('its directories to go', () => places.every(({ node }) => !existsSync(join(node.captures, 'shop.retina.sh', 'web'))))
})
