// Which filters compile: the compiler is asked once for each, while anybody has it. In: pcap expressions. Out: why one is refused.
import { TapError } from '../errors.ts'

export type Compile = (filter: string, snapLength: number) => Promise<number>

const longestSnapLength = 262_144

export class FilterVerdicts {
  readonly #compile: Compile
  #known = new Map<string, string | undefined>() // undefined: it compiles
  #asked = new Map<string, string | undefined>()

  constructor(compile: Compile) {
    this.#compile = compile
  }

  /** undefined: it compiles. */
  async refusalOf(filter: string): Promise<string | undefined> {
    const refusal = this.#known.has(filter) ? this.#known.get(filter) : await this.#try(filter)
    this.#known.set(filter, refusal)
    this.#asked.set(filter, refusal)
    return refusal
  }

  /** Keeps what was asked for since the last time: filters come and go with captures. */
  forgetUnasked(): void {
    this.#known = this.#asked
    this.#asked = new Map()
  }

  async #try(filter: string): Promise<string | undefined> {
    try {
      await this.#compile(filter, longestSnapLength)
      return undefined
    } catch (error) {
      if (!(error instanceof TapError)) throw error
      return error.message
    }
  }
}
