// The real node of the cluster tests itself: pods run, reach each other and the API server, and it
// survives what the other tests do to it. One node for the file.
import { existsSync, readdirSync } from 'node:fs'
import { busyboxPod } from '../../../support/kube/node/config.ts'
import { busyboxName } from '../../../support/kube/node/image.ts'
import { startNode } from '../../../support/kube/node/node.ts'
import { useNode } from '../../../support/kube/node/useNode.ts'

const { node, nodeTest } = useNode()

nodeTest('startNode() runs pods that reach each other', async t => {
  await node().apply(
    busyboxPod('default', 'web', { app: 'web' }, 'echo hello >/www/index.html; httpd -f -h /www'),
  )
  await node().apply(busyboxPod('default', 'client', { app: 'client' }))
  await node().kubectl('wait', '--for=condition=Ready', 'pod', '--all', '--timeout=60s')
  t.is(
    await node().kubectl(
      'exec',
      'client',
      '--',
      'wget',
      '-qO-',
      `http://${await addressOf('web')}/`,
    ),
    'hello\n',
  )
})

nodeTest('startNode() gives a pod the token and the address of the API server', async t => {
  const script =
    'cd /var/run/secrets/kubernetes.io/serviceaccount; wc -c <token; nc -w 2 $KUBERNETES_SERVICE_HOST $KUBERNETES_SERVICE_PORT </dev/null && echo reached'
  t.regex(await node().kubectl('exec', 'client', '--', 'sh', '-c', script), /^\d{3,}\nreached\n$/)
})

nodeTest("a DaemonSet with the agent's rights sees the namespaces of pods made later", async t => {
  await node().apply(agentLike())
  await node().kubectl('rollout', 'status', 'daemonset/agent-like', '--timeout=60s')
  await node().apply(busyboxPod('default', 'later', {}))
  await node().kubectl('wait', '--for=condition=Ready', 'pod/later', '--timeout=60s')
  const seen = await node().kubectl(
    'exec',
    'daemonset/agent-like',
    '--',
    'sh',
    '-c',
    'for n in /var/run/netns/*; do nsenter --net=$n ip -4 -o addr show dev eth0; done',
  )
  t.true(seen.includes(` ${await addressOf('later')}/`), seen)
})

nodeTest('restart() of the kubelet and of containerd leaves pods running', async t => {
  const before = await node().kubectl(
    'get',
    'pods',
    '-o',
    'jsonpath={.items[*].status.containerStatuses[0].containerID}',
  )
  await node().restart('containerd')
  await node().restart('kubelet')
  await node().apply(busyboxPod('default', 'after', {}))
  await node().kubectl('wait', '--for=condition=Ready', 'pod/after', '--timeout=60s')
  await node().kubectl('delete', 'pod', 'after', '--wait=true', '--timeout=60s')
  t.is(
    await node().kubectl(
      'get',
      'pods',
      '-o',
      'jsonpath={.items[*].status.containerStatuses[0].containerID}',
    ),
    before,
  )
})

nodeTest(
  'startNode() makes a second node that knows nothing of the first, and stop() leaves nothing of it',
  async t => {
    const second = await startNode()
    try {
      t.is(await second.kubectl('get', 'pods', '-A', '-o', 'name'), '')
      t.not(await node().kubectl('get', 'pods', '-o', 'name'), '')
    } finally {
      await second.stop()
    }
    t.false(existsSync(second.directory))
    t.is(readdirSync('/sys/fs/cgroup').includes(second.cgroup), false)
  },
)

function addressOf(pod: string): Promise<string> {
  return node().kubectl('get', 'pod', pod, '-o', 'jsonpath={.status.podIP}')
}

function agentLike(): string {
  const labels = { app: 'agent-like' }
  const container = {
    name: 'main',
    image: busyboxName,
    imagePullPolicy: 'Never',
    command: ['/bin/sleep', '1000000'],
    securityContext: {
      readOnlyRootFilesystem: true,
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'], add: ['NET_RAW', 'NET_ADMIN', 'SYS_ADMIN'] },
    },
    volumeMounts: [
      { name: 'netns', mountPath: '/var/run/netns', mountPropagation: 'HostToContainer' },
    ],
  }
  const volumes = [{ name: 'netns', hostPath: { path: '/var/run/netns' } }]
  const spec = {
    hostNetwork: true,
    terminationGracePeriodSeconds: 1,
    containers: [container],
    volumes,
  }
  return JSON.stringify({
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'agent-like', namespace: 'default' },
    spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
  })
}
