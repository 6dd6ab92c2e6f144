// Nodes of a simulated cluster that take no agent, with running pods. In: the labels of each node,
// the names of its pods. Out: nothing; they stay as long as the cluster.
import type { SimulatedCluster } from './simulated.ts'

export async function addPodsWithoutAgent<Name extends string>(
  cluster: SimulatedCluster,
  namespace: string,
  nodes: Readonly<Record<Name, Readonly<Record<string, string>>>>,
  pods: Readonly<Record<Name, readonly string[]>>,
): Promise<void> {
  for (const nodeName of Object.keys(nodes) as Name[]) {
    const labels = nodes[nodeName]
    await cluster.apply({ apiVersion: 'v1', kind: 'Node', metadata: { name: nodeName, labels } })
    for (const name of pods[nodeName]) {
      await cluster.apply({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, namespace, labels: { app: 'far' } },
        spec: { nodeName, containers: [{ name: 'main', image: 'x' }] },
      })
      const ip = `10.9.9.${name.charCodeAt(0)}`
      const status = JSON.stringify({ status: { phase: 'Running', podIP: ip, podIPs: [{ ip }] } })
      await cluster.api.kubectl(
        ...['patch', 'pod', name, '-n', namespace, '--subresource=status', '--type=merge'],
        ...['-p', status],
      )
    }
  }
}
