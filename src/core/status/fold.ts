// Folds the nodes' elements into the resource's status. Pure. In: elements, the generation they
// describe, the previous status, the time. Out: a status as the schema describes it. A node without
// a report leaves status.files, but the totals never decrease: counts belong to a state file, and
// those of one that is reported no more are kept beside.

import type {
  AgentlessNode,
  CaptureStateName,
  CaptureStatusElement,
  EndpointStatus,
  FileStatus,
  PacketCaptureStatus,
  UploadStatus,
} from '../../model/status.ts'
import { compareText } from '../../model/text.ts'
import { boundedNodes } from './agentless.ts'
import { conditionsOf } from './conditions.ts'
import { addCounts, maxCounts } from './counters.ts'
import { earlierCounts, isOfOtherState } from './earlier.ts'
import { truncateMessage } from './truncate.ts'
import { withUploads } from './uploads.ts'

export type { PacketCaptureStatus } from '../../model/status.ts'

/**
 * A node with a pod of a new capture reports it within this time; a node without one never does.
 */
export const firstReportMs = 10_000

export type FoldInput = {
  readonly elements: readonly CaptureStatusElement[]
  readonly generation: number
  readonly agentless?: readonly AgentlessNode[] // with matching pods
  readonly isAwaited?: boolean // other nodes may still begin, so the capture is not finished
  readonly previous?: PacketCaptureStatus
  readonly uploads?: ReadonlyMap<string, readonly UploadStatus[]> // results by node, since this controller leads
  readonly nowMs: number
}

export function foldStatus({
  elements,
  generation,
  agentless = [],
  isAwaited = false,
  previous,
  uploads,
  nowMs,
}: FoldInput): PacketCaptureStatus {
  const sorted = elements.toSorted((a, b) => compareText(a.node, b.node))
  const listed = onceRejected(sorted.filter(({ isListed }) => isListed))
  const counted = listed.length > 0 ? listed : sorted
  const folded = aggregate(counted.map(element => element.state))
  const isHeld = isAwaited && folded === 'Finished'
  const state = isHeld ? 'Capturing' : folded
  const message = counted.length === 0 ? 'No node has reported yet' : messageOf(counted)
  const before = new Map(previous?.files.map(file => [file.node, file]))
  const files = listed.map(element => {
    const earlier = before.get(element.node)
    return {
      ...fileStatus(element, earlier),
      ...withUploads(earlier?.uploads ?? [], uploads?.get(element.node) ?? []),
    }
  })
  const earlier = earlierCounts(files, previous)
  return {
    observedGeneration: generation,
    state,
    nodes: files.length,
    endpoints: files.reduce((count, { endpoints }) => count + endpoints.length, 0),
    ...maxCounts(addCounts([...files, ...earlier]), previous),
    conditions: conditionsOf({
      state,
      elements: counted,
      agentless,
      isAwaited: isHeld,
      message,
      generation,
      previous: previous?.conditions ?? [],
      nowMs,
    }),
    files,
    ...(earlier.length > 0 && { earlier }),
    ...(agentless.length > 0 && { withoutAgent: boundedNodes(agentless) }),
  }
}

/**
 * Capturing if any node captures, else waiting, else scheduled. An error counts when no other node
 * could capture.
 */
export function aggregate(states: readonly CaptureStateName[]): CaptureStateName {
  const order = ['Capturing', 'WaitingForTraffic', 'Scheduled', 'Error', 'Finished'] as const
  return order.find(state => states.includes(state)) ?? 'WaitingForTraffic'
}

// A rejection has the same message on every node: only the first one is kept.
function onceRejected(elements: readonly CaptureStatusElement[]): CaptureStatusElement[] {
  const seen = new Set<string | undefined>()
  return elements.filter(({ message, isRejected, endpoints }) => {
    const isAgain = isRejected && endpoints.length === 0 && seen.has(message)
    if (isRejected) seen.add(message)
    return !isAgain
  })
}

function messageOf(elements: readonly CaptureStatusElement[]): string {
  const withMessage = tellingOf(elements).filter(({ message }) => message !== undefined)
  if (elements.length === 1) return withMessage[0]?.message ?? ''
  return truncateMessage(
    [...Map.groupBy(withMessage, ({ message }) => message)].map(
      ([message, all]) => `${nodesOf(all)}: ${message}`,
    ),
  )
}

/** A node whose endpoints are gone has nothing to say while others capture. */
function tellingOf(elements: readonly CaptureStatusElement[]): readonly CaptureStatusElement[] {
  const isLive = ({ endpoints }: CaptureStatusElement) =>
    endpoints.some(({ state }) => state === 'Capturing' || state === 'WaitingForTraffic')
  if (!elements.some(isLive)) return elements
  return elements.filter(
    element =>
      isLive(element) || element.problems.length > 0 || element.state !== 'WaitingForTraffic',
  )
}

function nodesOf(elements: readonly CaptureStatusElement[]): string {
  return elements.length > 3
    ? `${elements[0]?.node} and ${elements.length - 1} other nodes`
    : elements.map(({ node }) => node).join(', ')
}

function fileStatus(
  {
    isListed: _,
    isRejected: __,
    isUncapturable: ___,
    isUnanswered: ____,
    problems: _____,
    artifact: ______,
    wording: _______,
    ...element
  }: CaptureStatusElement,
  known: FileStatus | undefined,
): FileStatus {
  const before = known && isOfOtherState(element, known) ? undefined : known
  const stateId = element.stateId ?? before?.stateId
  const earlier = rowsByEndpoint(before?.endpoints ?? [])
  const now = new Map(
    rowsByEndpoint(element.endpoints)
      .entries()
      .map(([key, row]) => [row, key]),
  )
  const endpoints = element.endpoints.map(
    (row): EndpointStatus => ({ ...row, ...maxCounts(row, earlier.get(now.get(row) ?? '')) }),
  )
  return {
    ...element,
    ...(stateId !== undefined && { stateId }),
    ...maxCounts(maxCounts(addCounts(endpoints), element), before),
    endpoints,
  }
}

/**
 * A pod with one row may have another interface in it later; of one with several each has its own.
 * Rows that cannot be told apart are left out.
 */
function rowsByEndpoint(rows: readonly EndpointStatus[]): ReadonlyMap<string, EndpointStatus> {
  const byPod = Map.groupBy(rows, ({ pod }) => pod)
  const byKey = Map.groupBy(rows, ({ pod, interface: name = '' }) =>
    byPod.get(pod)?.length === 1 ? pod : `${pod}/${name}`,
  )
  return new Map(
    byKey.entries().flatMap(([key, [row, other]]) => (row && !other ? [[key, row] as const] : [])),
  )
}
