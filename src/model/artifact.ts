// What a node makes of a capture's files once the capture is over there: one archive, one merged file. As data: what is wanted,
// and what became of it. Made by src/artifacts; wanted by src/intent; told by src/status.

import { doubledMs } from './backoff.ts'

/** What is wanted. Each kind is one maker of src/artifacts. */
export type Artifact = SingleFile | RetinaArchive

/** All packets of the capture on the node in the order of time: {directory}/{name}-{start}.pcap or .txt; stdout: in the log. */
export type SingleFile = {
  readonly kind: 'SingleFile'
  readonly form: 'pcap' | 'text' | 'stdout'
  readonly directory: string
  readonly bytesMax: number
}

/** A directory on the node. The administrator answers for `base`, which may be reached by links; `below` are names, and no links. */
export type HostPlace = { readonly base: string; readonly below: readonly string[] }

/** Retina's `<capture>-<node>-<time>UTC.tar.gz`. */
export type RetinaArchive = {
  readonly kind: 'RetinaArchive'
  readonly createdAtMs: number // of the resource: the same in the names of all nodes
  readonly place?: HostPlace // missing: beside the capture's files
  readonly fileCount?: number // files are rotated, and numbered in the archive
  readonly includeMetadata: boolean
  readonly display: readonly string[] // flags of tcpdump; none: no text beside the packets
}

/** What became of it. `error`: why there is none, or not all of it. Paths are absolute, on the node. */
export type ArtifactResult = {
  readonly atMs: number
  readonly files: readonly { readonly path: string; readonly bytes: number }[]
  readonly error?: string
  readonly note?: string // what else is to be said
  readonly isKept?: boolean // the files are the user's, also when the capture is gone
  readonly isRemoved?: boolean // gone from the node, since all of it is stored elsewhere
  readonly attempts?: number // made so far; missing: there is no other
}

export const attemptsMax = 6 // the first, and five more
const retryDelayMs = { first: 1_000, most: 60_000 } as const

/** When one that failed is tried again; undefined: it is not. */
export function retryAtMs({ atMs, error, attempts = attemptsMax }: ArtifactResult): number | undefined {
  return error === undefined || attempts >= attemptsMax ? undefined : atMs + doubledMs(attempts, retryDelayMs)
}
