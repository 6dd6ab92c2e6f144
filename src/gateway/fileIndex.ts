// Lists the files of a capture on all nodes at this moment. In: where the agents are. Out: files
// that can be opened one by one, and each node's counts. A node that does not answer is in the
// list, with its error.
import type { Agents } from '../agentapi/client/agents.ts'
import { listFiles, openFile } from '../agentapi/client/files.ts'
import { capturePath } from '../agentapi/paths.ts'
import type { CaptureCache, GatewayCapture, NodeFiles } from './captureCache.ts'
import type { ManifestNode, ZipEntry } from './zip.ts'

export type FileIndexDeps = {
  readonly cluster: Pick<CaptureCache, 'nodesWithFiles'>
  readonly agents: Agents
}

export type FileIndex = {
  readonly entries: readonly ZipEntry[]
  readonly nodes: readonly ManifestNode[]
}

export async function indexFiles(
  { cluster, agents }: FileIndexDeps,
  capture: GatewayCapture,
): Promise<FileIndex> {
  const path = filesPathOf(capture)
  const indexes = await Promise.all(
    cluster.nodesWithFiles(capture).map(node => indexNode(agents, path, node)),
  )
  return {
    entries: indexes.flatMap(({ entries }) => entries),
    nodes: indexes.flatMap(({ nodes }) => nodes),
  }
}

async function indexNode(
  agents: Agents,
  path: string,
  { node, place, row }: NodeFiles,
): Promise<FileIndex> {
  const { packets, dropped, endpoints } = row.file
  const gaps = endpoints.flatMap(({ pod, gaps: ofEndpoint }) =>
    ofEndpoint.map(gap => ({ pod, ...gap })),
  )
  const counts = { node, packets, dropped, gaps }
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
    return {
      entries,
      nodes: [
        others === 0
          ? counts
          : { ...counts, error: `the agent listed ${others} entries that are no capture files` },
      ],
    }
  } catch (error) {
    return { entries: [], nodes: [{ ...counts, error: (error as Error).message }] }
  }
}

export function filesPathOf({ kind, metadata }: GatewayCapture): string {
  return capturePath({ api: kind, ...metadata }, 'files')
}
