// How one capture stands on all nodes. Pure. In: the resource, what its spec means, every node's row, the time.
// Out: its status, when to look again by itself, and when its ttl ends.
// A node that has fallen silent keeps its last figures and is told of. What no node can say (it is rejected, it waits for its
// window, nobody matches) is said here.

import { expiresAt } from '../../core/schedule/expiry.ts'
import { phaseAt } from '../../core/schedule/phase.ts'
import { timeOf } from '../../core/status/endpointStatus.ts'
import { foldStatus } from '../../core/status/fold.ts'
import { boundedStatus } from '../../core/status/truncate.ts'
import type { Intent, Rejection } from '../../model/capture.ts'
import type { CaptureStatusElement, PacketCaptureStatus } from '../../model/status.ts'
import { pluralize } from '../../model/text.ts'
import { never } from '../../model/time.ts'
import { firstReportMs, type NodeObservation, type UploadResults } from '../reconciliation.ts'

export type PacketCaptureInput = {
  readonly read: Intent | Rejection
  readonly rows: readonly NodeObservation[] // of this capture's uid
  readonly nodes: number // that report at all
  readonly previous: PacketCaptureStatus | undefined
  readonly uploads?: UploadResults | undefined
  readonly nowMs: number
}

export type PacketCaptureReconciliation = { readonly status: PacketCaptureStatus; readonly wakeAtMs: number; readonly expiresAtMs: number }

export function reconcilePacketCapture({ read, rows, nodes, previous, uploads, nowMs }: PacketCaptureInput): PacketCaptureReconciliation {
  const elements = rows.map(elementOf).map(element => withFailure(element, uploads?.failures.get(element.node)))
  const timed = read.ok ? phaseAt(read, undefined, nowMs) : undefined
  const isShown = elements.some(({ isListed }) => isListed)
  const answeredAtMs = read.ok ? read.createdAtMs + firstReportMs : -never
  const status = foldStatus({
    elements: isShown ? elements : [unseen(read, elements, nodes, nowMs)],
    isAwaited: timed?.phase.kind === 'Open' && rows.length < nodes && nowMs < answeredAtMs,
    generation: Math.min(read.generation, ...rows.map(({ row }) => row.observedGeneration)),
    nowMs,
    ...(previous && { previous }),
    ...(uploads && { uploads: uploads.done }),
  })
  const isFinished = status.state === 'Finished' && rows.every(({ row }) => row.observedGeneration === read.generation)
  const expiresAtMs = read.ok && timed && isFinished ? expiresAt(read, timed.phase, endsOf(status)) : never
  const wakes = [timed?.wakeAtMs ?? never, expiresAtMs, answeredAtMs]
  return { status: boundedStatus(status), expiresAtMs, wakeAtMs: Math.min(...wakes.filter(atMs => atMs > nowMs)) }
}

function elementOf({ row, silentSinceMs }: NodeObservation): CaptureStatusElement {
  const { file, isListed, isRejected, problems } = row
  const element = { ...file, isListed, isRejected, isHostNetworked: !isListed, problems }
  if (silentSinceMs === undefined) return element
  const message = `Unknown: no report since ${timeOf(silentSinceMs)}, these are its last figures`
  return {
    ...element,
    message: [message, file.message].filter(text => text).join('; '),
    problems: [...problems, { reason: 'NodeSilent', message }],
  }
}

function withFailure(element: CaptureStatusElement, message: string | undefined): CaptureStatusElement {
  return message === undefined ? element : { ...element, problems: [...element.problems, { reason: 'UploadFailed', message }] }
}

/** Stands for all nodes where none has an endpoint of the capture. */
function unseen(read: Intent | Rejection, elements: readonly CaptureStatusElement[], nodes: number, nowMs: number): CaptureStatusElement {
  const none = { node: '', directory: '', fileNames: [], packets: 0, bytes: 0, dropped: 0, endpoints: [], problems: [] }
  const hostNetworked = elements.find(({ isHostNetworked }) => isHostNetworked)
  const common = { ...none, isListed: false, isHostNetworked: hostNetworked !== undefined }
  if (!read.ok) return { ...common, state: 'Error', message: read.message, isRejected: true }
  const { phase } = phaseAt(read, undefined, nowMs)
  const nobody = hostNetworked?.message ?? unseenStatusOf(read, nodes, nowMs)
  if (phase.kind === 'Scheduled')
    return { ...common, state: 'Scheduled', message: `The window opens at ${timeOf(phase.opensAtMs)}; ${nobody}`, isRejected: false }
  if (phase.kind === 'Finished') return { ...common, state: 'Finished', message: `${phase.message}; ${nobody}`, isRejected: false }
  const isUnanswered = nodes > 0 && !hostNetworked && isNew(read.createdAtMs, nowMs)
  return { ...common, state: 'WaitingForTraffic', message: nobody, isRejected: false, isUnanswered }
}

function isNew(createdAtMs: number, nowMs: number): boolean {
  return nowMs < createdAtMs + firstReportMs
}

function unseenStatusOf({ capture, createdAtMs }: Intent, nodes: number, nowMs: number): string {
  if (nodes === 0) return 'No node has reported yet'
  if (isNew(createdAtMs, nowMs)) return 'No node has answered yet'
  return `No pod in namespace "${capture.namespace}" matches the selector on any of ${pluralize(nodes, 'node')}`
}

/** Endpoints that never started do not count; one with a start and no end keeps the capture from expiring. */
function endsOf({ files }: PacketCaptureStatus): number[] {
  const rows = files.flatMap(({ endpoints }) => endpoints)
  return rows.flatMap(({ startedAt, endedAt }) => (endedAt !== undefined ? Date.parse(endedAt) : startedAt === undefined ? [] : never))
}
