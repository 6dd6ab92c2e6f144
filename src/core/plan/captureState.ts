// An accepted capture with all that bears on it this turn, and what other stages read off it.
// In: what match and schedule found. Out: wishes for taps, the disk's view, the outlook for status, halts that no longer count.

import type { ActualCapture, Halt } from '../../model/actualState.ts'
import type { Intent, Rejection } from '../../model/capture.ts'
import type { CaptureDecision, MatchCounts, Phase } from '../../model/decision.ts'
import { type ActualTap, filterOf } from '../../model/tap.ts'
import type { TapWindow } from '../../model/tapWindow.ts'
import { type DesiredTap, desiredTapFor } from './desiredTap.ts'
import type { DiskUser } from './diskBudget.ts'

export type CaptureState = {
  readonly intent: Intent
  readonly facts: ActualCapture | undefined // of the same uid
  readonly matches: MatchCounts
  readonly phase: Phase
  readonly window: TapWindow | undefined // of the taps it wants: it is open, or about to be; undefined: it wants none
  readonly wakeAtMs: number
}

export function wantsTaps({ window }: CaptureState): boolean {
  return window !== undefined
}

/** In the order of the standings, then of endpoint names. */
export function desiredTapsOf(standings: readonly CaptureState[]): DesiredTap[] {
  return standings.flatMap(({ intent, matches, phase, window }) =>
    window ? matches.matched.map(endpoint => desiredTapFor(intent, endpoint, { window, isEarly: phase.kind !== 'Open' })) : [],
  )
}

/** A halt counts until the capture is edited. */
export function haltOf({ intent, facts }: CaptureState): Halt | undefined {
  return facts?.halt && facts.halt.generation >= intent.generation ? facts.halt : undefined
}

/** Keys whose stored halt was of an older generation. */
export function staleHalts(standings: readonly CaptureState[]): [string, undefined][] {
  return standings.filter(standing => standing.facts?.halt && !haltOf(standing)).map(({ intent }) => [intent.key, undefined])
}

export function diskUserOf(standing: CaptureState, openTaps: number): DiskUser {
  const { intent, facts, matches } = standing
  const halt = haltOf(standing)
  return {
    key: intent.key,
    generation: intent.generation,
    taps: matches.matched.length,
    openTaps,
    rows: facts?.endpoints.size ?? 0,
    fileBytes: facts?.fileBytes ?? 0,
    rotation: intent.rotation,
    ...(halt && { halt }),
  }
}

/** Open taps by capture key. */
export function countOpen(taps: ReadonlyMap<string, ActualTap>): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const { spec, state } of taps.values()) if (state === 'open') counts.set(spec.captureKey, (counts.get(spec.captureKey) ?? 0) + 1)
  return counts
}

export function withHalt(standing: CaptureState, halt: Halt | undefined): CaptureState {
  return halt && wantsTaps(standing) ? { ...standing, phase: { kind: 'Halted', halt }, window: undefined } : standing
}

export function captureDecisionOf({ intent, matches, phase }: CaptureState): CaptureDecision {
  const { key, capture, generation, notes } = intent
  return { key, capture, generation, filter: filterOf(intent), notes, phase, matches, refused: new Map() }
}

export function rejectedDecisionOf({ key, capture, generation, message }: Rejection): CaptureDecision {
  const matches: MatchCounts = { matched: [], inNamespace: 0, elsewhere: 0, hostNetwork: 0 }
  return { key, capture, generation, filter: { filter: '' }, notes: [], phase: { kind: 'Rejected', message }, matches, refused: new Map() }
}
