// The state of an accepted capture in one turn, and the views of it that other stages need. Pure.
// In: the results of match and schedule. Out: disk use, the capture's decision, halts that no longer
// hold. desiredTap.ts makes its desired taps.

import type { ActualCapture, Halt } from '../../model/actualState.ts'
import type { Rejection } from '../../model/capture.ts'
import type { CaptureDecision, MatchCounts } from '../../model/decision.ts'
import { type ActualTap, filterOf } from '../../model/tap.ts'
import { type DesiredTapInput, wantsTaps } from './desiredTap.ts'
import type { DiskUser } from './diskBudget.ts'

export type CaptureState = DesiredTapInput & {
  readonly actual: ActualCapture | undefined // of the same uid
  readonly wakeAtMs: number
}

/** A halt holds until the capture is edited. */
export function haltOf({ intent, actual }: CaptureState): Halt | undefined {
  return actual?.halt && actual.halt.generation >= intent.generation ? actual.halt : undefined
}

/** Keys whose stored halt was of an older generation. */
export function staleHalts(captureStates: readonly CaptureState[]): [string, undefined][] {
  return captureStates
    .filter(captureState => captureState.actual?.halt && !haltOf(captureState))
    .map(({ intent }) => [intent.key, undefined])
}

export function diskUserOf(captureState: CaptureState, openTaps: number): DiskUser {
  const { intent, actual, matches } = captureState
  const halt = haltOf(captureState)
  return {
    key: intent.key,
    generation: intent.generation,
    taps: matches.matched.length,
    openTaps,
    rows: actual?.endpoints.size ?? 0,
    fileBytes: actual?.fileBytes ?? 0,
    rotation: intent.rotation,
    ...(halt && { halt }),
  }
}

/** Open taps by capture key. */
export function countOpen(taps: ReadonlyMap<string, ActualTap>): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const { spec, state } of taps.values())
    if (state === 'open') counts.set(spec.captureKey, (counts.get(spec.captureKey) ?? 0) + 1)
  return counts
}

export function withHalt(captureState: CaptureState, halt: Halt | undefined): CaptureState {
  return halt && wantsTaps(captureState)
    ? { ...captureState, phase: { kind: 'Halted', halt }, window: undefined }
    : captureState
}

export function captureDecisionOf({ intent, matches, phase }: CaptureState): CaptureDecision {
  const { key, capture, generation, notes, interfaces } = intent
  return {
    key,
    capture,
    generation,
    filter: filterOf(intent),
    notes,
    phase,
    matches,
    ...(interfaces && { interfaces }),
    refused: new Map(),
  }
}

export function rejectedDecisionOf({
  key,
  capture,
  generation,
  message,
}: Rejection): CaptureDecision {
  const matches: MatchCounts = {
    matched: [],
    pods: [],
    inNamespace: 0,
    elsewhere: 0,
    hostNetwork: 0,
  }
  return {
    key,
    capture,
    generation,
    filter: { filter: '' },
    notes: [],
    phase: { kind: 'Rejected', message },
    matches,
    refused: new Map(),
  }
}
