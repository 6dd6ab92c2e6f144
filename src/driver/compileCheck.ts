// Whether a filter compiles, and a bounded cache of the answers, so that each filter is compiled
// once. In: pcap expressions. Out: the compiler's message for a filter that does not compile. The
// cache forgets what says nothing about the filter, such as a lack of memory. A bug throws.

import { snapLengthMax } from '../model/capture.ts'
import type { TapErrorCode } from '../model/codes.ts'
import { TapError } from '../model/errors.ts'
import { type FilterSpec, filterKey } from '../model/tap.ts'
import type { Driver } from './driver.ts'

type Compiler = Pick<Driver, 'compile'>

/** undefined: it compiles, for packets of every length. */
export async function filterError(
  compiler: Compiler,
  spec: FilterSpec,
): Promise<TapError | undefined> {
  try {
    await compiler.compile(spec.filter, snapLengthMax, spec.filterInstructionsMax)
    return undefined
  } catch (error) {
    if (!(error instanceof TapError)) throw error
    return error
  }
}

const filtersMax = 10_000
const filterCodes: readonly TapErrorCode[] = ['BAD_FILTER', 'FILTER_TOO_LONG'] // any other may pass

export class CompiledFilters {
  readonly #compiler: Compiler
  readonly #max: number
  readonly #known = new Map<string, string | undefined>() // filterKey() → the compiler's message; undefined: it compiles

  constructor(compile: Driver['compile'], max = filtersMax) {
    this.#compiler = { compile }
    this.#max = max
  }

  /** Messages of the filters that do not compile, by filterKey(). */
  get errors(): ReadonlyMap<string, string> {
    return new Map(
      [...this.#known].filter((entry): entry is [string, string] => entry[1] !== undefined),
    )
  }

  /** Whether the answer is known without the compiler. */
  has(filter: FilterSpec): boolean {
    return this.#known.has(filterKey(filter))
  }

  /**
   * undefined: it compiles, or that cannot be told now. Then the tap that opens fails for the same
   * reason, and is tried again.
   */
  async errorOf(filter: FilterSpec): Promise<string | undefined> {
    const key = filterKey(filter)
    if (this.#known.has(key)) return this.#known.get(key)
    const error = await filterError(this.#compiler, filter)
    if (!error || filterCodes.includes(error.code)) this.#known.set(key, error?.message)
    return this.#known.get(key)
  }

  /**
   * Called between turns. Filters come and go with captures: beyond the limit all are forgotten,
   * and those in use compiled again.
   */
  trim(): void {
    if (this.#known.size > this.#max) this.#known.clear()
  }
}
