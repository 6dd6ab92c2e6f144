// Collects the buffers of what was passed on. They lie outside of JavaScript's heap, whose collector counts only the small objects
// that name them and sees no hurry: under load they would be most of the memory (test/gateway/load.test.ts measures it).
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

const everyBytes = 8_388_608

export class Sweeper {
  readonly #collect: (how: { readonly type: 'minor' }) => void
  #bytes = 0

  constructor() {
    setFlagsFromString('--expose-gc')
    this.#collect = runInNewContext('gc')
  }

  passed(bytes: number): void {
    this.#bytes += bytes
    if (this.#bytes < everyBytes) return
    this.#bytes = 0
    this.#collect({ type: 'minor' }) // the young ones: a fraction of a millisecond
  }
}
