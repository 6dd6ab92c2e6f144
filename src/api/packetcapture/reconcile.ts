// Reconciles one PacketCapture: folds all nodes' reports into its status. Pure. In: the intent,
// each node's observation, the time. Out: the status, when it changes by itself, and when its ttl
// ends. A silent node keeps its last counts and gets a problem. When no node has an endpoint of the
// capture, the status explains why: it is rejected, waits for its window, or matches nothing.

import { expiresAt } from '../../core/schedule/expiry.ts'
import { phaseAt } from '../../core/schedule/phase.ts'
import { agentlessReason, agentlessSummary } from '../../core/status/agentless.ts'
import { firstReportMs, foldStatus } from '../../core/status/fold.ts'
import { boundedStatus } from '../../core/status/truncate.ts'
import type { Intent, Rejection } from '../../model/capture.ts'
import type {
  AgentlessNode,
  CaptureStatusElement,
  PacketCaptureStatus,
  Problem,
} from '../../model/status.ts'
import { pluralize } from '../../model/text.ts'
import { isoTime, never } from '../../model/time.ts'
import type { NodeObservation, UploadResults } from '../reconcilerTypes.ts'

export type PacketCaptureInput = {
  readonly read: Intent | Rejection
  readonly rows: readonly NodeObservation[] // of this capture's uid
  readonly nodes: number // number of nodes that report
  readonly previous: PacketCaptureStatus | undefined
  readonly uploads?: UploadResults | undefined
  readonly agentless?: readonly AgentlessNode[]
  readonly nowMs: number
}

export type PacketCaptureReconciliation = {
  readonly status: PacketCaptureStatus
  readonly wakeAtMs: number
  readonly expiresAtMs: number
}

export function reconcilePacketCapture({
  read,
  rows,
  nodes,
  previous,
  uploads,
  agentless = [],
  nowMs,
}: PacketCaptureInput): PacketCaptureReconciliation {
  const elements = rows
    .map(elementOf)
    .map(element => withFailure(element, uploads?.failures.get(element.node)))
  const scheduled = read.ok ? phaseAt(read, undefined, nowMs) : undefined
  const isShown = elements.some(({ isListed }) => isListed)
  const answeredAtMs = read.ok ? read.createdAtMs + firstReportMs : -never
  const status = foldStatus({
    elements: isShown ? elements : [elementOfNoNode(read, elements, { nodes, agentless, nowMs })],
    isAwaited: scheduled?.phase.kind === 'Open' && rows.length < nodes && nowMs < answeredAtMs,
    agentless,
    generation: Math.min(read.generation, ...rows.map(({ row }) => row.observedGeneration)),
    nowMs,
    ...(previous && { previous }),
    ...(uploads && { uploads: uploads.done }),
  })
  const isFinished =
    status.state === 'Finished' &&
    rows.every(({ row }) => row.observedGeneration === read.generation)
  const expiresAtMs =
    read.ok && scheduled && isFinished ? expiresAt(read, scheduled.phase, endsOf(status)) : never
  const wakes = [scheduled?.wakeAtMs ?? never, expiresAtMs, answeredAtMs]
  return {
    status: boundedStatus(status),
    expiresAtMs,
    wakeAtMs: Math.min(...wakes.filter(atMs => atMs > nowMs)),
  }
}

function elementOf({ row, silentSinceMs, takenPort }: NodeObservation): CaptureStatusElement {
  const { file, isListed, isRejected } = row
  const problems = [...row.problems, ...(takenPort === undefined ? [] : [portProblem(takenPort)])]
  const element = { ...file, isListed, isRejected, isUncapturable: !isListed, problems }
  if (silentSinceMs === undefined) return element
  const message = `Unknown: no report since ${isoTime(silentSinceMs)}, these are its last figures`
  return {
    ...element,
    message: [message, file.message].filter(text => text).join('; '),
    problems: [...problems, { reason: 'NodeSilent', message }],
  }
}

function portProblem(port: number): Problem {
  const message = `the agent captures, and cannot listen on port ${port}: files and streams cannot be had from this node until the port is free`
  return { reason: 'PortTaken', message }
}

function withFailure(
  element: CaptureStatusElement,
  message: string | undefined,
): CaptureStatusElement {
  return message === undefined
    ? element
    : { ...element, problems: [...element.problems, { reason: 'UploadFailed', message }] }
}

/** One element in place of all nodes, when no node has an endpoint of the capture. */
function elementOfNoNode(
  read: Intent | Rejection,
  elements: readonly CaptureStatusElement[],
  { nodes, agentless, nowMs }: Pick<Required<PacketCaptureInput>, 'nodes' | 'agentless' | 'nowMs'>,
): CaptureStatusElement {
  const none = {
    node: '',
    directory: '',
    fileNames: [],
    packets: 0,
    bytes: 0,
    dropped: 0,
    endpoints: [],
    problems: [],
  }
  const uncapturable = elements.find(({ isUncapturable }) => isUncapturable)
  const common = { ...none, isListed: false, isUncapturable: uncapturable !== undefined }
  if (!read.ok) return { ...common, state: 'Error', message: read.message, isRejected: true }
  const { phase } = phaseAt(read, undefined, nowMs)
  const isAwaited = nodes > 0 && isNew(read.createdAtMs, nowMs)
  const uncaptured = isAwaited ? agentlessSummary(agentless) : agentlessReason(agentless)
  const reason =
    agentless.length > 0
      ? uncaptured
      : (uncapturable?.message ?? noMatchMessage(read, nodes, nowMs))
  if (phase.kind === 'Scheduled')
    return {
      ...common,
      state: 'Scheduled',
      message: `The window opens at ${isoTime(phase.opensAtMs)}; ${reason}`,
      isRejected: false,
    }
  if (phase.kind === 'Finished')
    return {
      ...common,
      state: 'Finished',
      message: `${phase.message}; ${reason}`,
      isRejected: false,
    }
  const isUnanswered = isAwaited && !uncapturable && agentless.length === 0
  return { ...common, state: 'WaitingForTraffic', message: reason, isRejected: false, isUnanswered }
}

function isNew(createdAtMs: number, nowMs: number): boolean {
  return nowMs < createdAtMs + firstReportMs
}

function noMatchMessage({ capture, createdAtMs }: Intent, nodes: number, nowMs: number): string {
  if (nodes === 0) return 'No node has reported yet'
  if (isNew(createdAtMs, nowMs)) return 'No node has answered yet'
  return `No pod in namespace "${capture.namespace}" matches the selector on any of ${pluralize(nodes, 'node')}`
}

/**
 * Endpoints that never started do not count; one with a start and no end that can be read keeps the
 * capture from expiring.
 */
function endsOf({ files }: PacketCaptureStatus): number[] {
  const rows = files.flatMap(({ endpoints }) => endpoints)
  return rows.flatMap(({ startedAt, endedAt }) => {
    if (endedAt === undefined) return startedAt === undefined ? [] : never
    const endMs = Date.parse(endedAt)
    return Number.isNaN(endMs) ? never : endMs
  })
}
