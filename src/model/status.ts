// The status of a PacketCapture as its schema describes it, and what a node reports towards it.
// Times are RFC 3339 with milliseconds, in UTC. Made by src/core/status; published by src/publish;
// printed by src/api/packetcapture/printerColumns.ts.
import type { Vantage } from './capture.ts'
import type { DegradedReason, ProblemReason, ReadyReason } from './codes.ts'

export type CaptureStateName =
  | 'Scheduled'
  | 'WaitingForTraffic'
  | 'Capturing'
  | 'Finished'
  | 'Error'

export type GapStatus = { readonly from: string; readonly to?: string; readonly reason: string }

export type Counts = { readonly packets: number; readonly bytes: number; readonly dropped: number }

export type EndpointStatus = Counts & {
  readonly pod: string
  readonly uid: string
  readonly interface?: string // missing until it is known
  readonly vantage?: Vantage
  readonly state: CaptureStateName
  readonly lost?: number // of the packets: in files that others took away; missing: none
  readonly startedAt?: string
  readonly endedAt?: string
  readonly gaps: readonly GapStatus[]
  readonly message?: string
}

/** The upload of one file. */
export type UploadStatus = {
  readonly file: string
  readonly output: string // the field of spec.output
  readonly bytes?: number
  readonly sha256?: string
  readonly uploaded?: string // its URL
  readonly error?: string // why it is not uploaded
  readonly at: string
}

/** One element of status.files. */
export type FileStatus = Counts & {
  readonly node: string
  readonly directory: string
  readonly fileNames: readonly string[]
  readonly stateId?: string // names the state file that counts are of; missing: an earlier version made it
  readonly state: CaptureStateName
  readonly message?: string
  readonly uploads?: readonly UploadStatus[]
  readonly endpoints: readonly EndpointStatus[]
}

/** The artifact that was made of the files when the capture was over on the node. */
export type ArtifactStatus = {
  readonly files: readonly { readonly path: string; readonly bytes: number }[]
  readonly error?: string
  readonly note?: string
  readonly attempts?: number
  readonly retried?: boolean // it failed, and a retry is due
  readonly removed?: boolean // from the node, after all files were uploaded
}

/**
 * `wording`: the message without its counts, if it has any; only in the process that wrote it,
 * never published.
 */
export type Problem = {
  readonly reason: ProblemReason
  readonly message: string
  readonly wording?: string
}

/** A capture with a limit of tries has no open tap yet. `isGivenUp`: the limit is reached. */
export type RetryState = {
  readonly tries: number
  readonly isGivenUp: boolean
  readonly message: string
}

/**
 * What a node reports of one capture: its element of status.files, and what the fold needs beside
 * it.
 */
export type CaptureStatusElement = FileStatus & {
  readonly isListed: boolean // false: no endpoint here matches or ever did, so status.files has no element for the node
  readonly isRejected: boolean // the same on every node
  readonly isStopped?: boolean // it captured until its process stopped, and this is its last status
  readonly isUncapturable: boolean // pods match here, and none has an interface to capture: host-networked ones only, or none that is wanted
  readonly isUnanswered?: boolean // so new that a node with matching pods may not have reported yet
  readonly problems: readonly Problem[]
  readonly wording?: string // of the message, as in Problem
  readonly artifact?: ArtifactStatus // of kinds that have one
  readonly failing?: RetryState
}

export type Condition = {
  readonly type: 'Ready' | 'Degraded' | 'Stalled' | 'Capturing'
  readonly status: 'True' | 'False' | 'Unknown'
  readonly reason: ReadyReason | DegradedReason
  readonly message: string
  readonly lastTransitionTime: string
  readonly observedGeneration: number
}

/** A node without an agent, and the matching pods there, which nobody can capture. */
export type AgentlessNode = {
  readonly node: string
  readonly kind: 'Linux' | 'Windows' | 'Fargate' | 'Virtual'
  readonly pods: readonly string[]
  readonly more?: number // pods that are not named; missing: none
}

/** Counts of a state file that no node reports any more: its disk was replaced, or its node is gone. */
export type EarlierCounts = Counts & { readonly node: string; readonly stateId: string }

export type PacketCaptureStatus = Counts & {
  readonly observedGeneration: number
  readonly state: CaptureStateName
  readonly nodes: number
  readonly endpoints: number
  readonly conditions: readonly Condition[]
  readonly files: readonly FileStatus[]
  readonly earlier?: readonly EarlierCounts[] // part of the totals; missing: none
  readonly withoutAgent?: readonly AgentlessNode[] // missing: none
}
