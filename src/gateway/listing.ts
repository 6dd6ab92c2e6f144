// What the agents have of a capture, asked for at this moment. In: where the agents are. Out: files that can be opened one by one;
// a node that does not answer is an answer too.
import { readBounded } from '../access/http.ts'
import type { Listing } from '../agentServer/server.ts'
import { captureKey } from '../model/capture.ts'
import type { Capture, Holding } from './cluster.ts'
import type { GatewayParts } from './server.ts'
import type { ManifestNode, ZipEntry } from './zip.ts'

const listMs = 10_000
const listBytesMax = 8_388_608
const downloadMs = 86_400_000

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
    const { files } = (await readBounded(response, listBytesMax)) as Listing
    if (!Array.isArray(files)) throw new Error('the agent did not list files')
    const ours = new Map(files.filter(isFile).map(file => [file.name, file]))
    const entries = [...ours.values()].map(({ name: file, bytes, isActive, etag }): ZipEntry => {
      const open = async (signal: AbortSignal) => {
        // That file, as long as it was when it was listed: meanwhile it may have grown, or been rotated and another have its name.
        const asked = { path: `${path}/${encodeURIComponent(file)}`, headers: { 'if-match': etag } }
        const answer = await agents.ask(place, { ...asked, signal: AbortSignal.any([signal, AbortSignal.timeout(downloadMs)]) })
        if (answer.statusCode === 200) return answer
        answer.resume()
        throw new Error(`the agent answered ${answer.statusCode}`)
      }
      return { node, file, bytes, isActive, open }
    })
    const others = files.length - entries.length
    return { entries, nodes: [others === 0 ? facts : { ...facts, error: `the agent listed ${others} entries that are no capture files` }] }
  } catch (error) {
    return { entries: [], nodes: [{ ...facts, error: (error as Error).message }] }
  }
}

// An agent may be somebody else by now: what it lists becomes names in a zip that people unpack, on any system, and lines on their
// terminals.
function isFile(listed: Partial<Listing['files'][number]> | null): listed is Listing['files'][number] {
  const { name, bytes, etag } = listed ?? {}
  const isNamed = typeof name === 'string' && name.length <= 255 && /^\w[\w.@%+=-]*\.(pcap(ng)?|txt|pcap\.gz|txt\.gz|tar\.gz)$/.test(name)
  return (
    isNamed &&
    typeof bytes === 'number' &&
    Number.isSafeInteger(bytes) &&
    bytes >= 0 &&
    typeof etag === 'string' &&
    /^"[\w-]{1,64}"$/.test(etag)
  )
}

export type Cleaned = { readonly node: string; readonly isCapturing?: boolean; readonly error?: string }

/** The agent itself refuses while it captures: its report may be some seconds old. */
export async function cleanNode({ agents }: GatewayParts, capture: Capture, { node, place }: Holding): Promise<Cleaned> {
  try {
    const answer = await agents.ask(place, { method: 'DELETE', path: pathOf(capture), signal: AbortSignal.timeout(listMs) })
    answer.resume()
    if (answer.statusCode === 204) return { node }
    return { node, isCapturing: answer.statusCode === 409, error: `${node} answered ${answer.statusCode}` }
  } catch (error) {
    return { node, error: `${node}: ${(error as Error).message}` }
  }
}

export function pathOf({ kind, metadata }: Capture): string {
  return `/v1/captures/${captureKey({ api: kind, ...metadata })}/${metadata.uid}/files`
}
