// Waits for something in the cluster. In: what, how long, the question. Out: nothing, or a failure
// that says what has not come.
import { setTimeout } from 'node:timers/promises'
import { CommandFailure } from '../../model/errors.ts'

const everyMs = 500

export async function waitUntil(
  what: string,
  seconds: number,
  isSo: () => Promise<boolean>,
): Promise<void> {
  const endMs = performance.now() + seconds * 1_000
  while (!(await isSo())) {
    if (performance.now() >= endMs)
      throw new CommandFailure('timeout', `Waited ${seconds} s until ${what}, in vain`)
    await setTimeout(everyMs)
  }
}
