// One run of a capture's upload: lists each node's files, stores those that are complete and
// missing, and, when the capture is over on a node and its spec asks for it, deletes the node's
// files that were stored and verified. In: an upload request, the progress so far. Out: each file's
// result through the progress. A failure is reported, and the other files continue.

import type { Agents } from '../../agentapi/client/agents.ts'
import {
  digestOf,
  type FilePresence,
  listFiles,
  openFile,
  removeArtifact,
  removeFiles,
} from '../../agentapi/client/files.ts'
import { capturePath } from '../../agentapi/paths.ts'
import type { CaptureFile } from '../../agentapi/types.ts'
import { ExpectedError } from '../../model/errors.ts'
import { claimField, outputFields, type StoreTarget } from '../../model/output.ts'
import type { UploadStatus } from '../../model/status.ts'
import { openStore } from '../../store/openStore.ts'
import type { FileSource, Store, StoredFile, StoreFailure } from '../../store/store.ts'
import { runPvcUpload } from './pvcUpload.ts'
import { keyOf, type NodeUpload, type UploadRequest, versionTagOf } from './request.ts'
import { readSecret, SecretNotFound } from './secret.ts'
import type { UploadDeps, UploadOutcome, UploadProgress } from './types.ts'

export async function runUpload(
  deps: UploadDeps,
  request: UploadRequest,
  progress: UploadProgress,
  signal: AbortSignal,
): Promise<UploadOutcome> {
  if (request.nodes.length === 0) return findSecrets(deps, request, progress, signal)
  for (const target of request.output.stores) {
    const opened = await open(deps, { request, progress, target, signal })
    if (!opened.ok) {
      for (const { node } of request.nodes) progress.onFailure(node, opened.reason)
      continue
    }
    try {
      for (const node of request.nodes)
        await sendNode({ ...deps, request, progress, target, store: opened.store, signal }, node)
    } finally {
      opened.store.close()
    }
  }
  const outcome = await runPvcUpload(deps, request, progress, signal)
  if (!request.output.isCleanedUp || outcome === 'waits') return outcome
  for (const node of request.nodes)
    if (node.isFinished && !signal.aborted) await cleanUp(deps, request, progress, node)
  return outcome
}

/**
 * Nothing is to be uploaded yet: a missing Secret is reported now, other errors of a Secret when it
 * is used.
 */
async function findSecrets(
  { kube }: UploadDeps,
  { capture, output }: UploadRequest,
  progress: UploadProgress,
  signal: AbortSignal,
): Promise<'done'> {
  for (const { secretName } of output.stores)
    await readSecret(kube, capture.namespace, secretName, signal).catch(error => {
      if (error instanceof SecretNotFound) progress.onMissingSecret(secretName)
    })
  return 'done'
}

type FileUpload = UploadDeps & {
  readonly request: UploadRequest
  readonly progress: UploadProgress
  readonly target: StoreTarget
  readonly store: Store
  readonly signal: AbortSignal
}

type StoreOpening = Pick<FileUpload, 'request' | 'progress' | 'target' | 'signal'>

async function open(
  { kube, policy }: UploadDeps,
  { request: { capture }, progress, target, signal }: StoreOpening,
): Promise<{ readonly ok: true; readonly store: Store } | StoreFailure> {
  try {
    return await openStore(
      target,
      await readSecret(kube, capture.namespace, target.secretName, signal),
      policy(),
    )
  } catch (error) {
    if (error instanceof SecretNotFound) progress.onMissingSecret(target.secretName)
    return { ok: false, isFinal: false, reason: (error as Error).message }
  }
}

async function sendNode(sending: FileUpload, node: NodeUpload): Promise<void> {
  const { agents, request, progress, signal } = sending
  const path = capturePath(request.capture, 'files')
  try {
    const { files } = await listFiles(agents, node.place, path)
    const missing = (node.only ?? []).filter(
      name =>
        !files.some(file => file.name === name) &&
        !progress.stored.has(versionTagOf(node.node, name, removed)),
    )
    if (missing.length > 0)
      progress.onFailure(
        node.node,
        `Cannot upload ${missing.join(', ')} of node "${node.node}": its agent has no such file`,
      )
    for (const file of files) {
      if (signal.aborted) return
      if (isWanted(node, file.name) && !file.isActive && file.bytes > 0)
        await sendFile(sending, node, { place: node.place, path, file })
    }
  } catch (error) {
    progress.onFailure(
      node.node,
      `Cannot have the files of node "${node.node}": ${(error as Error).message}`,
    )
  }
}

