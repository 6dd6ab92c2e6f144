// The problems of a capture on this node, each a reason of the Degraded condition. Pure. In: the
// capture's decision and its rows. Out: problems, the gravest kind first. A rejection is not among
// them: it is the capture's Error.
import type { ActualEndpoint } from '../../model/actualState.ts'
import { lostFileReasons } from '../../model/capture.ts'
import type { ProblemReason } from '../../model/codes.ts'
import type { Problem } from '../../model/status.ts'
import { pluralize } from '../../model/text.ts'
import { isoTime } from '../../model/time.ts'
import { type CountedText, joinTexts, packetsText, plainText } from './counters.ts'
import type { EndpointRow, HeldEndpoint } from './endpointStatus.ts'

export function problemsOf(
  { decision, actual }: HeldEndpoint,
  rows: readonly EndpointRow[],
): Problem[] {
  const { phase, refused } = decision
  const halted: Problem[] =
    phase.kind === 'Halted' ? [{ reason: phase.halt.reason, message: phase.halt.message }] : []
  const refusals = [...Map.groupBy(refused.values(), ({ reason }) => reason)].map(([reason, all]) =>
    problemOf(
      reason,
      all.map(({ message }) => plainText(message)),
    ),
  )
  const failed = rows.filter(({ tap }) => tap?.state === 'failed')
  const lost = [
    ...rows.filter(isCutOff),
    ...failed.filter(({ actual: row }) => row?.startedAtMs !== undefined),
  ]
  const never = failed.filter(row => !lost.includes(row))
  // Packets refused after a limit are not a failure to write.
  const unwritten = actual?.limitHit ? 0 : total(rows, 'refused')
  const unwritable = rows.filter(
    row => row.isLive && row.tap?.message !== undefined && !isCutOff(row),
  )
  return [
    ...halted,
    ...refusals,
    problemOf('LostInterface', lost.map(cutOffMessage)),
    problemOf(
      'TapFailed',
      never.map(({ name, tap }) => plainText(`${name}: ${tap?.message ?? 'not opened'}`)),
    ),
    stalledOf(rows),
    problemOf('WriteFailed', [
      ...counted(unwritten, 'received but not written'),
      ...unwritable.map(({ name, tap }) => plainText(`${name}: ${tap?.message}`)),
    ]),
    problemOf('LostFile', rows.flatMap(lostFileMessages)),
    problemOf('LostState', actual?.unreadable ? [plainText(actual.unreadable)] : []),
    problemOf(
      'DroppedPackets',
      counted(total(rows, 'dropped'), 'dropped by the kernel because the ring was full'),
    ),
    problemOf(
      'TruncatedPackets',
      counted(total(rows, 'truncated'), 'cut to the size of a ring block'),
    ),
  ].filter(({ message }) => message !== '')
}

/** Since the oldest packet of any endpoint, to the second: the disk is the same for most. */
function stalledOf(rows: readonly EndpointRow[]): Problem {
  const waiting = rows.flatMap(({ tap }) => tap?.waiting ?? [])
  if (waiting.length === 0) return problemOf('DiskStalled', [])
  const sinceMs = Math.min(...waiting.map(row => row.sinceMs))
  const since = isoTime(Math.floor(sinceMs / 1_000) * 1_000)
  const bytes = waiting.reduce((sum, row) => sum + row.bytes, 0)
  const text = `the disk has taken no packet since ${since}; ${pluralize(bytes, 'byte')} wait in memory`
  return problemOf('DiskStalled', [{ text, wording: 'the disk takes no packet' }])
}

const lostFile: ReadonlySet<string> = new Set(Object.values(lostFileReasons))

// Packets are missing, so it lasts as long as the gap is told.
function lostFileMessages({ name, actual }: EndpointRow): CountedText[] {
  const gap = actual?.gaps.findLast(({ reason }) => lostFile.has(reason))
  const told = gap ? [plainText(`${gap.reason} at ${isoTime(gap.fromMs)}`)] : []
  const lost = counted(actual?.lost ?? 0, 'that were written are in no file any more')
  const all = joinTexts([...told, ...lost])
  if (all.text === '') return []
  return [{ text: `${name}: ${all.text}`, wording: `${name}: ${all.wording}` }]
}

// An open tap whose interface is down or gone has a gap without an end.
function isCutOff({ isLive, actual }: EndpointRow): boolean {
  return isLive && (actual?.gaps ?? []).some(({ toMs }) => toMs === undefined)
}

function cutOffMessage({ name, tap, actual }: EndpointRow): CountedText {
  const gap = actual?.gaps.find(({ toMs }) => toMs === undefined)
  return plainText(`${name}: ${tap?.message ?? gap?.reason ?? 'interface lost'}`)
}

/** One problem for many messages: the first few are quoted, the rest counted. */
function problemOf(reason: ProblemReason, messages: readonly CountedText[], shownMax = 3): Problem {
  const shown = messages.slice(0, shownMax)
  const rest = messages.length - shown.length
  const { text: message, wording } = joinTexts([
    ...shown,
    ...(rest > 0 ? [plainText(`and ${rest} more`)] : []),
  ])
  return { reason, message, ...(wording !== message && { wording }) }
}

function counted(packets: number, rest: string): CountedText[] {
  return packets > 0 ? [packetsText(packets, rest)] : []
}

function total(
  rows: readonly EndpointRow[],
  name: keyof Pick<ActualEndpoint, 'dropped' | 'refused' | 'truncated'>,
): number {
  return rows.reduce((sum, { actual }) => sum + (actual?.[name] ?? 0), 0)
}
