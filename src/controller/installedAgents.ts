// The agents that are installed in a cluster, and those that do not start. In: the API server. Out:
// how many there are, and a sentence for each one whose container waits for a fault; undefined:
// this account may not list pods.
import { list } from '../kube/client.ts'
import type { Kube } from '../kube/request.ts'
import { ExpectedError } from '../model/errors.ts'
import { accounts, labels } from '../model/wellKnown.ts'

type AgentPod = {
  readonly metadata: { readonly name: string }
  readonly spec?: { readonly nodeName?: string }
  readonly status?: { readonly containerStatuses?: readonly ContainerStatus[] }
}
type ContainerStatus = {
  readonly state?: { readonly waiting?: { readonly reason?: string; readonly message?: string } }
}

export type InstalledAgents = { readonly count: number; readonly faults: readonly string[] }

const labelSelector = `${labels.name}=${accounts.agent}`
const privateMount =
  '/run/netns of that node is a private mount: run "mount --make-rshared /run" there before the kubelet starts, or install the component host-interfaces (daemonset/README.md, Private mounts)'

export async function findInstalledAgents(
  kube: Kube,
  signal: AbortSignal,
): Promise<InstalledAgents | undefined> {
  const answer = await list<AgentPod>(kube, '/api/v1/pods', { query: { labelSelector }, signal })
  if (answer.ok)
    return { count: answer.body.items.length, faults: answer.body.items.flatMap(agentFaults) }
  if (answer.status === 403) return undefined
  throw new ExpectedError(`Cannot list pods: ${answer.message}`)
}

/** What keeps an agent from starting, in the kubelet's words, and what to do where that is known. */
export function agentFaults({ metadata, spec, status }: AgentPod): string[] {
  return (status?.containerStatuses ?? []).flatMap(({ state }) => {
    const { reason = '', message = '' } = state?.waiting ?? {}
    if (!/Error|BackOff|Invalid/.test(reason)) return []
    const where = spec?.nodeName ? `on node ${spec.nodeName}` : `of pod ${metadata.name}`
    const advice = /not a shared or slave mount/.test(message) ? `; ${privateMount}` : ''
    return [`The agent ${where} does not start: ${reason}: ${message || 'no message'}${advice}`]
  })
}
