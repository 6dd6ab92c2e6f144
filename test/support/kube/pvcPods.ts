// Pods that write into claims, without a kubelet: found, their program run by hand with the token
// that the pod would have, and their end told by hand.
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Child } from './child.ts'
import { withRun } from './mounts.ts'
import type { SimulatedCluster } from './simulated.ts'

export type Pod = {
  readonly metadata: {
    readonly name: string
    readonly uid: string
    readonly labels: object
    readonly ownerReferences: readonly object[]
  }
  readonly spec: {
    readonly serviceAccountName: string
    readonly containers: readonly [
      {
        readonly name: string
        readonly command: readonly string[]
        readonly terminationMessagePath: string
      },
    ]
    readonly volumes: readonly object[]
  }
}

export async function claimPods(cluster: SimulatedCluster): Promise<readonly Pod[]> {
  return (
    await cluster.get<{ items: Pod[] }>(
      'pods',
      '-n',
      'shop',
      '-l',
      'app.kubernetes.io/name=selcap-claim',
    )
  ).items
}

/**
 * As the pod's container would, to its end: its command, its token, its namespace; the claim is a
 * directory here.
 */
export async function runByHand(
  cluster: SimulatedCluster,
  { metadata, spec }: Pod,
  claim: string,
): Promise<{ readonly child: Child; readonly said: string }> {
  const bound = ['--bound-object-kind', 'Pod', '--bound-object-name', metadata.name]
  const account = join(cluster.directory, 'claim-account')
  mkdirSync(account, { recursive: true })
  writeFileSync(
    join(account, 'token'),
    (
      await cluster.api.kubectl('create', 'token', spec.serviceAccountName, '-n', 'shop', ...bound)
    ).trim(),
  )
  writeFileSync(join(account, 'namespace'), 'shop')
  copyFileSync(cluster.api.caFile, join(account, 'ca.crt'))
  const [{ command, terminationMessagePath }] = spec.containers
  const message = join(account, 'termination-log')
  writeFileSync(message, '') // as a kubelet makes it
  const [program, ...args] = command.map(word =>
    word === terminationMessagePath ? message : word.replace(/^\/claim/, claim),
  )
  if (program !== 'selcap') throw new Error(`Cannot run ${program}: expected selcap`)
  const { hostname, port } = new URL(cluster.api.url)
  const env = {
    KUBERNETES_SERVICE_HOST: hostname,
    KUBERNETES_SERVICE_PORT: port,
    KUBECONFIG: undefined,
    HOME: account,
  }
  const child = cluster.run('claim', undefined, args, {
    around: withRun({ '/run/secrets/kubernetes.io/serviceaccount': account }),
    env,
  })
  await child.whenEnded()
  return { child, said: readFileSync(message, 'utf8') }
}

/** As a kubelet tells of a pod that ended well. `message`: what its container said. */
export async function endPod(
  cluster: SimulatedCluster,
  { metadata, spec }: Pod,
  message: string,
): Promise<void> {
  const [{ name }] = spec.containers
  const terminated = { exitCode: 0, message }
  const containerStatuses = [
    {
      name,
      image: 'selcap:test',
      imageID: '',
      ready: false,
      restartCount: 0,
      state: { terminated },
    },
  ]
  const status = JSON.stringify({ status: { phase: 'Succeeded', containerStatuses } })
  await cluster.api.kubectl(
    'patch',
    'pod',
    metadata.name,
    '-n',
    'shop',
    '--subresource=status',
    '--type=merge',
    '-p',
    status,
  )
}
