// Points in time as the whole program writes them: milliseconds since the epoch, and RFC 3339 for
// people. Pure.

/** A time that does not come. */
export const never = Number.POSITIVE_INFINITY

/** RFC 3339 with milliseconds, in UTC. */
export function isoTime(atMs: number): string {
  return new Date(atMs).toISOString()
}
