// What is kept of a pod: what makes an endpoint of it, and nothing else.
import type { Pod } from '../model/pod.ts'
import type { KubeObject } from './informer.ts'

export function trimPod({ metadata, spec, status }: Pod & KubeObject): Pod & KubeObject {
  const { name, namespace, uid, resourceVersion, labels, annotations, deletionTimestamp } = metadata
  const kept = { name, namespace, uid, resourceVersion, labels, annotations, deletionTimestamp }
  const { nodeName, hostNetwork, serviceAccountName } = spec
  const { phase, podIP, podIPs } = status ?? {}
  // Through JSON: what is undefined is missing.
  return JSON.parse(
    JSON.stringify({ metadata: kept, spec: { nodeName, hostNetwork, serviceAccountName }, status: { phase, podIP, podIPs } }),
  )
}
