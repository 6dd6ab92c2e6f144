// Arithmetic on the actual state of one endpoint: counters that add up, and gaps. In: an endpoint's
// state and what changes. Out: its next state. Counters of earlier taps stay part of it. Pure.

import type { TapCounters } from '../driver/driver.ts'
import type { ActualEndpoint, Gap } from '../model/actualState.ts'
import type { CloseReason } from '../model/codes.ts'

export const noCounters: TapCounters = {
  received: 0,
  dropped: 0,
  packets: 0,
  bytes: 0,
  refused: 0,
  truncated: 0,
}

/**
 * Close reasons after which the capture is still wanted: the time until the next tap opens is a
 * gap. A pod that is made again under its name is the same endpoint.
 */
const gapReasons: Partial<Record<CloseReason, string>> = {
  finished: 'no pod of that name ran on this node',
  absent: 'there was no such interface in the pod',
  replaced: 'the pod or its interface was replaced',
  changed: 'the capture was edited',
  resized: 'the ring was made smaller',
  budget: 'no room in the ring budget',
  disk: 'no room on the disk',
  stopping: 'the agent was restarted',
}

export const ringDelayMs = 1_000 // far more than a packet waits in a ring from which a reader takes

/**
 * While a reader takes from the ring: each packet of that time or before is written or counted; a later
 * one may still wait in the ring, or in memory for the disk, which it does for `waitedMs`. No later
 * than `nowMs`.
 */
export function writtenUntilMs(
  { lastPacketMs = 0 }: Pick<TapCounters, 'lastPacketMs'>,
  waitedMs: number,
  nowMs: number,
): number {
  return Math.min(nowMs, Math.max(lastPacketMs, nowMs - ringDelayMs - waitedMs))
}

const gapsMax = 100 // the oldest are removed, so that the status stays bounded

export function withCounters(endpoint: ActualEndpoint, more: TapCounters): ActualEndpoint {
  return {
    ...endpoint,
    packets: endpoint.packets + more.packets,
    bytes: endpoint.bytes + more.bytes,
    received: endpoint.received + more.received,
    dropped: endpoint.dropped + more.dropped,
    refused: endpoint.refused + more.refused,
    truncated: endpoint.truncated + more.truncated,
  }
}

/** The state when a tap opens: a new one, or the one before with the gap in between. */
export function opened(
  before: ActualEndpoint | undefined,
  now: Pick<ActualEndpoint, 'name' | 'uid' | 'podInterface' | 'interfaceName' | 'vantage'>,
  atMs: number,
  closed: CloseReason | undefined,
  windowFromMs = 0, // nothing was wanted before
): ActualEndpoint {
  if (!before)
    return {
      ...now,
      packets: 0,
      bytes: 0,
      received: 0,
      dropped: 0,
      refused: 0,
      truncated: 0,
      startedAtMs: atMs,
      gaps: [],
    }
  const { endedAtMs, message: _, ...rest } = before
  const reason = closed && gapReasons[closed]
  const fromMs = endedAtMs === undefined ? undefined : Math.max(endedAtMs, windowFromMs)
  const isWanted = windowFromMs === 0 || atMs > windowFromMs
  const gaps =
    reason && fromMs !== undefined && isWanted
      ? addGap(before.gaps, { fromMs, toMs: Math.max(fromMs, atMs), reason })
      : closeGap(before.gaps, atMs)
  return { ...rest, ...now, startedAtMs: before.startedAtMs ?? atMs, gaps }
}

export function ended(endpoint: ActualEndpoint, atMs: number): ActualEndpoint {
  return { ...endpoint, endedAtMs: atMs, gaps: closeGap(endpoint.gaps, atMs) }
}

const downBeforeGoneMs = 2_000 // a node sets an interface down, and then removes it

/** The pod ended, and its interface with it: what followed is no gap. */
export function endedWithInterface(endpoint: ActualEndpoint, goneAtMs: number): ActualEndpoint {
  const open = endpoint.gaps.find(({ toMs }) => toMs === undefined)
  const isRemoval = open !== undefined && goneAtMs - open.fromMs <= downBeforeGoneMs
  return isRemoval
    ? ended({ ...endpoint, gaps: endpoint.gaps.filter(gap => gap !== open) }, open.fromMs)
    : ended(endpoint, goneAtMs)
}

/** Where another gap of its reason ended, it is one with that. */
export function addGap(gaps: readonly Gap[], gap: Gap): Gap[] {
  const last = gaps.at(-1)
  if (last?.toMs === gap.fromMs && last.reason === gap.reason)
    return gaps.with(-1, { ...gap, fromMs: last.fromMs })
  return [...closeGap(gaps, gap.fromMs), gap].slice(-gapsMax)
}

/** A gap that is over; one that lasts goes on. */
export function insertGap(gaps: readonly Gap[], gap: Required<Gap>): Gap[] {
  const lasting = gaps.filter(({ toMs }) => toMs === undefined)
  const over = gaps.filter(each => !lasting.includes(each))
  return [...over, gap, ...lasting].slice(-gapsMax)
}

export function closeGap(gaps: readonly Gap[], atMs: number): Gap[] {
  return gaps.map(gap =>
    gap.toMs === undefined ? { ...gap, toMs: Math.max(gap.fromMs, atMs) } : gap,
  )
}

/** A packet of that time is in a file: the last gap does not reach beyond it. */
export function cutGap(gaps: readonly Gap[], atMs: number): readonly Gap[] {
  const last = gaps.at(-1)
  if (last?.toMs === undefined || last.toMs <= atMs || last.fromMs > atMs) return gaps
  return gaps.with(-1, { ...last, toMs: atMs })
}

export function withoutMessage({ message: _, ...endpoint }: ActualEndpoint): ActualEndpoint {
  return endpoint
}

export function isInGap({ gaps }: ActualEndpoint): boolean {
  return gaps.some(({ toMs }) => toMs === undefined)
}
