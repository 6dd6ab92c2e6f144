// The status of Retina's Capture, in Retina's words; where Retina counts its Jobs, nodes are
// counted. Pure. In: each node's report, whether the spec was readable, the previous status, the
// time. Out: the status as its schema describes it. A node is active until its archive is made,
// failed without one, and succeeded otherwise. Only times depend on the previous status: when a
// condition last changed, and when the capture first was complete.
import { agentlessReason, agentlessSummary, boundedNodes } from '../../core/status/agentless.ts'
import { filesWithin } from '../../core/status/truncate.ts'
import { isStored, withUploads } from '../../core/status/uploads.ts'
import type { RetinaReason } from '../../model/codes.ts'
import type {
  AgentlessNode,
  ArtifactStatus,
  FileStatus,
  Problem,
  UploadStatus,
} from '../../model/status.ts'
import { truncateText } from '../../model/text.ts'
import { isoTime } from '../../model/time.ts'
import type { Exceeded } from '../reconcilerTypes.ts'

export type RetinaNode = {
  readonly file: FileStatus
  readonly problems: readonly Problem[]
  readonly artifact?: ArtifactStatus
  readonly isSilent: boolean
  readonly uploads?: readonly UploadStatus[] // since this controller leads
  readonly uploadFailure?: string | undefined
}

export type RetinaCondition = {
  readonly type: 'complete' | 'error'
  readonly status: 'True' | 'False'
  readonly reason: RetinaReason
  readonly message: string
  readonly lastTransitionTime: string
  readonly observedGeneration: number
}

export type RetinaStatus = {
  readonly conditions: readonly RetinaCondition[]
  readonly startTime: string
  readonly completionTime?: string // set at the first success and never changed
  readonly active?: number
  readonly succeeded?: number
  readonly failed?: number
  readonly files: readonly RetinaFile[]
  readonly withoutAgent?: readonly AgentlessNode[] // missing: none
}

type RetinaFile = FileStatus & { readonly artifact?: ArtifactStatus }

export type RetinaInput = {
  readonly createdAtMs: number
  readonly generation: number
  readonly refusal: string | undefined // why the capture is refused
  readonly exceeded?: Exceeded | undefined
  readonly nodes: readonly RetinaNode[] // that have, or had, endpoints of the capture
  readonly missing: string | undefined // why no target was found, once the nodes had time to report
  readonly agentless?: readonly AgentlessNode[] // with matching pods
  readonly isAwaited?: boolean // other nodes may still report that they take part
  readonly notes: readonly string[]
  readonly outputs?: readonly string[] // fields of the outputs to which archives are uploaded
  readonly missingSecrets?: readonly string[] // Secrets that uploads refer to and that do not exist
  readonly namespace?: string // of these Secrets
  readonly previous: Partial<RetinaStatus> | undefined
  readonly nowMs: number
}

type NodeCount = { readonly active: number; readonly succeeded: number; readonly failed: number }
type StatusMessage = Pick<RetinaCondition, 'type' | 'status' | 'reason' | 'message'>

export function retinaStatus(given: RetinaInput): RetinaStatus {
  const { createdAtMs, previous, nowMs, outputs = [], agentless = [] } = given
  const before = new Map(previous?.files?.map(file => [file.node, file.uploads]))
  const nodes = given.nodes.map(node => {
    const { uploads } = withUploads(before.get(node.file.node) ?? [], node.uploads ?? [])
    return uploads ? { ...node, file: { ...node.file, uploads } } : node
  })
  const input = { ...given, nodes }
  const count = countOf(nodes, outputs)
  const conditions = conditionsOf(input, count).map(condition => dated(condition, input))
  const isComplete = conditions.some(({ type, status }) => type === 'complete' && status === 'True')
  const completionTime = previous?.completionTime ?? (isComplete ? endOf(nodes, nowMs) : undefined)
  const status: RetinaStatus = {
    conditions,
    startTime: previous?.startTime ?? isoTime(createdAtMs),
    ...(completionTime !== undefined && { completionTime }),
    ...(count.active > 0 && { active: count.active }),
    ...(count.succeeded > 0 && { succeeded: count.succeeded }),
    ...(count.failed > 0 && { failed: count.failed }),
    files: nodes.map(({ file, artifact }) => (artifact ? { ...file, artifact } : file)),
    ...(agentless.length > 0 && { withoutAgent: boundedNodes(agentless) }),
  }
  return { ...status, files: filesWithin(status.files, files => ({ ...status, files })) }
}

