// A fault: something that happens to the program, the disk, a file, an interface or a capture. It
// causes it, holds it for a while, and undoes it, also when it fails in between.
import type { Stage } from './stage.ts'
import type { TargetName } from './target.ts'

export type Fault = {
  readonly name: string
  readonly on: readonly TargetName[]
  readonly mayGap: boolean // the program may state gaps
  readonly mayDrop: boolean // packets may be counted as dropped or refused
  /** Resolves when it is undone, to what was done. */
  cause(stage: Stage): Promise<string>
}

export const both: readonly TargetName[] = ['standalone', 'agent']

/** The least that is allowed. */
export const harmless = {
  on: both,
  mayGap: false,
  mayDrop: false,
} as const
