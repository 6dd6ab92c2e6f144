// Exponential backoff: the delay doubles after each failure in a row, up to a limit. Pure.

/** Milliseconds. */
export type Backoff = { readonly first: number; readonly most: number }

/** `failures`: at least 1. */
export function doubledMs(failures: number, { first, most }: Backoff): number {
  return Math.min(most, first * 2 ** (failures - 1))
}
