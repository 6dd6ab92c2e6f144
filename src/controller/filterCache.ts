// Which filters compile: the compiler is asked once for each, while anybody has it. In: pcap expressions. Out: why one is refused.

import { filterError } from '../driver/compileCheck.ts'
import type { Driver } from '../driver/driver.ts'
import { type FilterSpec, filterKey } from '../model/tap.ts'

export class CompiledFilters {
  readonly #compile: Driver['compile']
  #known = new Map<string, string | undefined>() // undefined: it compiles
  #asked = new Map<string, string | undefined>()

  constructor(compile: Driver['compile']) {
    this.#compile = compile
  }

  /** undefined: it compiles. */
  async refusalOf(filter: FilterSpec): Promise<string | undefined> {
    const key = filterKey(filter)
    const refusal = this.#known.has(key) ? this.#known.get(key) : await filterError({ compile: this.#compile }, filter)
    this.#known.set(key, refusal)
    this.#asked.set(key, refusal)
    return refusal
  }

  /** Keeps what was asked for since the last time: filters come and go with captures. */
  forgetUnasked(): void {
    this.#known = this.#asked
    this.#asked = new Map()
  }
}
