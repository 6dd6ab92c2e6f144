// Calls the addon from JavaScript's side. In: a call. Out: what it returns. Refuses with TapError
// what the addon throws for want of memory, threads or descriptors.
import { TapError } from '../../model/errors.ts'

/** A TypeError or RangeError is about the arguments, which makes it a bug: it is rethrown. */
export function callAddon<Result>(call: () => Result): Result {
  try {
    return call()
  } catch (error) {
    if (!(error instanceof Error) || error instanceof TypeError || error instanceof RangeError)
      throw error
    const { code } = error as NodeJS.ErrnoException
    throw new TapError(
      'NO_MEMORY',
      code === undefined ? error.message : `${error.message}: ${code}`,
      error,
    )
  }
}
