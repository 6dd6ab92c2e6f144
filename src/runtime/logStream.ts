// Writes the lines of a log and never waits for them. In: lines, and the descriptor they go to.
// Out: the lines in their order, as fast as they are taken. A pipe that nobody reads, a stopped
// terminal and a full disk block nothing and end nothing: up to a limit the lines wait; beyond it
// they are dropped and counted, and a line says so when the log is taken again.
import { constants, fstatSync, openSync, write, writeSync } from 'node:fs'
import { Socket } from 'node:net'

const waitingBytesMax = 1_048_576
const pollMs = 50 // how soon a full pipe or disk is tried again
const flushMs = 300 // at the end of the process

const passing: ReadonlySet<string | undefined> = new Set(['EAGAIN', 'ENOSPC', 'EDQUOT', 'EINTR'])

export class LogStream {
  readonly #fd: number
  readonly #isNonBlocking: boolean
  readonly #droppedLine: (lines: number) => string
  #waiting: Buffer[] = []
  #waitingBytes = 0
  #isBusy = false // a write is under way, or the time before the next
  #dropped = 0
  #untold = 0 // of these, those that no line has told yet

  /** `droppedLine`: the line that tells how many were dropped. */
  constructor(fd: number, droppedLine: (lines: number) => string) {
    const own = nonBlocking(fd)
    this.#fd = own ?? fd
    this.#isNonBlocking = own !== undefined
    this.#droppedLine = droppedLine
  }

  /** Lines that are not in the log and never will be. */
  get dropped(): number {
    return this.#dropped
  }

  write(line: string): void {
    const bytes = Buffer.from(line)
    if (this.#waitingBytes + bytes.length > waitingBytesMax) return this.#drop(1)
    this.#add(bytes)
    this.#pump()
  }

  /** At the exit of the process: gives a slow reader a moment, and a blocked one none. */
  flush(): void {
    if (!this.#isNonBlocking && this.#isBusy) return
    const endMs = performance.now() + flushMs
    while (this.#waiting.length > 0 && performance.now() < endMs) {
      this.#writeNow()
      if (this.#waiting.length > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10)
    }
  }

  #pump(): void {
    if (this.#isBusy) return
    if (this.#isNonBlocking) this.#writeNow()
    else this.#writeAside()
  }

  #writeNow(): void {
    try {
      for (let line = this.#waiting[0]; line; line = this.#waiting[0])
        this.#taken(writeSync(this.#fd, line))
    } catch (error) {
      this.#refused(error as NodeJS.ErrnoException)
    }
  }

  // A file, or what cannot be made non-blocking: a thread of the pool waits for it, one at most.
  #writeAside(): void {
    const [line] = this.#waiting
    if (!line) return
    this.#isBusy = true
    write(this.#fd, line, (error, written) => {
      this.#isBusy = false
      if (error) return this.#refused(error)
      this.#taken(written)
      this.#pump()
    })
  }

  #taken(bytes: number): void {
    const [line] = this.#waiting
    if (!line) return
    this.#waitingBytes -= bytes
    if (bytes < line.length) this.#waiting[0] = line.subarray(bytes)
    else this.#waiting.shift()
    if (this.#waiting.length > 0 || this.#untold === 0) return
    this.#add(Buffer.from(this.#droppedLine(this.#untold)))
    this.#untold = 0
  }

  /** What will not pass, such as a reader that is gone, drops the lines that wait. */
  #refused({ code }: NodeJS.ErrnoException): void {
    if (!passing.has(code)) {
      this.#drop(this.#waiting.length)
      this.#waiting = []
      this.#waitingBytes = 0
      return
    }
    if (this.#isBusy) return
    this.#isBusy = true
    setTimeout(() => {
      this.#isBusy = false
      this.#pump()
    }, pollMs).unref()
  }

  #add(bytes: Buffer): void {
    this.#waiting.push(bytes)
    this.#waitingBytes += bytes.length
  }

  #drop(lines: number): void {
    this.#dropped += lines
    this.#untold += lines
  }
}

const sockets: Socket[] = [] // as long as the process: one that is collected closes its descriptor

/**
 * The same pipe or terminal by a description of its own, so that whoever shares the other is not
 * made non-blocking. A socket has one description: it becomes non-blocking, and Node undoes that at
 * its exit. undefined: it is a file, or may not be opened again.
 */
function nonBlocking(fd: number): number | undefined {
  try {
    const found = fstatSync(fd)
    if (found.isSocket()) {
      sockets.push(new Socket({ fd, readable: false, writable: true }).unref())
      return fd
    }
    if (!found.isFIFO() && !found.isCharacterDevice()) return undefined
    const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants
    return openSync(`/proc/self/fd/${fd}`, O_WRONLY | O_NONBLOCK | O_NOCTTY)
  } catch {
    return undefined // closed, or not to be opened again: written aside
  }
}
