// The status of a PacketCaptureConfig. Pure. In: its intent, each node's report, the previous
// status, the time. Out: phase, message, each node's file by the node's address, and when the
// status changes by itself. A final phase stays, also when files are deleted later. A node without
// a report is waited for while it can still begin.

import {
  agentlessMessage,
  agentlessReason,
  agentlessSummary,
  boundedNodes,
} from '../../core/status/agentless.ts'
import { firstReportMs } from '../../core/status/fold.ts'
import type { Intent, Rejection } from '../../model/capture.ts'
import type { AgentlessNode, ArtifactStatus, FileStatus, RetryState } from '../../model/status.ts'
import { pluralize } from '../../model/text.ts'
import { isoTime, never } from '../../model/time.ts'

export type ConfigPhase = 'Starting' | 'Running' | 'Completed' | 'Failed'
type NodeState = Lowercase<ConfigPhase>

/** `attempts`: failed attempts; missing: none. */
export type NodeFile = {
  readonly status: NodeState
  readonly output_file: string
  readonly file_size: number
  readonly attempts?: number
}

export type PacketCaptureConfigStatus = {
  readonly observedGeneration: number
  readonly phase: ConfigPhase
  readonly message: string
  readonly captureFiles: Readonly<Record<string, NodeFile>>
  readonly withoutAgent?: readonly AgentlessNode[] // missing: none
}

/** One node's report. `silentSinceMs`: when its agent stopped reporting. */
export type ConfigRow = {
  readonly file: Pick<FileStatus, 'node' | 'state' | 'message' | 'endpoints'>
  readonly artifact?: ArtifactStatus
  readonly failing?: RetryState
  readonly isListed: boolean
  readonly isRejected: boolean
  readonly silentSinceMs?: number
}

export type ConfigInput = {
  readonly read: Intent | Rejection
  readonly rows: readonly ConfigRow[]
  readonly addresses: ReadonlyMap<string, string> // by node, of all nodes that report
  readonly agentless?: readonly AgentlessNode[] // with matching pods
  readonly previous: Partial<PacketCaptureConfigStatus> | undefined // as written, possibly by another program
  readonly nowMs: number
}

type StatusText = {
  readonly node: string
  readonly state: NodeState
  readonly file: NodeFile
  readonly message?: string
}

export const stdoutMessage = 'Packet capture logs are in stdout format'
export const deleted =
  'The file was deleted: the node keeps its newest ones only (MAX_CAPTURE_FILES)'
const lateMs = 30_000 // a node reports the end of its capture within this time

export function packetCaptureConfigStatus({
  read,
  rows,
  addresses,
  agentless = [],
  previous,
  nowMs,
}: ConfigInput): {
  readonly status: PacketCaptureConfigStatus
  readonly wakeAtMs: number
} {
  const nodes = read.ok ? nodesOf(read, { rows, addresses, agentless, nowMs }) : []
  const { phase, message } = endOf(previous, read) ?? phaseOf(read, nodes, { agentless, nowMs })
  const files = Object.fromEntries(
    nodes.map(({ node, file }) => [keyOf(node, nodes, addresses), file]),
  )
  const wakes = read.ok ? [read.createdAtMs + firstReportMs, deadlineMs(read)] : []
  return {
    status: {
      observedGeneration: read.generation,
      phase,
      message,
      captureFiles: files,
      ...(agentless.length > 0 && { withoutAgent: boundedNodes(agentless) }),
    },
    wakeAtMs: Math.min(never, ...wakes.filter(atMs => atMs > nowMs)),
  }
}

/** undefined: the capture is not over, or was edited since. */
function endOf(
  { observedGeneration, phase, message = '' }: NonNullable<ConfigInput['previous']> = {},
  { generation }: ConfigInput['read'],
) {
  return observedGeneration === generation && (phase === 'Completed' || phase === 'Failed')
    ? { phase, message }
    : undefined
}

function phaseOf(
  read: Intent | Rejection,
  nodes: readonly StatusText[],
  { agentless, nowMs }: Pick<Required<ConfigInput>, 'agentless' | 'nowMs'>,
): Pick<PacketCaptureConfigStatus, 'phase' | 'message'> {
  if (!read.ok) return { phase: 'Failed', message: read.message }
  if (nodes.length === agentless.length) return noNode(read, agentless, nowMs)
  const failed = nodes.filter(({ state }) => state === 'failed')
  const completed = nodes.filter(({ state }) => state === 'completed')
  const notes = nodes.flatMap(({ node, state, message }) =>
    message && state !== 'failed' ? [`${node}: ${message}`] : [],
  )
  const isAll =
    failed.length + completed.length === nodes.length &&
    nowMs >= Math.min(read.createdAtMs + firstReportMs, deadlineMs(read))
  if (isAll && failed.length === 0)
    return {
      phase: 'Completed',
      message: ['Packet capture completed on all nodes', ...notes].join('; '),
    }
  if (isAll) return { phase: 'Failed', message: failureOf(failed, completed.length) }
  const isRunning = nodes.some(({ state }) => state === 'running' || state === 'completed')
  const running = nodes.filter(({ state }) => state === 'running').length
  const progress = isRunning
    ? `Packet capture running on ${running} of ${pluralize(nodes.length, 'node')}`
    : `Packet capture starting on ${pluralize(nodes.length, 'node')}`
  const wrong = failed.length > 0 ? [failureOf(failed, 0)] : []
  return {
    phase: isRunning ? 'Running' : 'Starting',
    message: [progress, ...wrong, ...notes, ...read.notes].join('; '),
  }
}

