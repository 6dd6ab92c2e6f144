// How long to wait after failures in a row: twice as long after each, up to a limit. Pure.

/** Milliseconds. */
export type Backoff = { readonly first: number; readonly most: number }

/** `failures`: at least 1. */
export function doubledMs(failures: number, { first, most }: Backoff): number {
  return Math.min(most, first * 2 ** (failures - 1))
}