async function sendFile(
  { agents, request, progress, target, store, signal, nowMs }: FileUpload,
  nodeUpload: NodeUpload,
  presence: FilePresence & { readonly file: CaptureFile },
): Promise<void> {
  const { node, known } = nodeUpload
  const { name: file, bytes, etag } = presence.file
  const output = outputFields[target.kind]
  const tag = versionTagOf(node, file, etag, output)
  if (progress.stored.has(tag)) return
  const isKnown = known.some(
    each =>
      each.file === file &&
      each.output === output &&
      each.bytes === bytes &&
      each.uploaded !== undefined,
  )
  if (isKnown && !request.output.isCleanedUp) return // files to be cleaned up are verified once more by this process
  const result = await digestOf(agents, presence, signal).then(
    sha256 =>
      store.put(
        keyOf(request, nodeUpload, file),
        sourceOf(agents, presence, { bytes, sha256 }),
        signal,
      ),
    (error: Error): StoreFailure => ({
      ok: false,
      isFinal: false,
      reason: `Cannot read "${file}" of node "${node}": ${error.message}`,
    }),
  )
  if (signal.aborted) return
  if (result.ok) progress.stored.add(tag)
  else progress.onFailure(node, result.reason)
  progress.onDone(
    node,
    { file, output, ...reportFailure(result), at: new Date(nowMs()).toISOString() },
    result.ok,
  )
}

function reportFailure(
  result: StoredFile | StoreFailure,
): Pick<UploadStatus, 'bytes' | 'sha256' | 'uploaded' | 'error'> {
  return result.ok
    ? { bytes: result.bytes, sha256: result.sha256, uploaded: result.url }
    : { error: result.reason }
}

function sourceOf(
  agents: Agents,
  presence: FilePresence,
  known: Required<Pick<FileSource, 'bytes' | 'sha256'>>,
): FileSource {
  return {
    ...known,
    read: (fromByte, signal) =>
      fromByte >= known.bytes ? noFiles() : openFile(agents, presence, signal, fromByte),
  }
}

async function* noFiles(): AsyncGenerator<Uint8Array> {}

/**
 * Deletes a node's files only if every current file is stored in every output in its current
 * version.
 */
async function cleanUp(
  { agents }: UploadDeps,
  request: UploadRequest,
  progress: UploadProgress,
  nodeUpload: NodeUpload,
): Promise<void> {
  const { node, place } = nodeUpload
  const path = capturePath(request.capture, 'files')
  const { stores, claim } = request.output
  const outputs = [
    ...stores.map(({ kind }) => outputFields[kind]),
    ...(claim === undefined ? [] : [claimField]),
  ]
  try {
    const { files, others } = await listFiles(agents, place, path)
    const isStored = (file: CaptureFile) =>
      outputs.every(output => progress.stored.has(versionTagOf(node, file.name, file.etag, output)))
    if (
      files.length === 0 ||
      others > 0 ||
      outputs.length === 0 ||
      !files.every(file => file.bytes === 0 || !isWanted(nodeUpload, file.name) || isStored(file))
    )
      return
    for (const file of nodeUpload.only
      ? files.filter(file => isWanted(nodeUpload, file.name))
      : []) {
      const code = await removeArtifact(agents, { place, path, file })
      if (code !== 204) throw new ExpectedError(`the agent answered ${code}`)
      progress.stored.add(versionTagOf(node, file.name, removed))
    }
    const code = nodeUpload.only ? 204 : await removeFiles(agents, place, path)
    if (code !== 204 && code !== 409) throw new ExpectedError(`the agent answered ${code}`) // 409: the node captures again
  } catch (error) {
    progress.onFailure(
      node,
      `Cannot remove the files of node "${node}": ${(error as Error).message}`,
    )
  }
}

function isWanted({ only }: NodeUpload, name: string): boolean {
  return only === undefined || only.includes(name)
}

const removed = 'removed' // stands in place of an etag and an output
