// Collects the buffers of what was passed on. They lie outside of JavaScript's heap, whose collector counts only the small objects
// that name them and sees no hurry: under load they would be most of the memory (test/integration/kube/gateway/load.test.ts measures it). Young ones
// go every 2 MiB, which is also the fastest, since the next buffers find warm memory (bench/README.md); those that grew old while a
// reader was slow go when there are many.
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

  // What is still held after that is in use: no hurry before there is as much again.
  #collectOld(): void {
    this.#collect({ type: 'major' }) // some milliseconds
    this.#oldBytesMax = Math.max(oldBytesMin, 2 * heldBytes())
  }
}

function heldBytes(): number {
  return process.memoryUsage().arrayBuffers
}
