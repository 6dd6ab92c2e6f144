// The nodes that would take part in a capture now: nodes whose interfaces it selects, or that run a
// pod it selects. Pure; the same rules as on the nodes. In: the capture, the cluster's nodes,
// namespaces and pods. Out: names of nodes.

import { readCapture } from '../../api/read.ts'
import { podToEndpoint } from '../../core/endpoint/endpoint.ts'
import { candidatesOf, matchEndpoints } from '../../core/match.ts'
import type { Scope } from '../../model/capture.ts'
import type { Labels } from '../../model/labels.ts'
import type { Pod } from '../../model/pod.ts'
import type { Settings } from '../../model/settings.ts'
import type { CaptureDocument } from '../../model/world.ts'

export type NodeTargets = {
  readonly settings: Settings
  readonly nodes: ReadonlyMap<string, Labels>
  readonly namespaceLabels: ReadonlyMap<string, Labels>
  readonly pods: readonly Pod[]
}

export function targetNodes(
  capture: CaptureDocument,
  { nodes, pods, ...cluster }: NodeTargets,
): string[] {
  const context = { ...cluster, node: '', serviceAccountLabels: new Map() }
  const endpoints = pods
    .map(pod => podToEndpoint(pod, context))
    .filter(endpoint => endpoint !== undefined)
  const byNode = Map.groupBy(endpoints, ({ node }) => node)
  const takesPart = (node: string): boolean => {
    const read = readCapture(capture, { ...cluster, node, nodeLabels: nodes.get(node) ?? {} })
    if (!read.ok) return false
    if (read.scope.kind === 'Host') return nodes.has(node)
    return matchEndpoints(read, candidatesOf(byNode.get(node) ?? [], node), node).matched.length > 0
  }
  return [...new Set([...nodes.keys(), ...byNode.keys()])].filter(takesPart).toSorted()
}

/**
 * What the capture may select: interfaces of nodes if it selects any node, else pods of these
 * namespaces.
 */
export function scopeOf(
  capture: CaptureDocument,
  { nodes, ...cluster }: Omit<NodeTargets, 'pods'>,
): Scope {
  const read = [{}, ...nodes.values()].map(nodeLabels =>
    readCapture(capture, { ...cluster, node: '', nodeLabels }),
  )
  const scopes = read.flatMap(each => (each.ok ? [each.scope] : []))
  return (
    scopes.find(({ kind }) => kind === 'Host') ?? scopes[0] ?? { kind: 'Namespaces', names: [] }
  )
}
