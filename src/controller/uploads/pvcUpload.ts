// Uploads a capture into a PersistentVolumeClaim: creates a pod once the capture is over, reports
// its files as stored when it succeeds, and verifies them before the nodes' copies are deleted. In:
// an upload request. Out: results as of any other store.

import { call } from '../../kube/client.ts'
import { apiVersionOf } from '../../kube/resources.ts'
import { ExpectedError } from '../../model/errors.ts'
import { claimField } from '../../model/output.ts'
import { type PvcPod, pvcPod, pvcPodName } from './pvcPod.ts'
import { type ComparedFile, type FoundPod, verifyPvc } from './pvcVerify.ts'
import { folderOf, type NodeUpload, type UploadRequest, versionTagOf } from './request.ts'
import type { UploadDeps, UploadOutcome, UploadProgress } from './types.ts'

const bytesMax = 1_048_576

export async function runPvcUpload(
  deps: UploadDeps,
  request: UploadRequest,
  progress: UploadProgress,
  signal: AbortSignal,
): Promise<UploadOutcome> {
  const { claim } = request.output
  if (claim === undefined || request.nodes.every(node => isThere(node, request, progress)))
    return 'done'
  if (!request.nodes.every(({ isFinished }) => isFinished)) return 'waits'
  try {
    if (deps.claimImage === undefined)
      throw new ExpectedError('the administrator has not allowed it (daemonset/overlays/claims)')
    const pod = await getPod(deps, request, signal)
    const wanted = wantedPod(deps, request, claim)
    if (pod === undefined)
      await requestPod(deps, request, signal, { method: 'POST', body: JSON.stringify(wanted) })
    if (pod?.status?.phase !== 'Succeeded' && pod?.status?.phase !== 'Failed') return 'waits'
    await requestPod(deps, request, signal, { method: 'DELETE' })
    if (pod.status.phase === 'Failed')
      throw new ExpectedError(
        `the pod ${pvcPodName(request.capture)} failed: ${pod.status.message ?? 'its log says why'}`,
      )
    const compared = request.output.isCleanedUp
      ? await verifyPvc(deps.agents, request, { found: pod, made: wanted }, signal)
      : []
    for (const { node, file } of compared)
      progress.stored.add(versionTagOf(node, file.name, file.etag, claimField))
    recordResult(deps, request, compared, progress)
  } catch (error) {
    for (const { node } of request.nodes)
      progress.onFailure(
        node,
        `Cannot write to ${claimField} "${claim}": ${(error as Error).message}`,
      )
  }
  return 'done'
}

/** Files to be cleaned up count as stored only after this process has verified them. */
function isThere(
  { node, fileNames, only, known }: NodeUpload,
  { output }: UploadRequest,
  { stored }: UploadProgress,
): boolean {
  const isKnown = (file: string) =>
    !output.isCleanedUp &&
    known.some(
      each => each.file === file && each.output === claimField && each.uploaded !== undefined,
    )
  return (only ?? fileNames).every(
    file => stored.has(versionTagOf(node, file, claimField)) || isKnown(file),
  )
}

/** The pod's program compared each file with its node's checksum before it ended. */
function recordResult(
  { nowMs }: UploadDeps,
  request: UploadRequest,
  compared: readonly ComparedFile[],
  progress: UploadProgress,
): void {
  const at = new Date(nowMs()).toISOString()
  for (const { node, fileNames, only } of request.nodes) {
    for (const file of only ?? fileNames) {
      progress.stored.add(versionTagOf(node, file, claimField))
      const verified = compared.find(each => each.node === node && each.file.name === file)
      const uploaded = `${request.output.claim}:/${folderOf(request)}/${node}/${file}`
      progress.onDone(
        node,
        {
          file,
          output: claimField,
          ...(verified && { bytes: verified.file.bytes, sha256: verified.sha256 }),
          uploaded,
          at,
        },
        true,
      )
    }
  }
}

async function getPod(
  deps: UploadDeps,
  request: UploadRequest,
  signal: AbortSignal,
): Promise<FoundPod | undefined> {
  return (await requestPod(deps, request, signal, { method: 'GET' })) as FoundPod | undefined
}

function wantedPod(deps: UploadDeps, request: UploadRequest, claim: string): PvcPod {
  const { capture } = request
  const apiVersion = apiVersionOf(capture.api, deps.group)
  return pvcPod({
    capture,
    apiVersion,
    claim,
    folder: folderOf(request),
    image: deps.claimImage ?? '',
  })
}

/** undefined: the pod does not exist. */
async function requestPod(
  { kube }: UploadDeps,
  { capture }: UploadRequest,
  signal: AbortSignal,
  { method, body }: { readonly method: string; readonly body?: string },
): Promise<unknown> {
  const pods = `/api/v1/namespaces/${capture.namespace}/pods`
  const path = method === 'POST' ? pods : `${pods}/${pvcPodName(capture)}`
  const request = {
    path,
    method,
    ...(body !== undefined && { body, headers: { 'content-type': 'application/json' } }),
  }
  const answer = await call(kube, request, { signal, bytesMax })
  if (answer.ok) return answer.body
  if (answer.status === 404 && method !== 'POST') return undefined
  throw new ExpectedError(answer.message)
}
