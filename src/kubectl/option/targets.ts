// Resolves --selector, --pod, --deployment and --service to one selector. In: a session, the
// options. Out: the selector's text. Refuses a selector that would match more pods than the named
// ones.

import type { LabelSelector } from '../../api/retina/labelSelector.ts'
import { CommandFailure } from '../../model/errors.ts'
import type { Labels } from '../../model/labels.ts'
import { request, type Session } from '../client/session.ts'
import {
  combine,
  fromLabelSelector,
  fromPod,
  fromService,
  type Labelled,
  unintendedPods,
} from './selectors.ts'

export type TargetSelector = {
  readonly selector?: string
  readonly pod?: readonly string[]
  readonly deployment?: readonly string[]
  readonly service?: readonly string[]
  readonly withReplicas?: boolean
}

export async function selectorOf(
  session: Session,
  targets: TargetSelector,
): Promise<string | undefined> {
  const { pod = [], deployment = [], service = [], selector } = targets
  const ofDeployments = await Promise.all(deployment.map(name => deploymentSelector(session, name)))
  const ofServices = await Promise.all(service.map(name => serviceSelector(session, name)))
  const ofPods =
    pod.length === 0 ? [] : await podSelectors(session, pod, targets.withReplicas === true)
  return combine([...ofPods, ...ofDeployments, ...ofServices], selector)
}

async function deploymentSelector({ kube, namespace }: Session, name: string): Promise<string> {
  const path = `/apis/apps/v1/namespaces/${namespace}/deployments/${encodeURIComponent(name)}`
  const { spec } = await request<{ readonly spec: { readonly selector: LabelSelector } }>(kube, {
    path,
    what: `read deployment "${name}"`,
  })
  return fromLabelSelector(spec.selector)
}

async function serviceSelector({ kube, namespace }: Session, name: string): Promise<string> {
  const path = `/api/v1/namespaces/${namespace}/services/${encodeURIComponent(name)}`
  const { spec } = await request<{ readonly spec: { readonly selector?: Labels } }>(kube, {
    path,
    what: `read service "${name}"`,
  })
  return fromService(name, spec.selector)
}

async function podSelectors(
  { kube, namespace }: Session,
  names: readonly string[],
  isMoreFine: boolean,
): Promise<string[]> {
  const path = `/api/v1/namespaces/${namespace}/pods`
  const { items } = await request<{ readonly items: readonly Labelled[] }>(kube, {
    path,
    what: `read pods ${names.join(', ')}`,
  })
  const selectors = names.map(name => {
    const pod = items.find(({ metadata }) => metadata.name === name)
    if (!pod)
      throw new CommandFailure(
        'notFound',
        `Cannot read pod "${name}": there is none in namespace "${namespace}"`,
      )
    return fromPod(pod)
  })
  const more = unintendedPods(combine(selectors, undefined) ?? '', names, items)
  if (more.length === 0 || isMoreFine) return selectors
  throw new CommandFailure(
    'usage',
    `Cannot select ${names.join(', ')} alone: the same labels are on ${more.slice(0, 5).join(', ')}${more.length > 5 ? ` and ${more.length - 5} more` : ''}; ` +
      'expected --with-replicas, --deployment or --selector',
  )
}
