// When a finished capture and its files are removed: its ttl after the last end. The same rule on a
// node and in the cluster. In: the intent, its phase, the ends of its endpoints. Out: the time;
// never: it is not finished, or has no ttl. A window that was moved into the past ends with its
// last endpoint: stopping a capture keeps its files for the whole ttl.

import type { Intent } from '../../model/capture.ts'
import type { Phase } from '../../model/decision.ts'
import { never } from '../../model/time.ts'

/** `ends`: when each endpoint that was captured ended; never: it has no end yet. */
export function expiresAt(
  { ttlMsAfterFinished, createdAtMs }: Intent,
  phase: Phase,
  ends: readonly number[],
): number {
  if (ttlMsAfterFinished === undefined) return never
  const isFinished = phase.kind === 'Finished'
  const lastMs = ends.reduce(
    (last, endMs) => Math.max(last, endMs),
    isFinished ? phase.atMs : -never,
  )
  if (lastMs === -never && !isFinished) return never
  return Math.max(lastMs, createdAtMs) + ttlMsAfterFinished
}
