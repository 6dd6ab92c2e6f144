// When an artifact that failed is made again: after a second, and twice as long each time. In: what
// came of the last attempt. Out: a time, or undefined.
import type { ArtifactResult } from '../../model/artifact.ts'
import { doubledMs } from '../../model/backoff.ts'

export const attemptsMax = 6 // the first, and five more
const retryDelayMs = { first: 1_000, most: 60_000 } as const

/** undefined: never. */
export function retryAtMs({
  atMs,
  error,
  attempts = attemptsMax,
}: ArtifactResult): number | undefined {
  return error === undefined || attempts >= attemptsMax
    ? undefined
    : atMs + doubledMs(attempts, retryDelayMs)
}
