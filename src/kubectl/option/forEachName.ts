// Several names on one command line: each has its turn, also after one that failed, as kubectl has it.

import { exitCodes } from '../../model/codes.ts'
import { CommandFailure } from '../../model/errors.ts'

/** Throws the last failure when all had their turn; those before it are told at once. When nothing can be reached, at once. */
export async function forEachName(names: readonly string[], act: (name: string) => Promise<void>): Promise<void> {
  const failures: CommandFailure[] = []
  for (const name of names) {
    try {
      await act(name)
    } catch (error) {
      if (!(error instanceof CommandFailure) || error.exitCode === exitCodes.failed) throw error
      const [before] = failures.splice(0, 1, error)
      if (before) process.stderr.write(`${before.message}\n`)
    }
  }
  for (const failure of failures) throw failure
}
