// The row of one endpoint in one capture: what was counted before plus what the present driver counts. Pure.

import type { TapCounters } from '../driver/driver.ts'
import type { ActualEndpoint, Gap } from '../model/actualState.ts'
import type { CloseReason } from '../model/codes.ts'

export const noCounters: TapCounters = { received: 0, dropped: 0, packets: 0, bytes: 0, refused: 0, truncated: 0 }

/** Closes after which the capture should have gone on: the time until it is open again is a gap. */
const gapReasons: Partial<Record<CloseReason, string>> = {
  replaced: 'the pod or its interface was replaced',
  changed: 'the capture was edited',
  resized: 'the ring was made smaller',
  budget: 'no room in the ring budget',
  disk: 'no room on the disk',
  stopping: 'the agent was restarted',
}

const gapsMax = 100 // the oldest go: status must not grow without end

export function withCounters(row: ActualEndpoint, more: TapCounters): ActualEndpoint {
  return {
    ...row,
    packets: row.packets + more.packets,
    bytes: row.bytes + more.bytes,
    received: row.received + more.received,
    dropped: row.dropped + more.dropped,
    refused: row.refused + more.refused,
    truncated: row.truncated + more.truncated,
  }
}

/** The row as it is when a tap opens: a first one, or the one of before with the gap in between. */
export function opened(
  before: ActualEndpoint | undefined,
  now: Pick<ActualEndpoint, 'name' | 'uid' | 'interfaceName' | 'vantage'>,
  atMs: number,
  closed: CloseReason | undefined,
): ActualEndpoint {
  if (!before) return { ...now, packets: 0, bytes: 0, received: 0, dropped: 0, refused: 0, truncated: 0, startedAtMs: atMs, gaps: [] }
  const { endedAtMs, message: _, ...rest } = before
  const reason = closed && gapReasons[closed]
  const gaps =
    reason && endedAtMs !== undefined
      ? addGap(before.gaps, { fromMs: endedAtMs, toMs: Math.max(endedAtMs, atMs), reason })
      : closeGap(before.gaps, atMs)
  return { ...rest, ...now, startedAtMs: before.startedAtMs ?? atMs, gaps }
}

export function ended(row: ActualEndpoint, atMs: number): ActualEndpoint {
  return { ...row, endedAtMs: atMs, gaps: closeGap(row.gaps, atMs) }
}

export function addGap(gaps: readonly Gap[], gap: Gap): Gap[] {
  return [...closeGap(gaps, gap.fromMs), gap].slice(-gapsMax)
}

export function closeGap(gaps: readonly Gap[], atMs: number): Gap[] {
  return gaps.map(gap => (gap.toMs === undefined ? { ...gap, toMs: Math.max(gap.fromMs, atMs) } : gap))
}

export function withoutMessage({ message: _, ...row }: ActualEndpoint): ActualEndpoint {
  return row
}

export function isInGap({ gaps }: ActualEndpoint): boolean {
  return gaps.some(({ toMs }) => toMs === undefined)
}
