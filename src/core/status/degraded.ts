// What is wrong with a capture on this node, though it may go on: each becomes a word in the Degraded condition.
// In: the capture's outlook and its rows. Out: problems, the gravest kind first. A rejection is not here: it is the capture's Error.
import type { ActualEndpoint } from '../../model/actualState.ts'
import type { ProblemReason } from '../../model/codes.ts'
import type { Problem } from '../../model/status.ts'
import { pluralize } from '../../model/text.ts'
import type { EndpointRow, HeldEndpoint } from './endpointStatus.ts'

export function problemsOf({ decision: outlook, facts }: HeldEndpoint, rows: readonly EndpointRow[]): Problem[] {
  const { phase, refused } = outlook
  const halted: Problem[] = phase.kind === 'Halted' ? [{ reason: phase.halt.reason, message: phase.halt.message }] : []
  const refusals = [...Map.groupBy(refused.values(), ({ reason }) => reason)].map(([reason, all]) =>
    someOf(
      reason,
      all.map(({ message }) => message),
    ),
  )
  const failed = rows.filter(({ tap }) => tap?.state === 'failed')
  const lost = [...rows.filter(isCutOff), ...failed.filter(({ facts: row }) => row?.startedAtMs !== undefined)]
  const never = failed.filter(row => !lost.includes(row))
  // A limit refuses what comes after it: that is no failure to write.
  const unwritten = facts?.limitHit ? 0 : total(rows, 'refused')
  const unwritable = rows.filter(row => row.isLive && row.tap?.message !== undefined && !isCutOff(row))
  return [
    ...halted,
    ...refusals,
    someOf('LostInterface', lost.map(cutOffMessage)),
    someOf(
      'TapFailed',
      never.map(({ name, tap }) => `${name}: ${tap?.message ?? 'not opened'}`),
    ),
    someOf('WriteFailed', [
      ...(unwritten > 0 ? [`${pluralize(unwritten, 'packet')} received but not written`] : []),
      ...unwritable.map(({ name, tap }) => `${name}: ${tap?.message}`),
    ]),
    someOf('DroppedPackets', counted(total(rows, 'dropped'), 'dropped by the kernel because the ring was full')),
    someOf('TruncatedPackets', counted(total(rows, 'truncated'), 'cut to the size of a ring block')),
  ].filter(({ message }) => message !== '')
}

// Open, and nothing arrives: the interface is down or gone, and the gap has no end yet.
function isCutOff({ isLive, facts }: EndpointRow): boolean {
  return isLive && (facts?.gaps ?? []).some(({ toMs }) => toMs === undefined)
}

function cutOffMessage({ name, tap, facts }: EndpointRow): string {
  const gap = facts?.gaps.find(({ toMs }) => toMs === undefined)
  return `${name}: ${tap?.message ?? gap?.reason ?? 'interface lost'}`
}

/** One problem for many: the first few in words, the rest as a number. */
function someOf(reason: ProblemReason, messages: readonly string[], shownMax = 3): Problem {
  const shown = messages.slice(0, shownMax)
  const rest = messages.length - shown.length
  return { reason, message: [...shown, ...(rest > 0 ? [`and ${rest} more`] : [])].join('; ') }
}

function counted(count: number, what: string): string[] {
  return count > 0 ? [`${pluralize(count, 'packet')} ${what}`] : []
}

function total(rows: readonly EndpointRow[], name: keyof Pick<ActualEndpoint, 'dropped' | 'refused' | 'truncated'>): number {
  return rows.reduce((sum, { facts }) => sum + (facts?.[name] ?? 0), 0)
}
