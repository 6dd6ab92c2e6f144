// Reduces a Pod to the fields an endpoint needs.
import type { Pod } from '../model/pod.ts'
import type { KubeObject } from './informer.ts'

export function trimPod({ metadata, spec, status }: Pod & KubeObject): Pod & KubeObject {
  const { name, namespace, uid, resourceVersion, labels, annotations, deletionTimestamp } = metadata
  const kept = { name, namespace, uid, resourceVersion, labels, annotations, deletionTimestamp }
  const { nodeName, hostNetwork, serviceAccountName } = spec
  const { phase, podIP, podIPs } = status ?? {}
  // JSON drops undefined fields.
  return JSON.parse(
    JSON.stringify({
      metadata: kept,
      spec: { nodeName, hostNetwork, serviceAccountName },
      status: { phase, podIP, podIPs },
    }),
  )
}
