// Runs the garbage collector for buffers that were passed on. In: how many bytes were passed. Their
// memory is outside the heap, and the collector counts only the small objects that refer to it:
// under load they would be most of the memory (test/integration/kube/gateway/load.test.ts measures
// it). A minor collection every 2 MiB is also the fastest, because the next buffers reuse warm
// memory (bench/README.md). Buffers that a slow reader made old need a major collection.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

const everyBytes = 2_097_152
const oldEveryTimes = 8
const oldBytesMin = 16_777_216

export class BufferGc {
  readonly #collect: (how: { readonly type: 'minor' | 'major' }) => void
  #bytes = 0
  #times = 0
  #oldBytesMax = oldBytesMin

  constructor() {
    setFlagsFromString('--expose-gc')
    this.#collect = runInNewContext('gc')
  }

  passed(bytes: number): void {
    this.#bytes += bytes
    if (this.#bytes < everyBytes) return
    this.#bytes = 0
    this.#collect({ type: 'minor' }) // a fraction of a millisecond
    if (++this.#times % oldEveryTimes === 0 && heldBytes() > this.#oldBytesMax) this.#collectOld()
  }

  // What remains after a major collection is in use: the next one waits until there is twice as
  // much.
  #collectOld(): void {
    this.#collect({ type: 'major' }) // some milliseconds
    this.#oldBytesMax = Math.max(oldBytesMin, 2 * heldBytes())
  }
}

function heldBytes(): number {
  return process.memoryUsage().arrayBuffers
}
