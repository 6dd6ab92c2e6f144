// A capture that goes into a PersistentVolumeClaim. There is no kubelet here: the API server takes
// the pod, in a namespace that holds pods to the restricted standard; its program is run by hand,
// with the token that the pod would have; and its end is told by hand.
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { UploadStatus } from '../../../../src/model/status.ts'
import type { PublishedCapture } from '../../../../src/publish/statusDirectory.ts'
import type { Child } from '../../../support/kube/child.ts'
import { addGateway } from '../../../support/kube/pluginFixture.ts'
import { claimPods, endPod, runByHand } from '../../../support/kube/pvcPods.ts'
import { packetCapture } from '../../../support/kube/simulated.ts'
import { systemNamespace } from '../../../support/kube/systemNamespace.ts'
import { useSimulated } from '../../../support/kube/useSimulated.ts'
import { commandsOf, sectionOf } from '../../../support/markdown.ts'
import { readRecords } from '../../../support/pcap/captureFile.ts'
import { read, root } from '../../../support/repository.ts'
import { remains, untilFound } from '../../../support/until.ts'

const { cluster, clusterTest } = useSimulated()

const until = <T>(what: string, look: () => Promise<T | undefined>, child?: Child): Promise<T> =>
  untilFound(what, look, { everyMs: 200, tails: [child] })

const statusOf = async (name: string) =>
  (await cluster().get<PublishedCapture>('packetcapture', name, '-n', 'shop')).status
const uploadsOf = async (name: string): Promise<readonly UploadStatus[]> =>
  (await statusOf(name))?.files.flatMap(file => file.uploads ?? []) ?? []
const pods = () => claimPods(cluster())

clusterTest(
  'a pod of its own writes the files of a capture into a claim, with no more rights than its account has',
  async t => {
    await cluster().api.kubectl('apply', '-k', join(root, 'daemonset/overlays/claims'))
    await cluster().api.kubectl('create', 'namespace', 'shop')
    await cluster().api.kubectl(
      'label',
      'namespace',
      'shop',
      'pod-security.kubernetes.io/enforce=restricted',
    )
    const commands = commandsOf(sectionOf(read('docs/operations.md'), 'Uploads'))
    t.is(commands.length, 2)
    for (const command of commands) await cluster().api.kubectl(...command.split(' ').slice(1))
    const node = await cluster().addNode('node-1')
    const web = await node.addPod('shop', 'web-0', { app: 'web' }, { spec: restricted })
    await node.startAgent()
    await addGateway(cluster())
    const args = ['controller', '--metrics-host', '127.0.0.1', '--metrics-port', '0']
    const controller = await cluster().runInPod('controller', 'selcap-controller', args, {
      CLAIM_IMAGE: 'selcap:test',
    })
    await cluster().apply(
      packetCapture('web', {
        selector: "app == 'web'",
        filters: [{ protocol: 'UDP' }],
        output: { persistentVolumeClaim: 'pcaps' },
      }),
    )
    await until(
      'a tap',
      async () =>
        ((await statusOf('web'))?.state === 'WaitingForTraffic' &&
          node.files('shop', 'web').length > 0) ||
        undefined,
      controller,
    )
    await web.sender.udp({ to: web.hostAddress, port: 9, count: 12 })
    await until(
      'the packets',
      async () => (await statusOf('web'))?.packets === 12 || undefined,
      controller,
    )
    t.deepEqual(await pods(), []) // it is not over
    const patch = JSON.stringify({ spec: { endTime: new Date(Date.now() - 1_000).toISOString() } })
    await cluster().api.kubectl(
      'patch',
      'packetcapture',
      'web',
      '-n',
      'shop',
      '--type=merge',
      '-p',
      patch,
    )

    const pod = await until('a pod', async () => (await pods())[0], controller)
    t.is(pod.spec.serviceAccountName, 'selcap-claim')
    t.like(pod.metadata.ownerReferences[0], { kind: 'PacketCapture', name: 'web' }) // it goes with the capture
    t.like(pod.spec.volumes[0], { persistentVolumeClaim: { claimName: 'pcaps' } })
    t.deepEqual(await uploadsOf('web'), [])

    const claim = join(cluster().directory, 'claim')
    mkdirSync(claim)
    const { child } = await runByHand(cluster(), pod, claim)
    const name = `web-0_${web.hostName}.pcap`
    const written = readdirSync(claim, { recursive: true, encoding: 'utf8' }).filter(path =>
      path.endsWith(name),
    )
    t.is(written.length, 1, child.tail(20))
    t.is(readRecords(readFileSync(join(claim, written[0] ?? '')), 'pcap').length, 12)

    await endPod(cluster(), pod, '')
    const uploads = await until(
      'the status',
      async () => ((await uploadsOf('web')).length > 0 ? uploadsOf('web') : undefined),
      controller,
    )
    t.like(uploads[0], {
      file: name,
      output: 'persistentVolumeClaim',
      uploaded: `pcaps:/${written[0]}`,
    })
    await until(
      'the pod to go',
      async () => ((await pods()).length === 0 ? true : undefined),
      controller,
    )
    await remains('no other pod', 6_000, async () => (await pods()).length === 0, { everyMs: 200 })
  },
)

