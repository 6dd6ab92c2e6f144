// Asynchronous work on a directory whose disk may stop answering. In: operations. Out: their
// results. A frozen disk holds a thread of libuv's pool for each operation in flight, so a Disk
// limits them; the others wait in memory. Refuses nothing and ends no operation: a system call
// cannot be taken back.
import { setTimeout } from 'node:timers/promises'

const pollMs = 100
/** A disk that has not answered for so long is stalled. */
export const stalledAfterMs = 2_000

export class Disk {
  readonly #atOnce: number
  readonly #began = new Set<{ readonly atMs: number }>() // operations in flight, the oldest first
  readonly #waiting: (() => void)[] = []
  #running = 0 // of these, those that take a thread of the pool

  constructor(atOnce = 2) {
    this.#atOnce = atOnce
  }

  /** How long the oldest operation in flight has not been answered; 0: none is in flight. */
  get silentMs(): number {
    const [oldest] = this.#began
    return oldest ? performance.now() - oldest.atMs : 0
  }

  get isStalled(): boolean {
    return this.silentMs >= stalledAfterMs
  }

  /** Operations that wait for their turn or for an answer. */
  get pending(): number {
    return this.#began.size + this.#waiting.length
  }

  /** An operation makes one system call at a time, and calls run() of no Disk. */
  async run<T>(operation: () => Promise<T>): Promise<T> {
    if (this.#running < this.#atOnce) this.#running++
    else await new Promise<void>(resolve => this.#waiting.push(resolve)) // whoever ends hands its place on
    try {
      return await this.watch(operation())
    } finally {
      const next = this.#waiting.shift()
      if (next) next()
      else this.#running--
    }
  }

  /** Work on this disk that another thread does: it counts as an operation in flight. */
  async watch<T>(work: Promise<T>): Promise<T> {
    const begun = { atMs: performance.now() }
    this.#began.add(begun)
    try {
      return await work
    } finally {
      this.#began.delete(begun)
    }
  }

  /** Waits for work on this disk. False: the disk is stalled, and the work goes on later. */
  async answered(work: Promise<unknown>, silentMsMax = stalledAfterMs): Promise<boolean> {
    const over = new AbortController()
    const done = work.then(() => true)
    try {
      return await Promise.race([done, this.#silent(silentMsMax, over.signal)])
    } finally {
      over.abort()
    }
  }

  async #silent(ms: number, signal: AbortSignal): Promise<false> {
    while (!signal.aborted && this.silentMs < ms)
      await setTimeout(pollMs, undefined, { signal }).catch(() => {})
    return false
  }
}

/** Operations of one directory: they run in order, one at a time. */
export class DiskQueue {
  readonly disk: Disk
  #last: Promise<unknown> = Promise.resolve()

  constructor(disk: Disk) {
    this.disk = disk
  }

  run<T>(operation: () => Promise<T>): Promise<T> {
    const result = this.#last.then(() => this.disk.run(operation))
    this.#last = result.catch(() => {}) // the caller gets the error; the next operation only waits
    return result
  }
}

/** A value that is read from a disk again and again: the last one, while the next is awaited. */
export class DiskLook<T> {
  readonly #read: () => Promise<T>
  #value: T
  #readAtMs: number
  #running: Promise<void> | undefined

  constructor(first: T, read: () => Promise<T>) {
    this.#value = first
    this.#read = read
    this.#readAtMs = performance.now()
  }

  get value(): T {
    return this.#value
  }

  /** How old the value is. */
  get ageMs(): number {
    return performance.now() - this.#readAtMs
  }

  /** Reads again, unless the last reading was not answered yet. */
  refresh(): Promise<void> {
    this.#running ??= this.#readOnce().finally(() => {
      this.#running = undefined
    })
    return this.#running
  }

  async #readOnce(): Promise<void> {
    this.#value = await this.#read()
    this.#readAtMs = performance.now()
  }
}
