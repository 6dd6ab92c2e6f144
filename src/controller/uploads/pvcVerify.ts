// Verifies that a pod copied into a PVC what the nodes hold. In: the pod as it ended, the nodes.
// Out: the nodes' files as compared, which may now be deleted there. Refuses a pod that differs
// from the controller's, and any difference in size or checksum. The policy of
// daemonset/components/claims lets only the controller create, change or enter such a pod: its
// termination message is therefore its program's.
import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import type { Agents } from '../../agentapi/client/agents.ts'
import { digestOf, listFiles } from '../../agentapi/client/files.ts'
import { capturePath } from '../../agentapi/paths.ts'
import type { CaptureFile } from '../../agentapi/types.ts'
import { type CopiedFile, copyManifestOf, isSameCopy } from '../../model/copyManifest.ts'
import { ExpectedError } from '../../model/errors.ts'
import type { PvcPod } from './pvcPod.ts'
import type { UploadRequest } from './request.ts'

type EndedPod = {
  readonly name?: string
  readonly state?: {
    readonly terminated?: { readonly exitCode?: number; readonly message?: string }
  }
}

/** The pod as the API server returns it. */
export type FoundPod = Partial<PvcPod> & {
  readonly status?: {
    readonly phase?: string
    readonly message?: string
    readonly containerStatuses?: readonly EndedPod[]
  }
}

export type ComparedFile = {
  readonly node: string
  readonly file: CaptureFile
  readonly sha256: string
}

export async function verifyPvc(
  agents: Agents,
  request: UploadRequest,
  { found, made }: { readonly found: FoundPod; readonly made: PvcPod },
  signal: AbortSignal,
): Promise<ComparedFile[]> {
  if (!isUnchanged(found, made))
    throw new ExpectedError(
      'the pod is another than the controller makes: nothing is removed from the nodes',
    )
  const ended = found.status?.containerStatuses?.find(
    ({ name }) => name === made.spec.containers[0].name,
  )?.state?.terminated
  const path = capturePath(request.capture, 'files')
  const files: ComparedFile[] = []
  for (const { node, place } of request.nodes) {
    for (const file of (await listFiles(agents, place, path)).files)
      files.push({ node, file, sha256: await digestOf(agents, { place, path, file }, signal) })
  }
  const wanted = copyManifestOf(files.map(copiedFile), text =>
    createHash('sha256').update(text).digest('hex'),
  )
  if (ended?.exitCode !== 0 || !isSameCopy(parsed(ended.message), wanted))
    throw new ExpectedError(
      'what lies there has another size or checksum than what the nodes hold: nothing is removed from them',
    )
  return files
}

function copiedFile({ node, file, sha256 }: ComparedFile): CopiedFile {
  return { node, file: file.name, bytes: file.bytes, sha256 }
}

/** The API server adds defaults, but keeps the fields that were set. */
function isUnchanged({ metadata, spec }: FoundPod, made: PvcPod): boolean {
  const [container, ...others] = spec?.containers ?? []
  const [wanted] = made.spec.containers
  return (
    metadata?.ownerReferences?.some(({ uid }) => uid === made.metadata.ownerReferences[0].uid) ===
      true &&
    others.length === 0 &&
    (spec?.initContainers ?? []).length === 0 &&
    (spec?.ephemeralContainers ?? []).length === 0 &&
    spec?.serviceAccountName === made.spec.serviceAccountName &&
    container?.image === wanted.image &&
    isDeepStrictEqual(container.command, wanted.command)
  )
}

function parsed(message: string | undefined): unknown {
  try {
    return JSON.parse(message ?? '')
  } catch {
    return undefined
  }
}
