import test from 'ava'
import {
  cleanDaemonSet,
  cleanedDirectories,
  leftCleaning,
  onNoNode,
} from '../../../../src/kubectl/install/cleanDaemonSet.ts'

const agents = {
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: { name: 'selcap-agent', namespace: 'n' },
  spec: {
    template: {
      spec: {
        tolerations: [{ operator: 'Exists' }],
        containers: [{ image: 'selcap:1' }],
        volumes: [
          { name: 'captures', hostPath: { path: '/var/log/calico/pcap' } },
          { name: 'archives', hostPath: { path: '/var/log/retina/captures' } },
          { name: 'packet-captures', hostPath: { path: '/var/lib/packet-captures' } },
          { name: 'netns', hostPath: { path: '/run/netns' } },
        ],
      },
    },
  },
}

test('cleanDaemonSet() mounts what is around the directories, where agents ran', t => {
  t.is(cleanedDirectories(cleanDaemonSet(agents)).length, 3)
  const { template } = cleanDaemonSet(agents).spec as typeof agents.spec
  const { initContainers, volumes, tolerations } = template.spec as typeof template.spec & {
    readonly initContainers: readonly { readonly command: readonly string[] }[]
  }
  t.deepEqual(
    volumes.map(({ hostPath }) => hostPath.path),
    ['/var/log', '/var/lib'],
  )
  t.deepEqual(tolerations, [{ operator: 'Exists' }])
  t.deepEqual(initContainers[0]?.command, [
    ...['selcap', 'clean-node', '--host', '/host'],
    ...['--captures', '/var/log/calico/pcap', '--results', '/var/log/retina/captures'],
    ...['--results', '/var/lib/packet-captures'],
  ])
})

test('cleanDaemonSet() runs as the account of the agents and with their SELinux type', t => {
  const securityContext = { seLinuxOptions: { type: 'spc_t' } }
  const spec = { ...agents.spec.template.spec, serviceAccountName: 'selcap-agent', securityContext }
  const { template } = cleanDaemonSet({ ...agents, spec: { template: { spec } } })
    .spec as typeof agents.spec
  t.like(template.spec, {
    serviceAccountName: 'selcap-agent',
    automountServiceAccountToken: false,
    securityContext: { seccompProfile: { type: 'RuntimeDefault' }, ...securityContext },
  })
})

test('cleanDaemonSet() keeps where agents ran, and goes to no node with one', t => {
  const nodeAffinity = { requiredDuringSchedulingIgnoredDuringExecution: {} }
  const spec = { ...agents.spec.template.spec, affinity: { nodeAffinity } }
  const { template } = cleanDaemonSet({ ...agents, spec: { template: { spec } } })
    .spec as typeof agents.spec
  const labelSelector = { matchLabels: { 'app.kubernetes.io/name': 'selcap-agent' } }
  const topologyKey = 'kubernetes.io/hostname'
  const podAntiAffinity = {
    requiredDuringSchedulingIgnoredDuringExecution: [{ labelSelector, topologyKey }],
  }
  t.like(template.spec, { affinity: { nodeAffinity, podAntiAffinity } })
})

test('leftCleaning() is what onNoNode() holds back, as the API server gives it', t => {
  const cleaning = cleanDaemonSet(agents)
  const waiting = onNoNode(cleaning)
  t.notDeepEqual(waiting, cleaning)
  const { metadata } = waiting
  const stored = { ...waiting, metadata: { ...metadata, uid: 'u', managedFields: [] }, status: {} }
  t.deepEqual(onNoNode(leftCleaning(stored)), waiting)
  t.deepEqual(leftCleaning(stored).metadata, metadata)
  t.deepEqual(leftCleaning(leftCleaning(stored)), leftCleaning(stored))
  t.deepEqual(cleanedDirectories(leftCleaning(stored)), [
    ...['/var/log/calico/pcap', '/var/log/retina/captures'],
    '/var/lib/packet-captures',
  ])
})
