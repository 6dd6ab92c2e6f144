// Holds what was sent against what is in files and what the program says. Pure. In: the facts of one
// capture. Out: findings, none if all is well, and sums. The rule: each packet that was sent is in
// exactly one file, or was in a file that the campaign took away, or it is excused, or lies in a
// stated gap, or it is one of those that are counted as dropped or refused. Written packets that are
// not counted as lost are in files, one by one.
import type { SentTimes } from './sender.ts'

/** Milliseconds since the epoch; without an end it lasts. */
export type Span = { readonly fromMs: number; readonly toMs?: number | undefined }

/** What the program says of one endpoint. */
export type Claim = {
  readonly packets: number
  readonly dropped: number
  readonly lost: number // of the packets: they went with a file that others took away
  readonly gaps: readonly (Span & { readonly reason: string })[]
}

export type EndpointFacts = {
  readonly name: string
  readonly sent: SentTimes
  readonly firstNumber: number // earlier ones were sent before the capture
  readonly found: readonly number[]
  readonly takenAway: readonly number[] // by the campaign, with their files
  readonly takenRotated: number // of these, with files that were complete: nothing writes to them
  readonly crossed: number // packets of others in its files while its interface had another's name
  readonly absent: readonly Span[] // may not be found: its interface was another one's
  readonly excused: readonly Span[] // not on the wire, or not wanted: may be found, need not be
  readonly claim: Claim
}

export type CaptureFacts = {
  readonly name: string
  readonly uid: string
  readonly faults: readonly string[] // of its files
  readonly refused: number
  readonly endpoints: readonly EndpointFacts[]
}

export type Sums = Readonly<
  Record<'sent' | 'inFiles' | 'takenAway' | 'excused' | 'inGaps' | 'lost' | 'counted', number>
>

export const noSums: Sums = Object.freeze({
  sent: 0,
  inFiles: 0,
  takenAway: 0,
  excused: 0,
  inGaps: 0,
  lost: 0,
  counted: 0,
})

const roundingMs = 2 // gaps are told in whole milliseconds; the kernel takes a packet's time a little after it was sent
const edgeMs = 250 // so near to its ends a gap may hold a packet that is in a file

export function audit(facts: CaptureFacts): { readonly findings: string[]; readonly sums: Sums } {
  const all = facts.endpoints.map(endpoint => auditEndpoint(endpoint))
  const counted = facts.endpoints.reduce((sum, { claim }) => sum + claim.dropped, facts.refused)
  const sums = { ...all.map(each => each.sums).reduce(addSums, noSums), counted }
  const findings = [...facts.faults, ...all.flatMap(each => each.findings)]
  if (sums.lost > counted)
    findings.push(
      `${sums.lost} packets are in no file and in no gap, ${counted} are counted: ${facts.refused} refused, ${facts.endpoints.map(({ name, claim }) => `${claim.dropped} dropped of ${name}`).join(', ')}; ${all.map(each => each.lost).join('; ')}`,
    )
  const countable = sums.lost + sums.inGaps + sums.excused + sums.takenAway
  if (counted > countable)
    findings.push(`${counted} packets are counted as dropped or refused, ${countable} are missing`)
  return { findings: findings.map(text => `${facts.name}: ${text}`), sums }
}

/**
 * What is wrong with the counts of one capture in one fault: each packet that is missing since is counted once, and
 * only where other reasons for it came up as well may more be counted.
 */
export function auditChange(before: Sums, now: Sums): string[] {
  const since = (name: keyof Sums) => now[name] - before[name]
  const [counted, least] = [since('counted'), since('lost')]
  const most = least + since('inGaps') + since('excused') + since('takenAway')
  if (counted >= least && counted <= most) return []
  return [
    `${counted} packets are counted as dropped or refused since the last fault, ${least} to ${most} are missing`,
  ]
}

export function addSums(a: Sums, b: Sums): Sums {
  return {
    sent: a.sent + b.sent,
    inFiles: a.inFiles + b.inFiles,
    takenAway: a.takenAway + b.takenAway,
    excused: a.excused + b.excused,
    inGaps: a.inGaps + b.inGaps,
    lost: a.lost + b.lost,
    counted: a.counted + b.counted,
  }
}

