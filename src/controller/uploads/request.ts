// An upload request: the files of one capture that are to be stored, as data made anew in each
// turn; and the names of the stored files.
import type { AgentAddress } from '../../agentapi/client/agents.ts'
import type { CaptureRef } from '../../model/captureRef.ts'
import type { Output } from '../../model/output.ts'
import type { UploadStatus } from '../../model/status.ts'

export type NodeUpload = {
  readonly node: string
  readonly place: AgentAddress
  readonly fileNames: readonly string[] // as reported; a change starts an upload
  readonly isFinished: boolean
  readonly known: readonly UploadStatus[] // results in the capture's status
  readonly only?: readonly string[] // names of the artifact's files, which are uploaded in place of the capture files
}

export type UploadRequest = {
  readonly capture: CaptureRef
  readonly createdAtMs: number
  readonly generation: number
  readonly output: Output
  readonly nodes: readonly NodeUpload[]
}

/** Equal for two requests for the same files. */
export function fingerprintOf({ generation, nodes }: UploadRequest): string {
  return JSON.stringify([
    generation,
    nodes.map(({ node, place, fileNames, isFinished, only }) => [
      node,
      place.port,
      fileNames,
      isFinished,
      only,
    ]),
  ])
}

/**
 * File names are unique on a node for one capture. A capture of the same name may be created again,
 * so its creation time is included.
 */
export function keyOf(
  request: UploadRequest,
  { node, only }: Pick<NodeUpload, 'node' | 'only'>,
  file: string,
): string {
  return only ? file : [folderOf(request), node, file].join('/') // an artifact's name includes the capture and node
}

/** Identifies one version of a file in one output. */
export function versionTagOf(...words: readonly string[]): string {
  return words.join('\n')
}

/** The folder of all files of a capture. */
export function folderOf({ capture: { namespace, name }, createdAtMs }: UploadRequest): string {
  const createdAt = new Date(createdAtMs).toISOString().replaceAll(/[-:]|\.\d+/g, '')
  return [namespace, name, createdAt].join('/')
}
