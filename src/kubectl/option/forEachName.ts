// Runs a command for each name of a command line, and goes on after a failure, as kubectl does.

import { CommandFailure } from '../../model/errors.ts'
import { UnreachedFailure } from '../client/session.ts'

/**
 * Prints each failure but the last, which is thrown at the end. An unreachable server or a bug is
 * thrown at once.
 */
export async function forEachName(
  names: readonly string[],
  act: (name: string) => Promise<void>,
): Promise<void> {
  const failures: CommandFailure[] = []
  for (const name of names) {
    try {
      await act(name)
    } catch (error) {
      if (!(error instanceof CommandFailure) || error instanceof UnreachedFailure) throw error
      const [before] = failures.splice(0, 1, error)
      if (before) process.stderr.write(`${before.message}\n`)
    }
  }
  for (const failure of failures) throw failure
}
