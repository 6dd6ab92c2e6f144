// Whether a filter compiles, and a bounded cache of the answers, so that each filter is compiled
// once. In: pcap expressions. Out: the compiler's message for a filter that does not compile. The
// cache forgets what says nothing about the filter, such as a lack of memory. A bug throws.

import { type FilterSpec, snapLengthMax } from '../model/capture.ts'
import type { TapErrorCode } from '../model/codes.ts'
import { TapError } from '../model/errors.ts'
import { filterInstructions, filterKey } from '../model/tap.ts'
import type { Driver } from './driver.ts'
import { leastInstructions } from './filterSize.ts'

type Compiler = Pick<Driver, 'compile'>

/** undefined: it compiles, for packets of every length. */
export async function filterError(
  compiler: Compiler,
  spec: FilterSpec,
): Promise<TapError | undefined> {
  const { filter, filterInstructionsMax = filterInstructions.most } = spec
  const least = leastInstructions(filter)
  if (least > filterInstructionsMax) return tooLong(filter, least, filterInstructionsMax)
  try {
    await compiler.compile(filter, snapLengthMax, filterInstructionsMax)
    return undefined
  } catch (error) {
    if (!(error instanceof TapError)) throw error
    return error
  }
}

/** Refused without compiling, which would take long. */
function tooLong(filter: string, least: number, most: number): TapError {
  return new TapError(
    'FILTER_TOO_LONG',
    `Cannot compile filter "${filter.slice(0, shownMax)}${filter.length > shownMax ? '…' : ''}": it takes at least ${least} instructions, expected at most ${most}; fewer hosts or ports make it shorter`,
  )
}

const shownMax = 120
const filterCharactersMax = 8_388_608 // of all filters that are remembered
const filterCodes: readonly TapErrorCode[] = ['BAD_FILTER', 'FILTER_TOO_LONG'] // any other may pass

export class CompiledFilters {
  readonly #compiler: Compiler
  readonly #charactersMax: number
  readonly #known = new Map<string, string | undefined>() // filterKey() → the compiler's message; undefined: it compiles

  readonly #compiling = new Map<string, Promise<void>>() // by filterKey()
  #characters = 0 // of the filters known, and of their messages

  constructor(compile: Driver['compile'], charactersMax = filterCharactersMax) {
    this.#compiler = { compile }
    this.#charactersMax = charactersMax
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

  /** Whether errorOf() is still at work on it. */
  isCompiling(filter: FilterSpec): boolean {
    return this.#compiling.has(filterKey(filter))
  }

  /**
   * undefined: it compiles, or that cannot be told now. Then the tap that opens fails for the same
   * reason, and is tried again.
   */
  async errorOf(filter: FilterSpec): Promise<string | undefined> {
    const key = filterKey(filter)
    if (!this.#known.has(key)) {
      const compiling = this.#compiling.get(key) ?? this.#compile(filter, key)
      this.#compiling.set(key, compiling)
      await compiling.finally(() => this.#compiling.delete(key))
    }
    return this.#known.get(key)
  }

  async #compile(filter: FilterSpec, key: string): Promise<void> {
    const error = await filterError(this.#compiler, filter)
    if (error && !filterCodes.includes(error.code)) return
    this.#known.set(key, error?.message)
    this.#characters += key.length + (error?.message.length ?? 0)
  }

  /**
   * Called between turns. Filters come and go with captures: beyond the limit all are forgotten,
   * and those in use compiled again.
   */
  trim(): void {
    if (this.#characters <= this.#charactersMax) return
    this.#known.clear()
    this.#characters = 0
  }
}
