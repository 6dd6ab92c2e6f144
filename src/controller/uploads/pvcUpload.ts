// One look at a capture that goes into a PersistentVolumeClaim: when it is over everywhere, a pod is made; when the pod has ended
// well its files are told of as stored, and it is removed; what is to be cleaned up is compared with what it says first. In: a wish.
// Out: told like the files of other stores.

import { refusalOf } from '../../kube/request.ts'
import { apiVersionOf } from '../../kube/resources.ts'
import { claimField } from '../../model/output.ts'
import { readBounded } from '../../runtime/http.ts'
import { type ClaimPod, claimPod, claimPodName } from './pvcPod.ts'
import { type ComparedFile, compareClaim, type FoundPod } from './pvcVerify.ts'
import { folderOf, markOf, type NodeWish, type UploadWish } from './request.ts'
import type { JobParts, Memory } from './worker.ts'

const requestMs = 10_000
const bytesMax = 1_048_576

/** `waits`: the pod is at work. */
export async function runClaim(parts: JobParts, wish: UploadWish, memory: Memory, signal: AbortSignal): Promise<'done' | 'waits'> {
  const { claim } = wish.output
  if (claim === undefined || wish.nodes.every(node => isThere(node, wish, memory))) return 'done'
  if (!wish.nodes.every(({ isFinished }) => isFinished)) return 'waits'
  try {
    if (parts.claimImage === undefined) throw new Error('the administrator has not allowed it (daemonset/overlays/claims)')
    const pod = await getPod(parts, wish, signal)
    const made = podOf(parts, wish, claim)
    if (pod === undefined) await askPod(parts, wish, signal, { method: 'POST', body: JSON.stringify(made) })
    if (pod?.status?.phase !== 'Succeeded' && pod?.status?.phase !== 'Failed') return 'waits'
    await askPod(parts, wish, signal, { method: 'DELETE' })
    if (pod.status.phase === 'Failed')
      throw new Error(`the pod ${claimPodName(wish.capture)} failed: ${pod.status.message ?? 'its log says why'}`)
    const compared = wish.output.isCleanedUp ? await compareClaim(parts.agents, wish, { found: pod, made }, signal) : []
    for (const { node, file } of compared) memory.stored.add(markOf(node, file.name, file.etag, claimField))
    tell(parts, wish, compared, memory)
  } catch (error) {
    for (const { node } of wish.nodes) memory.onFailure(node, `Cannot write to ${claimField} "${claim}": ${(error as Error).message}`)
  }
  return 'done'
}

/** What is to be removed is copied, which costs little by then, and compared once more for this process. */
function isThere({ node, fileNames, only, known }: NodeWish, { output }: UploadWish, { stored }: Memory): boolean {
  const isKnown = (file: string) =>
    !output.isCleanedUp && known.some(each => each.file === file && each.output === claimField && each.uploaded !== undefined)
  return (only ?? fileNames).every(file => stored.has(markOf(node, file, claimField)) || isKnown(file))
}

/** The program has compared each file with its node's checksum before it ended. */
function tell({ nowMs }: JobParts, wish: UploadWish, compared: readonly ComparedFile[], memory: Memory): void {
  const at = new Date(nowMs()).toISOString()
  for (const { node, fileNames, only } of wish.nodes) {
    for (const file of only ?? fileNames) {
      memory.stored.add(markOf(node, file, claimField))
      const facts = compared.find(each => each.node === node && each.file.name === file)
      const uploaded = `${wish.output.claim}:/${folderOf(wish)}/${node}/${file}`
      memory.onDone(node, { file, output: claimField, ...(facts && { bytes: facts.file.bytes, sha256: facts.sha256 }), uploaded, at }, true)
    }
  }
}

async function getPod(parts: JobParts, wish: UploadWish, signal: AbortSignal): Promise<FoundPod | undefined> {
  return (await askPod(parts, wish, signal, { method: 'GET' })) as FoundPod | undefined
}

function podOf(parts: JobParts, wish: UploadWish, claim: string): ClaimPod {
  const { capture } = wish
  const apiVersion = apiVersionOf(capture.api, parts.group)
  return claimPod({ capture, apiVersion, claim, folder: folderOf(wish), image: parts.claimImage ?? '' })
}

/** undefined: there is none. */
async function askPod(
  { kube }: JobParts,
  { capture }: UploadWish,
  signal: AbortSignal,
  { method, body }: { readonly method: string; readonly body?: string },
): Promise<unknown> {
  const pods = `/api/v1/namespaces/${capture.namespace}/pods`
  const response = await kube({
    path: method === 'POST' ? pods : `${pods}/${claimPodName(capture)}`,
    method,
    ...(body !== undefined && { body, headers: { 'content-type': 'application/json' } }),
    signal: AbortSignal.any([signal, AbortSignal.timeout(requestMs)]),
  })
  const { statusCode = 0 } = response
  if (statusCode < 300) return readBounded(response, bytesMax)
  const said = await refusalOf(response)
  if (statusCode === 404 && method !== 'POST') return undefined
  throw new Error(said)
}