function failureOf(failed: readonly StatusText[], completed: number): string {
  const reasons = failed
    .map(({ node, message = 'no reason was given' }) => `${node}: ${message}`)
    .join('; ')
  return `Packet capture failed on ${reasons}${completed > 0 ? `; completed on ${pluralize(completed, 'node')}` : ''}`
}

function noNode(
  read: Intent,
  agentless: readonly AgentlessNode[],
  nowMs: number,
): Pick<PacketCaptureConfigStatus, 'phase' | 'message'> {
  const isLate = nowMs >= deadlineMs(read)
  const when = isLate ? 'in time' : 'yet'
  const none =
    read.scope.kind === 'Host'
      ? `No node has reported ${when}`
      : `None of the pods is on a node ${when}`
  const isAnswered = nowMs >= read.createdAtMs + firstReportMs
  const uncaptured = isAnswered ? agentlessReason(agentless) : agentlessSummary(agentless)
  const missing = agentless.length > 0 ? uncaptured : none
  return isLate
    ? { phase: 'Failed', message: `Packet capture failed: ${missing}` }
    : { phase: 'Starting', message: missing }
}

/** The nodes that take part; in a capture of the host, all nodes that report. */
function nodesOf(
  read: Intent,
  { rows, addresses, agentless, nowMs }: Omit<Required<ConfigInput>, 'read' | 'previous'>,
): StatusText[] {
  const reported = rows.map(row => textOf(row, read))
  const known = new Set(reported.map(({ node }) => node))
  const silent =
    read.scope.kind === 'Host' ? [...addresses.keys()].filter(node => !known.has(node)) : []
  const isLate = nowMs >= deadlineMs(read)
  const missing = silent.map((node): StatusText => {
    const state = isLate ? 'failed' : 'starting'
    return {
      node,
      state,
      file: noFile(read, state),
      ...(isLate && { message: 'it did not take part' }),
    }
  })
  const uncaptured = agentless.map((each): StatusText => {
    const state = isLate ? 'failed' : 'starting' // its pods may still come to a node with an agent
    return { node: each.node, state, file: noFile(read, state), message: agentlessMessage(each) }
  })
  return [...reported, ...missing, ...uncaptured].toSorted((a, b) => (a.node < b.node ? -1 : 1))
}

function textOf(row: ConfigRow, read: Intent): StatusText {
  const { file, artifact, failing, silentSinceMs } = row
  const attempts = artifact
    ? (artifact.attempts ?? 0) - (artifact.error === undefined ? 1 : 0)
    : (failing?.tries ?? 0)
  const state = stateOf(row)
  const isMade = state === 'completed' && artifact !== undefined
  const message = messageOf(row, state, silentSinceMs)
  return {
    node: file.node,
    state,
    file: {
      ...(isMade ? fileOf(read, artifact) : noFile(read, state)),
      ...(attempts > 0 && { attempts }),
    },
    ...(message !== undefined && { message }),
  }
}

function stateOf({
  file,
  artifact,
  failing,
  isListed,
  isRejected,
  silentSinceMs,
}: ConfigRow): NodeState {
  if (artifact && artifact.error === undefined) return 'completed'
  if (isRejected || !isListed || silentSinceMs !== undefined) return 'failed'
  if (artifact) return artifact.retried === true ? 'running' : 'failed'
  if (file.endpoints.some(({ startedAt }) => startedAt !== undefined)) return 'running'
  if (file.state === 'Finished') return 'failed'
  return failing?.isGivenUp === true ? 'failed' : 'starting'
}

function messageOf(
  { file, artifact, failing }: ConfigRow,
  state: NodeState,
  silentSinceMs: number | undefined,
): string | undefined {
  if (artifact?.error !== undefined)
    return artifact.retried === true
      ? `attempt ${artifact.attempts} failed and is made again: ${artifact.error}`
      : artifact.error
  if (state === 'completed') return artifact?.note
  if (silentSinceMs !== undefined) return `no report since ${isoTime(silentSinceMs)}`
  if (state === 'failed' && file.state === 'Finished')
    return `nothing could be captured: ${file.message ?? 'no reason was given'}`
  if (failing !== undefined && state !== 'running') return failing.message
  return state === 'failed' ? file.message : undefined
}

function fileOf(read: Intent, { files: [file] }: ArtifactStatus): NodeFile {
  if (isPrinted(read)) return noFile(read, 'completed')
  return { status: 'completed', output_file: file?.path ?? deleted, file_size: file?.bytes ?? 0 }
}

function noFile(read: Intent, status: NodeState): NodeFile {
  return { status, output_file: isPrinted(read) ? stdoutMessage : '', file_size: 0 }
}

function isPrinted({ artifact }: Intent): boolean {
  return artifact?.kind === 'SingleFile' && artifact.form === 'stdout'
}

/** A node's address; if two nodes report the same address, the second one's name. */
function keyOf(
  node: string,
  nodes: readonly StatusText[],
  addresses: ConfigInput['addresses'],
): string {
  const address = addresses.get(node)
  const first = nodes.find(other => addresses.get(other.node) === address)
  return address === undefined || first?.node !== node ? node : address
}

function deadlineMs({ window }: Intent): number {
  return (window.endMs ?? never) + lateMs
}
