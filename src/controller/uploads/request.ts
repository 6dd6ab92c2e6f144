// What is to go elsewhere of one capture: as data, made anew in each turn. And the names that files get there.
import type { AgentAddress } from '../../agentapi/client/agents.ts'
import type { CaptureRef } from '../../model/captureRef.ts'
import type { Output } from '../../model/output.ts'
import type { UploadStatus } from '../../model/status.ts'

export type NodeUpload = {
  readonly node: string
  readonly place: AgentAddress
  readonly fileNames: readonly string[] // as reported: when they change there is something to do
  readonly isFinished: boolean
  readonly known: readonly UploadStatus[] // of the capture's status
  readonly only?: readonly string[] // what was made of the files goes, and not they
}

export type UploadRequest = {
  readonly capture: CaptureRef
  readonly createdAtMs: number
  readonly generation: number
  readonly output: Output
  readonly nodes: readonly NodeUpload[]
}

/** Two wishes that read the same ask for the same. */
export function fingerprintOf({ generation, nodes }: UploadRequest): string {
  return JSON.stringify([
    generation,
    nodes.map(({ node, place, fileNames, isFinished, only }) => [node, place.port, fileNames, isFinished, only]),
  ])
}

/** Names of files are unique on a node, for one capture; names of captures, until one is made again: so its birth is in it. */
export function keyOf(wish: UploadRequest, { node, only }: Pick<NodeUpload, 'node' | 'only'>, file: string): string {
  return only ? file : [folderOf(wish), node, file].join('/') // what is made says in its name whose it is
}

/** Names what a process remembers of a file. */
export function versionTagOf(...words: readonly string[]): string {
  return words.join('\n')
}

/** Of all files of a capture. */
export function folderOf({ capture: { namespace, name }, createdAtMs }: UploadRequest): string {
  const born = new Date(createdAtMs).toISOString().replaceAll(/[-:]|\.\d+/g, '')
  return [namespace, name, born].join('/')
}
