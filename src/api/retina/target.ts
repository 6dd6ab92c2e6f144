// Reads whose packets a Retina Capture takes. Pure. In: its captureTarget as written. Out: scope
// and selector. Throws RangeError in Retina's words and order. Pods are captured on their own
// interfaces, never by address: a pod without an interface is waited for, and nothing widens a
// capture.
import type { Intent, Scope } from '../../model/capture.ts'
import type { Labels } from '../../model/labels.ts'
import type { World } from '../../model/world.ts'
import { at } from '../fields.ts'
import { type LabelSelector, type ReadSelector, readLabelSelector } from './labelSelector.ts'

export type CaptureTarget = {
  readonly nodeSelector?: LabelSelector | null
  readonly namespaceSelector?: LabelSelector | null
  readonly podSelector?: LabelSelector | null
  readonly podNames?: readonly string[] | null
}

export type TargetContext = Pick<World, 'nodeLabels' | 'namespaceLabels'> & {
  readonly namespace: string
}

export type ReadTarget = Pick<Intent, 'scope' | 'selector' | 'matches'>

const noTarget: Scope = { kind: 'Namespaces', names: [] }

/** A selector written as {} is present and matches everything. */
export function readTarget(
  target: CaptureTarget,
  interfaces: readonly string[],
  context: TargetContext,
): ReadTarget {
  const { nodeSelector, namespaceSelector, podSelector } = target
  const podNames = target.podNames ?? []
  checkTarget(target)
  if (nodeSelector) return nodesOf(nodeSelector, interfaces, context)
  if (podNames.length > 0)
    return {
      scope: { kind: 'Namespaces', names: [context.namespace] },
      selector: `pods ${podNames.join(', ')}`,
      matches: (_, { name }) => podNames.includes(name),
    }
  const pods = readSelector('podSelector', podSelector ?? {})
  const namespaces = namespaceSelector
    ? namespacesOf(namespaceSelector, context)
    : { names: [context.namespace], text: context.namespace }
  return {
    scope: { kind: 'Namespaces', names: namespaces.names },
    selector: `pods ${pods.text || 'all'} of namespaces ${namespaces.text || 'all'}`,
    matches: label => pods.matches(label),
  }
}

function checkTarget({
  nodeSelector,
  namespaceSelector,
  podSelector,
  podNames,
}: CaptureTarget): void {
  const isByName = (podNames ?? []).length > 0
  if (!nodeSelector && !podSelector && !isByName)
    throw new RangeError('neither NodeSelector, NamespaceSelector&PodSelector, nor PodNames is set')
  if (nodeSelector && (namespaceSelector || podSelector || isByName))
    throw new RangeError(
      'NodeSelector is not compatible with NamespaceSelector&PodSelector or PodNames, please use one or the other',
    )
  if (isByName && (namespaceSelector || podSelector))
    throw new RangeError(
      'PodNames is not compatible with NamespaceSelector or PodSelector, please use one or the other',
    )
}

function nodesOf(
  selector: LabelSelector,
  interfaces: readonly string[],
  { nodeLabels }: TargetContext,
): ReadTarget {
  const nodes = readSelector('nodeSelector', selector)
  const names = interfaces.includes('any') ? [] : interfaces
  const host: Scope = names.length === 0 ? { kind: 'Host' } : { kind: 'Host', interfaces: names }
  return {
    scope: nodes.matches(labelIn(nodeLabels)) ? host : noTarget,
    selector: `nodes ${nodes.text || 'all'}`,
    matches: () => true,
  }
}

function namespacesOf(
  selector: LabelSelector,
  { namespaceLabels }: TargetContext,
): { names: string[]; text: string } {
  const namespaces = readSelector('namespaceSelector', selector)
  const names = [...namespaceLabels]
    .filter(([, labels]) => namespaces.matches(labelIn(labels)))
    .map(([name]) => name)
  return { names: names.toSorted(), text: namespaces.text }
}

function labelIn(labels: Labels): (name: string) => string | undefined {
  return name => (Object.hasOwn(labels, name) ? labels[name] : undefined)
}

function readSelector(field: string, selector: LabelSelector): ReadSelector {
  return at(`captureTarget.${field}`, () => readLabelSelector(selector), '.')
}
