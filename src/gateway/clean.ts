// Removes the files of a capture from all nodes. In: a capture whose user may delete its files.
// Out: 204, and an audit entry. Refuses while a node captures (409), by its report or by its
// agent's own word. A node that failed is named in the answer (502).
import type { FastifyReply } from 'fastify'
import type { Agents } from '../agentapi/client/agents.ts'
import { removeFiles } from '../agentapi/client/files.ts'
import { type AuditDeps, audit } from './audit.ts'
import type { CaptureCache, GatewayCapture, NodeFiles } from './captureCache.ts'
import { filesPathOf } from './fileIndex.ts'
import { refuse } from './refuse.ts'
import type { AuthorizedRequest } from './types.ts'

export type CleanDeps = AuditDeps & {
  readonly cluster: Pick<CaptureCache, 'nodesWithFiles'>
  readonly agents: Agents
}

type CleanedNode = {
  readonly node: string
  readonly isCapturing?: boolean
  readonly error?: string
}

export async function cleanFiles(
  deps: CleanDeps,
  access: AuthorizedRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { capture } = access
  const nodes = deps.cluster.nodesWithFiles(capture)
  const capturing = nodes.filter(({ row }) =>
    ['Capturing', 'WaitingForTraffic'].includes(row.file.state),
  )
  if (capturing.length > 0) return sendStillCapturing(reply, capture, capturing)
  const results = await Promise.all(nodes.map(node => cleanNode(deps.agents, capture, node)))
  const errors = results.flatMap(({ error }) => error ?? [])
  audit(deps, access, { what: 'clean', bytes: 0, result: errors.length > 0 ? 'in part' : 'done' })
  const busy = results.filter(({ isCapturing }) => isCapturing)
  if (busy.length > 0) return sendStillCapturing(reply, capture, busy)
  return errors.length > 0
    ? refuse(reply, 502, `Cannot clean all files: ${errors.join('; ')}`)
    : reply.code(204).send()
}

async function cleanNode(
  agents: Agents,
  capture: GatewayCapture,
  { node, place }: NodeFiles,
): Promise<CleanedNode> {
  try {
    const code = await removeFiles(agents, place, filesPathOf(capture))
    return code === 204
      ? { node }
      : { node, isCapturing: code === 409, error: `${node} answered ${code}` }
  } catch (error) {
    return { node, error: `${node}: ${(error as Error).message}` }
  }
}

function sendStillCapturing(
  reply: FastifyReply,
  capture: GatewayCapture,
  nodes: readonly { readonly node: string }[],
): FastifyReply {
  const { namespace, name } = capture.metadata
  const names = nodes.map(({ node }) => node).join(', ')
  const command = `kubectl pcap stop ${name} -n ${namespace}`
  return refuse(
    reply,
    409,
    `Cannot clean files while they are captured: on ${names}. Set endTime to now first: ${command}`,
  )
}
