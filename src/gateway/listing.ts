// What the agents have of a capture, asked for at this moment. In: where the agents are. Out: files that can be opened one by one;
// a node that does not answer is an answer too.
import type { Listing } from '../agentServer/server.ts'
import { readJson } from '../world/kube.ts'
import type { Capture, Holding } from './cluster.ts'
import type { GatewayParts } from './server.ts'
import type { ManifestNode, ZipEntry } from './zip.ts'

const listMs = 10_000

export type Listed = { readonly entries: readonly ZipEntry[]; readonly nodes: readonly ManifestNode[] }

/** What every node has of the capture; one that does not answer is among the nodes with its error. */
export async function list(parts: GatewayParts, capture: Capture): Promise<Listed> {
  const found = await Promise.all(parts.cluster.holdings(capture).map(holding => listNode(parts, capture, holding)))
  return { entries: found.flatMap(({ entries }) => entries), nodes: found.flatMap(({ nodes }) => nodes) }
}

async function listNode({ agents }: GatewayParts, capture: Capture, { node, place, row }: Holding): Promise<Listed> {
  const path = pathOf(capture)
  const { packets, dropped, endpoints } = row.file
  const gaps = endpoints.flatMap(({ pod, gaps: all }) => all.map(gap => ({ pod, ...gap })))
  const facts = { node, packets, dropped, gaps }
  try {
    const response = await agents.ask(place, { path, signal: AbortSignal.timeout(listMs) })
    if (response.statusCode !== 200) throw new Error(`the agent answered ${response.statusCode}`)
    const { files } = (await readJson(response)) as Listing
    const entries = files.map(({ name: file, bytes, isActive }): ZipEntry => {
      const open = async () => {
        const headers = { range: `bytes=0-${Math.max(0, bytes - 1)}` } // what it grows meanwhile is not in the list
        const answer = await agents.ask(place, {
          path: `${path}/${encodeURIComponent(file)}`,
          headers,
          signal: AbortSignal.timeout(86_400_000),
        })
        if (answer.statusCode === 206 || answer.statusCode === 200) return answer
        answer.resume()
        throw new Error(`the agent answered ${answer.statusCode}`)
      }
      return { node, file, bytes, isActive, open }
    })
    return { entries, nodes: [facts] }
  } catch (error) {
    return { entries: [], nodes: [{ ...facts, error: (error as Error).message }] }
  }
}

/** What went wrong; undefined: nothing. */
export async function cleanNode({ agents }: GatewayParts, capture: Capture, { node, place }: Holding): Promise<string | undefined> {
  try {
    const answer = await agents.ask(place, { method: 'DELETE', path: pathOf(capture), signal: AbortSignal.timeout(listMs) })
    answer.resume()
    return answer.statusCode === 204 ? undefined : `${node} answered ${answer.statusCode}`
  } catch (error) {
    return `${node}: ${(error as Error).message}`
  }
}

export function pathOf({ metadata: { namespace, name, uid } }: Capture): string {
  return `/v1/captures/${namespace}/${name}/${uid}/files`
}
