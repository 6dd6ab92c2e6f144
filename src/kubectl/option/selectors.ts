// Selectors for what people call by name: pods, deployments, services. Pure: the objects in, a selector's text out. A capture
// takes endpoints by labels only, so a pod is meant by labels that no other pod has; where there are none, that is said.

import { quote } from '../../../grammar/print.ts'
import { parseSelector } from '../../../grammar/selector.ts'
import type { LabelSelector } from '../../api/retina/labelSelector.ts'
import { CommandFailure } from '../../model/errors.ts'
import type { Labels } from '../../model/labels.ts'
import { labels as labelKeys } from '../../model/wellKnown.ts'

export type Labelled = { readonly metadata: { readonly name: string; readonly labels?: Labels } }

/** All must hold: what a Deployment, say, writes as `spec.selector`. */
export function fromLabelSelector({ matchLabels = {}, matchExpressions = [] }: LabelSelector): string {
  const parts = [...equalities(matchLabels), ...matchExpressions.map(requirement)]
  return parts.length === 0 ? 'all()' : parts.join(' && ')
}

export function fromService(name: string, selector: Labels | undefined): string {
  if (selector && Object.keys(selector).length > 0) return fromLabelSelector({ matchLabels: selector })
  throw new CommandFailure('usage', `Cannot select the pods of service "${name}": it has no selector, expected --selector or --pod`)
}

/** The pod's own name where a StatefulSet gave it as a label, else all of its labels. */
export function fromPod({ metadata: { name, labels = {} } }: Labelled): string {
  const own = labelKeys.statefulSetPod
  if (Object.keys(labels).length === 0)
    throw new CommandFailure('usage', `Cannot select pod "${name}": it has no labels, and captures take pods by labels only`)
  return fromLabelSelector({ matchLabels: labels[own] === undefined ? labels : { [own]: labels[own] } })
}

/** Names of pods that the selector matches besides those that are meant. */
export function unintendedPods(selector: string, meant: readonly string[], pods: readonly Labelled[]): string[] {
  const parsed = parseSelector(selector)
  if (!parsed.ok) return []
  const isMatch = ({ metadata }: Labelled) => parsed.selector.matches(name => metadata.labels?.[name])
  return pods.filter(pod => !meant.includes(pod.metadata.name) && isMatch(pod)).map(({ metadata }) => metadata.name)
}

/** Any of the objects, and what else must hold. */
export function combine(objects: readonly string[], selector: string | undefined): string | undefined {
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

function requirement({ key, operator, values = [] }: NonNullable<LabelSelector['matchExpressions']>[number]): string {
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
      throw new CommandFailure('failed', `Cannot read the operator "${operator}": expected In, NotIn, Exists or DoesNotExist`)
  }
}
