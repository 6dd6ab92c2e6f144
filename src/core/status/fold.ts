// Folds the nodes' elements into the resource's status. In: elements, the generation they speak of, the status of before, the time.
// Out: status as the schema describes it. A node whose report is gone leaves status.files; totals never go backwards all the same.

import type {
  CaptureStateName,
  CaptureStatusElement,
  EndpointStatus,
  FileStatus,
  PacketCaptureStatus,
  UploadStatus,
} from '../../model/status.ts'
import { compareText } from '../../model/text.ts'
import { conditionsOf, truncateMessage } from './conditions.ts'
import { addCounts, noLess } from './counters.ts'
import { withUploads } from './uploads.ts'

export type { PacketCaptureStatus } from '../../model/status.ts'

export type FoldInput = {
  readonly elements: readonly CaptureStatusElement[]
  readonly generation: number
  readonly isAwaited?: boolean // other nodes may still begin: it is not over
  readonly previous?: PacketCaptureStatus
  readonly uploads?: ReadonlyMap<string, readonly UploadStatus[]> // by node; what became of files since
  readonly nowMs: number
}

export function foldStatus({ elements, generation, isAwaited = false, previous, uploads, nowMs }: FoldInput): PacketCaptureStatus {
  const sorted = elements.toSorted((a, b) => compareText(a.node, b.node))
  const listed = onceRejected(sorted.filter(({ isListed }) => isListed))
  const speaking = listed.length > 0 ? listed : sorted
  const folded = aggregate(speaking.map(element => element.state))
  const isHeld = isAwaited && folded === 'Finished'
  const state = isHeld ? 'Capturing' : folded
  const message = speaking.length === 0 ? 'No node has reported yet' : messageOf(speaking)
  const before = new Map(previous?.files.map(file => [file.node, file]))
  const files = listed.map(element => {
    const earlier = before.get(element.node)
    return { ...fileStatus(element, earlier), ...withUploads(earlier?.uploads ?? [], uploads?.get(element.node) ?? []) }
  })
  return {
    observedGeneration: generation,
    state,
    nodes: files.length,
    endpoints: files.reduce((count, { endpoints }) => count + endpoints.length, 0),
    ...noLess(addCounts(files), previous),
    conditions: conditionsOf({
      state,
      elements: speaking,
      isAwaited: isHeld,
      message,
      generation,
      previous: previous?.conditions ?? [],
      nowMs,
    }),
    files,
  }
}

/** Any that captures, else any that waits, else any to come; a failure counts when no node is left that could capture. */
export function aggregate(states: readonly CaptureStateName[]): CaptureStateName {
  const order = ['Capturing', 'WaitingForTraffic', 'Scheduled', 'Error', 'Finished'] as const
  return order.find(state => states.includes(state)) ?? 'WaitingForTraffic'
}

// A rejection reads the same on every node: the first node tells it for all.
function onceRejected(elements: readonly CaptureStatusElement[]): CaptureStatusElement[] {
  const told = new Set<string | undefined>()
  return elements.filter(({ message, isRejected, endpoints }) => {
    const isAgain = isRejected && endpoints.length === 0 && told.has(message)
    if (isRejected) told.add(message)
    return !isAgain
  })
}

function messageOf(elements: readonly CaptureStatusElement[]): string {
  const told = elements.filter(({ message }) => message !== undefined)
  if (elements.length === 1) return told[0]?.message ?? ''
  return truncateMessage([...Map.groupBy(told, ({ message }) => message)].map(([message, all]) => `${nodesOf(all)}: ${message}`))
}

function nodesOf(elements: readonly CaptureStatusElement[]): string {
  return elements.length > 3 ? `${elements[0]?.node} and ${elements.length - 1} other nodes` : elements.map(({ node }) => node).join(', ')
}

function fileStatus(
  {
    isListed: _,
    isRejected: __,
    isHostNetworked: ___,
    isUnanswered: ____,
    problems: _____,
    artifact: ______,
    ...element
  }: CaptureStatusElement,
  before: FileStatus | undefined,
): FileStatus {
  const rows = new Map(before?.endpoints.map(row => [row.pod, row]))
  const endpoints = element.endpoints.map((row): EndpointStatus => ({ ...row, ...noLess(row, rows.get(row.pod)) }))
  return { ...element, ...noLess(noLess(addCounts(endpoints), element), before), endpoints }
}
