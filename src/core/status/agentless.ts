// Says what is not captured because no agent runs on the node of a matching pod, in the words of
// every API. Pure. In: such nodes with their pods. Out: messages, and the nodes that a status holds.

import type { AgentlessNode } from '../../model/status.ts'
import { truncateMessage } from './truncate.ts'

const podsShown = 3

export function agentlessMessage({ kind, pods, more = 0 }: AgentlessNode): string {
  const why = kind === 'Linux' ? 'no agent runs there' : `no agent runs on ${whyOf[kind]}`
  const rest = Math.max(0, pods.length - podsShown) + more
  const names = pods.slice(0, podsShown).join(', ')
  return `${why}, so nothing is captured of ${names}${rest > 0 ? ` and ${rest} more` : ''}`
}

const whyOf = {
  Windows: 'a Windows node',
  Fargate: 'a Fargate node',
  Virtual: 'a virtual node',
} as const

/** All nodes in one line. */
export function agentlessSummary(agentless: readonly AgentlessNode[]): string {
  return truncateMessage(agentless.map(each => `${each.node}: ${agentlessMessage(each)}`))
}

/** Where no node has an endpoint of the capture, once the nodes had time to answer. */
export function agentlessReason(agentless: readonly AgentlessNode[]): string {
  return `Every pod that matches is on a node without an agent: ${agentlessSummary(agentless)}`
}

const agentlessMax = { nodes: 100, pods: 20 } as const

export function boundedNodes(nodes: readonly AgentlessNode[]): AgentlessNode[] {
  return nodes.slice(0, agentlessMax.nodes).map(each => {
    const more = Math.max(0, each.pods.length - agentlessMax.pods) + (each.more ?? 0)
    return { ...each, pods: each.pods.slice(0, agentlessMax.pods), ...(more > 0 && { more }) }
  })
}
