// Builds selectors for pods, deployments and services. Pure. In: the objects. Out: a selector's
// text. A capture selects pods by labels only, so a pod is selected by labels that no other pod
// has. unintendedPods() finds the pods that share them.

import { quote } from '../../../grammar/print.ts'
import { parseSelector } from '../../../grammar/selector.ts'
import type { LabelSelector } from '../../api/retina/labelSelector.ts'
import { CommandFailure } from '../../model/errors.ts'
import type { Labels } from '../../model/labels.ts'
import { labels as labelKeys } from '../../model/wellKnown.ts'

export type Labelled = { readonly metadata: { readonly name: string; readonly labels?: Labels } }

/** Joins all requirements with &&; the input is for example a Deployment's `spec.selector`. */
export function fromLabelSelector({
  matchLabels = {},
  matchExpressions = [],
}: LabelSelector): string {
  const parts = [...equalities(matchLabels), ...matchExpressions.map(requirement)]
  return parts.length === 0 ? 'all()' : parts.join(' && ')
}

export function fromService(name: string, selector: Labels | undefined): string {
  if (selector && Object.keys(selector).length > 0)
    return fromLabelSelector({ matchLabels: selector })
  throw new CommandFailure(
    'usage',
    `Cannot select the pods of service "${name}": it has no selector, expected --selector or --pod`,
  )
}

/**
 * Selects by the StatefulSet's label with the pod's name, if there is one; otherwise by all labels.
 */
export function fromPod({ metadata: { name, labels = {} } }: Labelled): string {
  const own = labelKeys.statefulSetPod
  if (Object.keys(labels).length === 0)
    throw new CommandFailure(
      'usage',
      `Cannot select pod "${name}": it has no labels, and captures take pods by labels only`,
    )
  return fromLabelSelector({
    matchLabels: labels[own] === undefined ? labels : { [own]: labels[own] },
  })
}

/** The other pods that the selector matches, by name. */
export function unintendedPods(
  selector: string,
  names: readonly string[],
  pods: readonly Labelled[],
): string[] {
  const parsed = parseSelector(selector)
  if (!parsed.ok) return []
  const isMatch = ({ metadata }: Labelled) =>
    parsed.selector.matches(name => metadata.labels?.[name])
  return pods
    .filter(pod => !names.includes(pod.metadata.name) && isMatch(pod))
    .map(({ metadata }) => metadata.name)
}

/** Selects any of the objects, restricted by `selector`. */
export function combine(
  objects: readonly string[],
  selector: string | undefined,
): string | undefined {
  const any = objects.length > 1 ? objects.map(bracketed).join(' || ') : objects[0]
  if (any === undefined) return selector
  return selector === undefined ? any : `${bracketed(selector)} && ${bracketed(any)}`
}

function bracketed(text: string): string {
  return `(${text})`
}

function equalities(labels: Labels): string[] {
  return Object.entries(labels).map(([name, value]) => `${name} == ${quote(value)}`)
}

function requirement({
  key,
  operator,
  values = [],
}: NonNullable<LabelSelector['matchExpressions']>[number]): string {
  switch (operator) {
    case 'In':
      return `${key} in {${values.map(quote).join(', ')}}`
    case 'NotIn':
      return `${key} not in {${values.map(quote).join(', ')}}`
    case 'Exists':
      return `has(${key})`
    case 'DoesNotExist':
      return `!has(${key})`
    default:
      throw new CommandFailure(
        'failed',
        `Cannot read the operator "${operator}": expected In, NotIn, Exists or DoesNotExist`,
      )
  }
}
