// What the agents have of a capture, asked for at this moment. In: where the agents are. Out: files that can be opened one by one;
// a node that does not answer is an answer too.
import { listFiles, openFile, removeFiles } from '../agentapi/client/files.ts'
import { capturePath } from '../agentapi/paths.ts'
import type { GatewayCapture, NodeFiles } from './captureCache.ts'
import type { GatewayDeps } from './server.ts'
import type { ManifestNode, ZipEntry } from './zip.ts'

export type ListedNode = { readonly entries: readonly ZipEntry[]; readonly nodes: readonly ManifestNode[] }

/** What every node has of the capture; one that does not answer is among the nodes with its error. */
export async function list(parts: GatewayDeps, capture: GatewayCapture): Promise<ListedNode> {
  const found = await Promise.all(parts.cluster.nodesWithFiles(capture).map(holding => listNode(parts, capture, holding)))
  return { entries: found.flatMap(({ entries }) => entries), nodes: found.flatMap(({ nodes }) => nodes) }
}

async function listNode({ agents }: GatewayDeps, capture: GatewayCapture, { node, place, row }: NodeFiles): Promise<ListedNode> {
  const path = filesPathOf(capture)
  const { packets, dropped, endpoints } = row.file
  const gaps = endpoints.flatMap(({ pod, gaps: all }) => all.map(gap => ({ pod, ...gap })))
  const facts = { node, packets, dropped, gaps }
  try {
    const { files, others } = await listFiles(agents, place, path)
    const entries = files.map(
      ({ name, bytes, isActive, etag }): ZipEntry => ({
        node,
        file: name,
        bytes,
        isActive,
        open: signal => openFile(agents, { place, path, file: { name, etag } }, signal),
      }),
    )
    return { entries, nodes: [others === 0 ? facts : { ...facts, error: `the agent listed ${others} entries that are no capture files` }] }
  } catch (error) {
    return { entries: [], nodes: [{ ...facts, error: (error as Error).message }] }
  }
}

export type CleanedNode = { readonly node: string; readonly isCapturing?: boolean; readonly error?: string }

export async function cleanNode({ agents }: GatewayDeps, capture: GatewayCapture, { node, place }: NodeFiles): Promise<CleanedNode> {
  try {
    const code = await removeFiles(agents, place, filesPathOf(capture))
    return code === 204 ? { node } : { node, isCapturing: code === 409, error: `${node} answered ${code}` }
  } catch (error) {
    return { node, error: `${node}: ${(error as Error).message}` }
  }
}

export function filesPathOf({ kind, metadata }: GatewayCapture): string {
  return capturePath({ api: kind, ...metadata }, 'files')
}