function conditionsOf(
  input: RetinaInput,
  { active, succeeded, failed }: NodeCount,
): StatusMessage[] {
  const { refusal, exceeded, nodes, missing, notes, agentless = [], isAwaited = false } = input
  if (refusal !== undefined) return [failure('OtherError', refusal)]
  const excess =
    exceeded && `the number of capture jobs ${exceeded.count} exceeds the limit ${exceeded.limit}`
  if (excess && exceeded.leftOut.length === 0) return [failure('ExceedJobNumLimit', excess)]
  const total = nodes.length
  const missed = agentless.length > 0 ? [failure('NoAgent', agentlessSummary(agentless))] : []
  if (total === 0 && agentless.length > 0)
    return isAwaited ? missed : [failure('NoAgent', agentlessReason(agentless))]
  if (total === 0) return missing === undefined ? [] : [failure('OtherError', missing)]
  const left = excess ? [`${excess}: nothing is captured on ${exceeded.leftOut.join(', ')}`] : []
  const remarks = [...notes, ...left, ...nodes.flatMap(remarksOf)]
  const withRemarks = (message: string) =>
    truncateText([message, ...remarks].join('; '), messageMax)
  const errors = oneOf([
    ...(failed > 0
      ? [failure('RunJobFailed', withRemarks(`${failed} Capture jobs are in failed state`))]
      : []),
    ...uploadErrors(input),
    ...(failed === 0 && missing !== undefined ? [failure('OtherError', missing)] : []),
    ...missed,
  ])
  if (active > 0 || (isAwaited && failed === 0))
    return [
      {
        type: 'complete',
        status: 'False',
        reason: 'JobsInProgress',
        message: withRemarks(
          `${active}/${total} Capture jobs are in progress, waiting for completion`,
        ),
      },
      ...errors,
    ]
  const complete: StatusMessage = {
    type: 'complete',
    status: 'True',
    reason: 'JobsCompleted',
    message: withRemarks(`All ${total} Capture jobs are completed`),
  }
  const isComplete = succeeded === total && missing === undefined
  return isComplete ? [complete, ...missed] : errors
}

/** A status has one condition of a type: the gravest reason, with all messages. */
function oneOf(errors: readonly StatusMessage[]): StatusMessage[] {
  return errors
    .slice(0, 1)
    .map(({ reason }) => failure(reason, errors.map(({ message }) => message).join('; ')))
}

function failure(reason: RetinaReason, message: string): StatusMessage {
  return { type: 'error', status: 'True', reason, message: truncateText(message, messageMax) }
}

/** Remarks on a node beside its progress. */
function remarksOf({ file, problems, artifact, isSilent }: RetinaNode): string[] {
  const remarks = [
    ...(isSilent || stateOf(file, artifact) === 'failed' ? [file.message] : []),
    artifact?.error,
    artifact?.note,
    ...problems.map(({ reason, message }) => `${reason}: ${message}`),
  ]
  return [...new Set(remarks.filter(text => text !== undefined))].map(
    text => `${file.node}: ${text}`,
  )
}

// Retina uses this message for blobs and buckets alike.
function uploadErrors({
  nodes,
  missingSecrets = [],
  namespace = '',
}: RetinaInput): StatusMessage[] {
  const secrets = missingSecrets.map(
    name =>
      `secret of Capture is not found when blobupload is enabled, secretName: ${name}/${namespace}`,
  )
  const failures = new Set(nodes.flatMap(({ uploadFailure }) => uploadFailure ?? []))
  return [
    ...(secrets.length > 0 ? [failure('FindSecretFailed', secrets.join('; '))] : []),
    ...(failures.size > 0 ? [failure('UploadFailed', [...failures].join('; '))] : []),
  ]
}

function countOf(nodes: readonly RetinaNode[], outputs: readonly string[]): NodeCount {
  const states = nodes.map(({ file, artifact }) => stateOf(file, artifact, outputs))
  const of = (state: keyof NodeCount) => states.filter(each => each === state).length
  return { active: of('active'), succeeded: of('succeeded'), failed: of('failed') }
}

/**
 * A finished node that never had an open tap makes no archive and has failed. An archive counts
 * once it is stored in every output.
 */
export function stateOf(
  { state, endpoints, uploads }: FileStatus,
  artifact: ArtifactStatus | undefined,
  outputs: readonly string[] = [],
): keyof NodeCount {
  if (artifact?.retried) return 'active'
  if (artifact && artifact.files.length === 0) return 'failed'
  if (artifact) return isStored(artifact, outputs, uploads) ? 'succeeded' : 'active'
  if (state === 'Finished' && endpoints.every(({ startedAt }) => startedAt === undefined))
    return 'failed'
  return state === 'Error' ? 'failed' : 'active'
}

function dated(
  condition: StatusMessage,
  { previous, generation, nowMs }: RetinaInput,
): RetinaCondition {
  const before = previous?.conditions?.find(({ type }) => type === condition.type)
  const lastTransitionTime =
    before?.status === condition.status ? before.lastTransitionTime : isoTime(nowMs)
  return { ...condition, lastTransitionTime, observedGeneration: generation }
}

/** When the last endpoint ended. */
function endOf(nodes: readonly RetinaNode[], nowMs: number): string {
  const ends = nodes.flatMap(({ file }) =>
    file.endpoints.flatMap(({ endedAt }) => (endedAt === undefined ? [] : [endedAt])),
  )
  return ends.toSorted().at(-1) ?? isoTime(nowMs)
}

const messageMax = 32_768