clusterTest(
  'with cleanUpAfterUpload the files leave the node when the pod has said what lies in the claim',
  async t => {
    const output = { persistentVolumeClaim: 'pcaps', cleanUpAfterUpload: true }
    await cluster().apply(
      packetCapture('clean', { selector: "app == 'web'", filters: [{ protocol: 'UDP' }], output }),
    )
    const node = join(cluster().directory, 'node-1', 'shop', 'clean')
    const files = () => readdirSync(node).filter(name => name.endsWith('.pcap'))
    await until(
      'a tap',
      async () => (await statusOf('clean'))?.state === 'WaitingForTraffic' || undefined,
    )
    const patch = JSON.stringify({ spec: { endTime: new Date(Date.now() - 1_000).toISOString() } })
    await cluster().api.kubectl(
      'patch',
      'packetcapture',
      'clean',
      '-n',
      'shop',
      '--type=merge',
      '-p',
      patch,
    )
    const pod = await until('a pod', async () => (await pods())[0])
    const held = files()
    t.is(held.length, 1)
    const [before] = held.map(name => readFileSync(join(node, name)))
    const claim = join(cluster().directory, 'claim')
    const { said, child } = await runByHand(cluster(), pod, claim)
    t.like(JSON.parse(said || '{}'), { files: 1, bytes: before?.length }, child.tail(20))
    t.deepEqual(files(), held)
    await endPod(cluster(), pod, said)
    await until('the files to go', async () => (files().length === 0 ? true : undefined))
    const [upload] = await until('the status', async () =>
      (await uploadsOf('clean')).length > 0 ? uploadsOf('clean') : undefined,
    )
    t.like(upload, { file: held[0], bytes: before?.length, output: 'persistentVolumeClaim' })
    t.deepEqual(readFileSync(join(claim, (upload?.uploaded ?? '').replace('pcaps:/', ''))), before)
    await until('the pod to go', async () => ((await pods()).length === 0 ? true : undefined))
  },
)

const security = {
  securityContext: {
    runAsNonRoot: true,
    runAsUser: 65_532,
    seccompProfile: { type: 'RuntimeDefault' },
  },
  container: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
}
const restricted = {
  securityContext: security.securityContext,
  containers: [{ name: 'main', image: 'app', securityContext: security.container }],
}

clusterTest('the controller makes no other pod, and removes none', async t => {
  const token = (
    await cluster().api.kubectl('create', 'token', 'selcap-controller', '-n', systemNamespace)
  ).trim()
  const made = (name: string, spec: object) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'shop' },
    spec,
  })
  const command = ['selcap', 'download', 'web']
  const fine = {
    ...restricted,
    serviceAccountName: 'selcap-claim',
    containers: [{ ...restricted.containers[0], command }],
  }
  const others: Readonly<Record<string, object>> = {
    'another account': made('selcap-claim-1', { ...fine, serviceAccountName: 'default' }),
    'another name': made('web', fine),
    'another program': made('selcap-claim-1', {
      ...fine,
      containers: [{ ...fine.containers[0], command: ['sh'] }],
    }),
    'a Secret': made('selcap-claim-1', {
      ...fine,
      volumes: [{ name: 's', secret: { secretName: 'keys' } }],
    }),
    'two containers': made('selcap-claim-1', {
      ...fine,
      containers: [fine.containers[0], { ...fine.containers[0], name: 'b' }],
    }),
    'a node of its choice': made('selcap-claim-1', { ...fine, nodeName: 'node-1' }),
  }
  const create = (pod: object) =>
    cluster().api.ask(['create', '--dry-run=server', '--token', token, '-f', '-'], {
      input: JSON.stringify(pod),
    })
  t.like(await create(made('selcap-claim-1', fine)), { code: 0, err: '' })
  for (const [what, pod] of Object.entries(others))
    t.regex((await create(pod)).err, /selcap-claims-pods/, what)
  t.regex(
    (await cluster().api.ask(['delete', 'pod', 'web-0', '-n', 'shop', '--token', token])).err,
    /selcap-claims-pods/,
  )
})

clusterTest("a claim in Retina's Capture takes the right to create pods too", async t => {
  await cluster().api.kubectl('apply', '-k', join(root, 'daemonset/apis/retina'))
  await cluster().api.kubectl(
    'wait',
    '--for=condition=Established',
    'crd',
    '--all',
    '--timeout=60s',
  )
  const resources = '--resource=captures.retina.sh,captures.retina.sh/files'
  await cluster().api.kubectl(
    'create',
    'role',
    'maker',
    '-n',
    'shop',
    '--verb=create,get',
    resources,
  )
  await cluster().api.kubectl(
    'create',
    'rolebinding',
    'maker',
    '-n',
    'shop',
    '--role=maker',
    '--user=maker',
  )
  const spec = (outputConfiguration: object) => ({
    captureConfiguration: { captureTarget: { podSelector: {} }, captureOption: { duration: '1s' } },
    outputConfiguration,
  })
  const create = (output: object) => {
    const input = {
      apiVersion: 'retina.sh/v1alpha1',
      kind: 'Capture',
      metadata: { name: 'r', namespace: 'shop' },
      spec: spec(output),
    }
    return cluster().api.ask(['create', '--dry-run=server', '--as', 'maker', '-f', '-'], {
      input: JSON.stringify(input),
    })
  }
  await until('the rights to be known', async () =>
    (await create({ hostPath: 'x' })).code === 0 ? true : undefined,
  )
  t.regex((await create({ persistentVolumeClaim: 'pcaps' })).err, /takes the right to create pods/)
})
