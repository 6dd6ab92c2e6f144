// One look at a capture that goes into a PersistentVolumeClaim: when it is over everywhere, a pod is made; when the pod has ended
// well its files are told of as stored, and it is removed; what is to be cleaned up is compared with what it says first. In: a wish.
// Out: told like the files of other stores.

import { apiErrorMessage } from '../../kube/request.ts'
import { apiVersionOf } from '../../kube/resources.ts'
import { ExpectedError } from '../../model/errors.ts'
import { claimField } from '../../model/output.ts'
import { readBounded } from '../../runtime/http.ts'
import { type PvcPod, pvcPod, pvcPodName } from './pvcPod.ts'
import { type ComparedFile, type FoundPod, verifyPvc } from './pvcVerify.ts'
import { folderOf, type NodeUpload, type UploadRequest, versionTagOf } from './request.ts'
import type { UploadDeps, UploadOutcome, UploadProgress } from './types.ts'

const apiTimeoutMs = 10_000
const bytesMax = 1_048_576

export async function runPvcUpload(
  parts: UploadDeps,
  wish: UploadRequest,
  memory: UploadProgress,
  signal: AbortSignal,
): Promise<UploadOutcome> {
  const { claim } = wish.output
  if (claim === undefined || wish.nodes.every(node => isThere(node, wish, memory))) return 'done'
  if (!wish.nodes.every(({ isFinished }) => isFinished)) return 'waits'
  try {
    if (parts.claimImage === undefined) throw new ExpectedError('the administrator has not allowed it (daemonset/overlays/claims)')
    const pod = await getPod(parts, wish, signal)
    const made = podOf(parts, wish, claim)
    if (pod === undefined) await createPod(parts, wish, signal, { method: 'POST', body: JSON.stringify(made) })
    if (pod?.status?.phase !== 'Succeeded' && pod?.status?.phase !== 'Failed') return 'waits'
    await createPod(parts, wish, signal, { method: 'DELETE' })
    if (pod.status.phase === 'Failed')
      throw new ExpectedError(`the pod ${pvcPodName(wish.capture)} failed: ${pod.status.message ?? 'its log says why'}`)
    const compared = wish.output.isCleanedUp ? await verifyPvc(parts.agents, wish, { found: pod, made }, signal) : []
    for (const { node, file } of compared) memory.stored.add(versionTagOf(node, file.name, file.etag, claimField))
    recordResult(parts, wish, compared, memory)
  } catch (error) {
    for (const { node } of wish.nodes) memory.onFailure(node, `Cannot write to ${claimField} "${claim}": ${(error as Error).message}`)
  }
  return 'done'
}

/** What is to be removed is copied, which costs little by then, and compared once more for this process. */
function isThere({ node, fileNames, only, known }: NodeUpload, { output }: UploadRequest, { stored }: UploadProgress): boolean {
  const isKnown = (file: string) =>
    !output.isCleanedUp && known.some(each => each.file === file && each.output === claimField && each.uploaded !== undefined)
  return (only ?? fileNames).every(file => stored.has(versionTagOf(node, file, claimField)) || isKnown(file))
}

/** The program has compared each file with its node's checksum before it ended. */
function recordResult({ nowMs }: UploadDeps, wish: UploadRequest, compared: readonly ComparedFile[], memory: UploadProgress): void {
  const at = new Date(nowMs()).toISOString()
  for (const { node, fileNames, only } of wish.nodes) {
    for (const file of only ?? fileNames) {
      memory.stored.add(versionTagOf(node, file, claimField))
      const facts = compared.find(each => each.node === node && each.file.name === file)
      const uploaded = `${wish.output.claim}:/${folderOf(wish)}/${node}/${file}`
      memory.onDone(node, { file, output: claimField, ...(facts && { bytes: facts.file.bytes, sha256: facts.sha256 }), uploaded, at }, true)
    }
  }
}

async function getPod(parts: UploadDeps, wish: UploadRequest, signal: AbortSignal): Promise<FoundPod | undefined> {
  return (await createPod(parts, wish, signal, { method: 'GET' })) as FoundPod | undefined
}

function podOf(parts: UploadDeps, wish: UploadRequest, claim: string): PvcPod {
  const { capture } = wish
  const apiVersion = apiVersionOf(capture.api, parts.group)
  return pvcPod({ capture, apiVersion, claim, folder: folderOf(wish), image: parts.claimImage ?? '' })
}

/** undefined: there is none. */
async function createPod(
  { kube }: UploadDeps,
  { capture }: UploadRequest,
  signal: AbortSignal,
  { method, body }: { readonly method: string; readonly body?: string },
): Promise<unknown> {
  const pods = `/api/v1/namespaces/${capture.namespace}/pods`
  const response = await kube({
    path: method === 'POST' ? pods : `${pods}/${pvcPodName(capture)}`,
    method,
    ...(body !== undefined && { body, headers: { 'content-type': 'application/json' } }),
    signal: AbortSignal.any([signal, AbortSignal.timeout(apiTimeoutMs)]),
  })
  const { statusCode = 0 } = response
  if (statusCode < 300) return readBounded(response, bytesMax)
  const said = await apiErrorMessage(response)
  if (statusCode === 404 && method !== 'POST') return undefined
  throw new ExpectedError(said)
}