function auditEndpoint(facts: EndpointFacts) {
  const { name, sent, firstNumber, claim } = facts
  const count = sent.beforeMs.length
  const times = new Uint8Array(count)
  const findings: string[] = []
  const strange: number[] = []
  for (const number of facts.found)
    if (number < count) times[number] = Math.min(255, (times[number] ?? 0) + 1)
    else strange.push(number)
  const takenAway = new Set(facts.takenAway)
  const excused = merged(facts.excused)
  const gaps = merged(claim.gaps)
  const inGap: number[] = []
  const lost: number[] = []
  const doubled: number[] = []
  let [inFiles, away, excusedCount] = [0, 0, 0]
  for (let number = 0; number < count; number++) {
    const often = times[number] ?? 0
    if (often > 0) inFiles++
    if (often > 1 || (often === 1 && takenAway.has(number))) doubled.push(number)
    if (often > 0 || number < firstNumber) continue
    const [before, after] = [sent.beforeMs[number] ?? 0, sent.afterMs[number] ?? 0]
    if (takenAway.has(number)) away++
    else if (touches(excused, before, after, roundingMs)) excusedCount++
    else if (touches(gaps, before, after, roundingMs)) inGap.push(number)
    else lost.push(number)
  }
  if (strange.length > 0)
    findings.push(`${name}: packets ${ranges(strange)} are in files, ${count} were sent`)
  if (doubled.length > 0) findings.push(`${name}: packets ${ranges(doubled)} are in files twice`)
  const held = facts.found.length + facts.crossed + facts.takenRotated
  if (claim.packets - claim.lost !== held)
    findings.push(
      `${name}: ${claim.packets} packets by the status and ${claim.lost} of them lost, ${facts.found.length + facts.crossed} in files, ${facts.takenRotated} in complete files that were taken away`,
    )
  const misplaced = facts.found.filter(number =>
    touches(merged(facts.absent), sent.beforeMs[number] ?? 0, sent.afterMs[number] ?? 0, -edgeMs),
  )
  if (misplaced.length > 0)
    findings.push(`${name}: packets ${ranges(misplaced)} came by an interface that is not its own`)
  const overstated = facts.found.filter(number =>
    touches(gaps, sent.beforeMs[number] ?? 0, sent.afterMs[number] ?? 0, -edgeMs),
  )
  if (overstated.length > 0)
    findings.push(`${name}: packets ${ranges(overstated)} are in files and within a stated gap`)
  const sums: Sums = {
    sent: count - firstNumber,
    inFiles,
    takenAway: away,
    excused: excusedCount,
    inGaps: inGap.length,
    lost: lost.length,
    counted: 0,
  }
  return { findings, sums, lost: `${name} lost ${placed(lost, sent)}` }
}

type ClosedSpan = { readonly fromMs: number; readonly toMs: number }

/** In order, those that meet as one. */
function merged(spans: readonly Span[]): ClosedSpan[] {
  const sorted = spans
    .map(({ fromMs, toMs = Number.POSITIVE_INFINITY }) => ({ fromMs, toMs }))
    .toSorted((a, b) => a.fromMs - b.fromMs)
  const out: ClosedSpan[] = []
  for (const span of sorted) {
    const last = out.at(-1)
    if (last && span.fromMs <= last.toMs + 2 * roundingMs)
      out[out.length - 1] = { fromMs: last.fromMs, toMs: Math.max(last.toMs, span.toMs) }
    else out.push(span)
  }
  return out
}

function touches(
  spans: readonly ClosedSpan[],
  beforeMs: number,
  afterMs: number,
  marginMs: number,
): boolean {
  return spans.some(
    ({ fromMs, toMs }) => afterMs >= fromMs - marginMs && beforeMs <= toMs + marginMs,
  )
}

/** 3-5, 9: at most six ranges are told. */
export function ranges(numbers: readonly number[]): string {
  const out: [number, number][] = []
  for (const number of numbers.toSorted((a, b) => a - b)) {
    const last = out.at(-1)
    if (last && number <= last[1] + 1) last[1] = number
    else out.push([number, number])
  }
  const told = out.slice(0, 6).map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`))
  return `${told.join(', ')}${out.length > 6 ? ` and ${out.length - 6} ranges more` : ''}`
}

function placed(numbers: readonly number[], { beforeMs }: SentTimes): string {
  const [first, last] = [numbers[0], numbers.at(-1)]
  if (first === undefined || last === undefined) return 'none'
  const at = (number: number) => new Date(beforeMs[number] ?? 0).toISOString().slice(11, 23)
  return `${ranges(numbers)} (${numbers.length}), sent ${at(first)} to ${at(last)}`
}
