// When a finished capture is to be removed: its ttl after everything of it has ended on this node.
// In: the intent, its phase, what the node holds. Out: the time, Infinity for never.
// An end that was moved into the past counts from when the last tap closed, so that stopping a capture keeps its files for the ttl.

import type { ActualCapture } from '../../model/actualState.ts'
import type { Intent } from '../../model/capture.ts'
import type { Phase } from '../../model/decision.ts'

export function expiresAt(intent: Intent, phase: Phase, facts: ActualCapture | undefined): number {
  if (intent.ttlMsAfterFinished === undefined || phase.kind !== 'Finished') return Number.POSITIVE_INFINITY
  const ends = [...(facts?.endpoints.values() ?? [])].map(row => row.endedAtMs ?? Number.NEGATIVE_INFINITY)
  return Math.max(phase.atMs, intent.createdAtMs, ...ends) + intent.ttlMsAfterFinished
}
