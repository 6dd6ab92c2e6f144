// Why a filter cannot be used, in the compiler's own words. undefined: it compiles, for packets of every length.

import { snapLengthMax } from '../model/capture.ts'
import { TapError } from '../model/errors.ts'
import type { FilterSpec } from '../model/tap.ts'
import type { Driver } from './driver.ts'

export async function filterError(compiler: Pick<Driver, 'compile'>, spec: FilterSpec): Promise<string | undefined> {
  try {
    await compiler.compile(spec.filter, snapLengthMax, spec.filterInstructionsMax)
    return undefined
  } catch (error) {
    if (!(error instanceof TapError)) throw error
    return error.message
  }
}
