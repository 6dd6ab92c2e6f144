// Counts the nodes that a capture needs now: lists the pods that it may select, anew each time. In:
// a capture, the cluster's nodes. Out: names of nodes. Throws the API server's errors.
import type { Kube } from '../../kube/request.ts'
import { trimPod } from '../../kube/trimPod.ts'
import type { Labels } from '../../model/labels.ts'
import type { Pod } from '../../model/pod.ts'
import type { Settings } from '../../model/settings.ts'
import type { CaptureDocument } from '../../model/world.ts'
import { listNamespaceLabels, listObjects } from '../listObjects.ts'
import { scopeOf, targetNodes } from './targetNodes.ts'

export type CountNodesDeps = {
  readonly kube: Kube
  readonly settings: Settings
  readonly signal: AbortSignal
}

const countTimeoutMs = 30_000
const listsMax = 8 // of single namespaces; for more namespaces all pods are listed

export async function countNodes(
  deps: CountNodesDeps,
  capture: CaptureDocument,
  nodes: ReadonlyMap<string, Labels>,
): Promise<string[]> {
  const limited = {
    ...deps,
    signal: AbortSignal.any([deps.signal, AbortSignal.timeout(countTimeoutMs)]),
  }
  const withoutPods = { settings: deps.settings, nodes, namespaceLabels: new Map<string, Labels>() }
  const scope = scopeOf(capture, withoutPods)
  if (scope.kind === 'Host') return targetNodes(capture, { ...withoutPods, pods: [] })
  if (scope.names.length > 0)
    return targetNodes(capture, { ...withoutPods, pods: await podsIn(limited, scope.names) })
  const withNamespaces = { ...withoutPods, namespaceLabels: await listNamespaceLabels(limited) }
  const selected = scopeOf(capture, withNamespaces)
  return targetNodes(capture, {
    ...withNamespaces,
    pods: selected.kind === 'Namespaces' ? await podsIn(limited, selected.names) : [],
  })
}

async function podsIn(deps: CountNodesDeps, names: readonly string[]): Promise<Pod[]> {
  const paths =
    names.length > listsMax
      ? ['/api/v1/pods']
      : names.map(name => `/api/v1/namespaces/${name}/pods`)
  const lists: Pod[][] = []
  for (const path of paths) lists.push(await listObjects(deps, { path }, trimPod)) // one list after the other, so that one page is in memory at a time
  return lists.flat()
}
