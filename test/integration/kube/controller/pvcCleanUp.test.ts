// Retina's archives in a PersistentVolumeClaim, from two nodes, with cleanUpAfterUpload: the nodes
// let them go when the pod that copied them has told their sizes and checksums, and nobody else can
// say so. There is no kubelet here (claims.test.ts says what that means).
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { type ArchiveStatus, addPlace, archivedCapture, archivesOf, found, installRetina, isOpenOn, untilGone, untilStatus } from '../../../support/kube/archives.ts' // biome-ignore format: one line
import { addGateway, makeUser } from '../../../support/kube/pluginFixture.ts'
import { claimPods, endPod, type Pod, runByHand } from '../../../support/kube/pvcPods.ts'
import { useSimulated } from '../../../support/kube/useSimulated.ts'
import { root } from '../../../support/repository.ts'
import { sha256Of } from '../../../support/stores/source.ts'
import { until } from '../../../support/until.ts'

const { cluster, clusterTest } = useSimulated()

const restricted = {
  securityContext: {
    runAsNonRoot: true,
    runAsUser: 65_532,
    seccompProfile: { type: 'RuntimeDefault' },
  },
  containers: [
    {
      name: 'main',
      image: 'app',
      securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
    },
  ],
}

const hasTwo = (status: ArchiveStatus) => archivesOf(status).length === 2

const claimed = archivedCapture(
  'web',
  '8s',
  { persistentVolumeClaim: 'pcaps', hostPath: 'kept' },
  { cleanUpAfterUpload: true },
)

clusterTest(
  'archives leave the nodes when their pod has told what lies in the claim, and nobody else can',
  async t => {
    await cluster().api.kubectl('apply', '-k', join(root, 'daemonset/overlays/claims'))
    await installRetina(cluster())
    await cluster().api.kubectl(
      'label',
      'namespace',
      'shop',
      'pod-security.kubernetes.io/enforce=restricted',
    )
    await makeUser(cluster())
    await cluster().api.kubectl('create', 'serviceaccount', 'selcap-claim', '-n', 'shop')
    const bound = ['--clusterrole=selcap-claim', '--serviceaccount=shop:selcap-claim']
    await cluster().api.kubectl('create', 'rolebinding', 'selcap-claim', '-n', 'shop', ...bound)
    const resource = '--resource=pods,pods/exec,pods/attach,pods/ephemeralcontainers' // as Kubernetes' own role edit has it, and more
    await cluster().api.kubectl(
      'create',
      'role',
      'editor',
      '-n',
      'shop',
      '--verb=get,list,create,update,patch,delete',
      resource,
    )
    await cluster().api.kubectl(
      'create',
      'rolebinding',
      'editor',
      '-n',
      'shop',
      '--role=editor',
      '--user=editor',
    )
    const places = [
      await addPlace(cluster(), 1, { spec: restricted }),
      await addPlace(cluster(), 2, { spec: restricted }),
    ]
    await addGateway(cluster(), ['--apis', 'retina'])
    const args = [
      'controller',
      '--apis',
      'retina',
      '--metrics-host',
      '127.0.0.1',
      '--metrics-port',
      '0',
    ]
    const controller = await cluster().runInPod('controller', 'selcap-controller', args, {
      CLAIM_IMAGE: 'selcap:test',
    })
    await cluster().apply(claimed)
    await untilStatus(cluster(), 'web', 'taps', isOpenOn(2), controller)
    for (const { pod } of places) await pod.sender.udp({ to: pod.hostAddress, port: 9, count: 6 })
    const first = await found('a pod', async () => (await claimPods(cluster()))[0], controller)
    const status = await untilStatus(cluster(), 'web', 'archives', hasTwo, controller)
    const archives = archivesOf(status).toSorted()
    const sums = await Promise.all(archives.map(sha256Of))

    const asEditor = (...command: string[]) =>
      cluster().api.ask(['-n', 'shop', '--as', 'editor', ...command])
    const { name } = first.metadata
    const image = JSON.stringify({ spec: { containers: [{ name: 'copy', image: 'forged' }] } })
    const debug = JSON.stringify({
      spec: { ephemeralContainers: [{ name: 'in', image: 'forged', ...restricted.containers[0] }] },
    })
    for (const attempt of [
      ['patch', 'pod', name, '-p', image],
      ['patch', 'pod', name, '--subresource=ephemeralcontainers', '-p', debug],
      ['exec', name, '--', 'sh'],
      ['attach', name],
    ])
      t.regex((await asEditor(...attempt)).err, /selcap-claims-guard/, attempt.join(' '))
    t.is((await asEditor('label', 'pod', name, 'seen=yes')).code, 0) // which changes nothing of it
    const forged = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'selcap-claim-x', namespace: 'shop' },
      spec: restricted,
    }
    const made = await cluster().api.ask(['create', '-f', '-', '--as', 'editor'], {
      input: JSON.stringify(forged),
    })
    t.regex(made.err, /selcap-claims-guard/)
    t.regex(
      (
        await asEditor(
          'patch',
          'pod',
          name,
          '--subresource=status',
          '-p',
          '{"status":{"phase":"Succeeded"}}',
        )
      ).err,
      /forbidden/i,
    )

    // A pod that ended well, and does not say what is to be said.
    await endPod(cluster(), first, JSON.stringify({ files: 2, bytes: 1, sha256: '0'.repeat(64) }))
    const isTold = ({ conditions = [] }: ArchiveStatus) =>
      conditions.some(
        ({ reason, message }) =>
          reason === 'UploadFailed' && /another size or checksum/.test(message),
      )
    const told = await untilStatus(
      cluster(),
      'web',
      'the difference to be told',
      isTold,
      controller,
    )
    t.true(archives.every(existsSync))
    t.deepEqual(
      told.files?.flatMap(({ uploads = [] }) => uploads),
      [],
    )

    const isOther = ({ metadata }: Pod) => metadata.uid !== first.metadata.uid
    const second = await found(
      'another pod',
      async () => (await claimPods(cluster())).find(isOther),
      controller,
    )
    const claim = join(cluster().directory, 'claim')
    mkdirSync(claim)
    const { child, said } = await runByHand(cluster(), second, claim)
    t.like(JSON.parse(said || '{}'), { files: 2 }, child.tail(20))
    const [, dest = ''] =
      /--dest \/claim\/(\S+)/.exec(second.spec.containers[0].command.join(' ')) ?? []
    const copies = archives.map((path, index) =>
      join(claim, dest, `node-${index + 1}`, basename(path)),
    )
    t.deepEqual(await Promise.all(copies.map(sha256Of)), sums)
    t.true(
      copies.every((path, index) => readFileSync(path).equals(readFileSync(archives[index] ?? ''))),
    )
    await endPod(cluster(), second, said)
    await untilGone(cluster(), 'web', controller)
    t.false(archives.some(existsSync))
    t.true(copies.every(existsSync))
    t.deepEqual(await claimPods(cluster()), [])
    await until('its directories to go', () =>
      places.every(({ node }) => !existsSync(join(node.captures, 'shop.retina.sh', 'web'))),
    )
  },
)
