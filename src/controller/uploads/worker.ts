// One go at all that is to be uploaded of a capture: asks each node what it has, sends what is not being written to and not there
// yet, and, when the capture is over on a node and the user wants it, removes what is stored and compared. In: a wish, what was done
// before. Out: told file by file. Whatever fails is told and the rest goes on.

import type { Agents } from '../../agentapi/client/agents.ts'
import { digestOf, type FilePresence, listFiles, openFile, removeArtifact, removeFiles } from '../../agentapi/client/files.ts'
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
  parts: UploadDeps,
  wish: UploadRequest,
  memory: UploadProgress,
  signal: AbortSignal,
): Promise<UploadOutcome> {
  if (wish.nodes.length === 0) return findSecrets(parts, wish, memory, signal)
  for (const target of wish.output.stores) {
    const opened = await open(parts, { wish, memory, target, signal })
    if (!opened.ok) {
      for (const { node } of wish.nodes) memory.onFailure(node, opened.reason)
      continue
    }
    try {
      for (const node of wish.nodes) await sendNode({ ...parts, wish, memory, target, store: opened.store, signal }, node)
    } finally {
      opened.store.close()
    }
  }
  const claimed = await runPvcUpload(parts, wish, memory, signal)
  if (!wish.output.isCleanedUp || claimed === 'waits') return claimed
  for (const node of wish.nodes) if (node.isFinished && !signal.aborted) await cleanUp(parts, wish, memory, node)
  return claimed
}

/** Nothing is to be sent yet: the user hears now of a Secret that will be missed then. What else is wrong with one, when it is read. */
async function findSecrets(
  { kube }: UploadDeps,
  { capture, output }: UploadRequest,
  memory: UploadProgress,
  signal: AbortSignal,
): Promise<'done'> {
  for (const { secretName } of output.stores)
    await readSecret(kube, capture.namespace, secretName, signal).catch(error => {
      if (error instanceof SecretNotFound) memory.onMissingSecret(secretName)
    })
  return 'done'
}

type FileUpload = UploadDeps & {
  readonly wish: UploadRequest
  readonly memory: UploadProgress
  readonly target: StoreTarget
  readonly store: Store
  readonly signal: AbortSignal
}

type StoreOpening = Pick<FileUpload, 'wish' | 'memory' | 'target' | 'signal'>

async function open(
  { kube, policy }: UploadDeps,
  { wish: { capture }, memory, target, signal }: StoreOpening,
): Promise<{ readonly ok: true; readonly store: Store } | StoreFailure> {
  try {
    return await openStore(target, await readSecret(kube, capture.namespace, target.secretName, signal), policy())
  } catch (error) {
    if (error instanceof SecretNotFound) memory.onMissingSecret(target.secretName)
    return { ok: false, isFinal: false, reason: (error as Error).message }
  }
}

async function sendNode(sending: FileUpload, node: NodeUpload): Promise<void> {
  const { agents, wish, memory, signal } = sending
  const path = capturePath(wish.capture, 'files')
  try {
    const { files } = await listFiles(agents, node.place, path)
    const missing = (node.only ?? []).filter(
      name => !files.some(file => file.name === name) && !memory.stored.has(versionTagOf(node.node, name, removed)),
    )
    if (missing.length > 0)
      memory.onFailure(node.node, `Cannot upload ${missing.join(', ')} of node "${node.node}": its agent has no such file`)
    for (const file of files) {
      if (signal.aborted) return
      if (isWanted(node, file.name) && !file.isActive && file.bytes > 0) await sendFile(sending, node, { place: node.place, path, file })
    }
  } catch (error) {
    memory.onFailure(node.node, `Cannot have the files of node "${node.node}": ${(error as Error).message}`)
  }
}

async function sendFile(
  { agents, wish, memory, target, store, signal, nowMs }: FileUpload,
  wanting: NodeUpload,
  there: FilePresence & { readonly file: CaptureFile },
): Promise<void> {
  const { node, known } = wanting
  const { name: file, bytes, etag } = there.file
  const output = outputFields[target.kind]
  const mark = versionTagOf(node, file, etag, output)
  if (memory.stored.has(mark)) return
  const isKnown = known.some(each => each.file === file && each.output === output && each.bytes === bytes && each.uploaded !== undefined)
  if (isKnown && !wish.output.isCleanedUp) return // what is to be removed is compared once more by this process
  const put = await digestOf(agents, there, signal).then(
    sha256 => store.put(keyOf(wish, wanting, file), sourceOf(agents, there, { bytes, sha256 }), signal),
    (error: Error): StoreFailure => ({ ok: false, isFinal: false, reason: `Cannot read "${file}" of node "${node}": ${error.message}` }),
  )
  if (signal.aborted) return
  if (put.ok) memory.stored.add(mark)
  else memory.onFailure(node, put.reason)
  memory.onDone(node, { file, output, ...reportFailure(put), at: new Date(nowMs()).toISOString() }, put.ok)
}

function reportFailure(put: StoredFile | StoreFailure): Pick<UploadStatus, 'bytes' | 'sha256' | 'uploaded' | 'error'> {
  return put.ok ? { bytes: put.bytes, sha256: put.sha256, uploaded: put.url } : { error: put.reason }
}

function sourceOf(agents: Agents, there: FilePresence, known: Required<Pick<FileSource, 'bytes' | 'sha256'>>): FileSource {
  return { ...known, read: (fromByte, signal) => (fromByte >= known.bytes ? noFiles() : openFile(agents, there, signal, fromByte)) }
}

async function* noFiles(): AsyncGenerator<Uint8Array> {}

/** Only when each file that is there at this moment is stored in every place, as it is. */
async function cleanUp({ agents }: UploadDeps, wish: UploadRequest, memory: UploadProgress, wanting: NodeUpload): Promise<void> {
  const { node, place } = wanting
  const path = capturePath(wish.capture, 'files')
  const { stores, claim } = wish.output
  const outputs = [...stores.map(({ kind }) => outputFields[kind]), ...(claim === undefined ? [] : [claimField])]
  try {
    const { files, others } = await listFiles(agents, place, path)
    const isStored = (file: CaptureFile) => outputs.every(output => memory.stored.has(versionTagOf(node, file.name, file.etag, output)))
    if (
      files.length === 0 ||
      others > 0 ||
      outputs.length === 0 ||
      !files.every(file => file.bytes === 0 || !isWanted(wanting, file.name) || isStored(file))
    )
      return
    for (const file of wanting.only ? files.filter(file => isWanted(wanting, file.name)) : []) {
      const code = await removeArtifact(agents, { place, path, file })
      if (code !== 204) throw new ExpectedError(`the agent answered ${code}`)
      memory.stored.add(versionTagOf(node, file.name, removed))
    }
    const code = wanting.only ? 204 : await removeFiles(agents, place, path)
    if (code !== 204 && code !== 409) throw new ExpectedError(`the agent answered ${code}`) // 409: it captures again
  } catch (error) {
    memory.onFailure(node, `Cannot remove the files of node "${node}": ${(error as Error).message}`)
  }
}

function isWanted({ only }: NodeUpload, name: string): boolean {
  return only === undefined || only.includes(name)
}

const removed = 'removed' // in place of a tag and an output
