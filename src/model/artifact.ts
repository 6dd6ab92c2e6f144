// An artifact: what a node makes of a capture's files once the capture is over there, one archive
// or one merged file. Plain data: the artifact that a spec asks for, and the result. src/api reads
// the spec, src/artifacts makes it, src/core reports the result.

/** The artifact that a capture asks for. Each kind has one maker in src/artifacts. */
export type Artifact = SingleFile | RetinaArchive

/**
 * All packets of the capture on the node in the order of time: {directory}/{name}-{start}.pcap or
 * .txt; stdout: in the log.
 */
export type SingleFile = {
  readonly kind: 'SingleFile'
  readonly form: 'pcap' | 'text' | 'stdout'
  readonly directory: string
  readonly bytesMax: number
}

/**
 * A directory on the node. The administrator chose `base`, which may be a symbolic link; no name of
 * `below` may be one.
 */
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

/** `error`: why there is no artifact, or only a part. Paths are absolute, on the node. */
export type ArtifactResult = {
  readonly atMs: number
  readonly files: readonly { readonly path: string; readonly bytes: number }[]
  readonly error?: string
  readonly note?: string // for the message, beside an error or without one
  readonly isKept?: boolean // the files stay after the capture is deleted
  readonly isRemoved?: boolean // removed from the node after all files were uploaded
  readonly attempts?: number // so far; missing: there is no retry
}
