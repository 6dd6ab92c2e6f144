// Writes lines to standard output. In: whole lines, at most 4 KiB at a time if they are to stay
// together beside other writers. Out: resolves when they are written. A slow reader of the pipe
// delays only the printer: an ordinary write would block the whole process.
import { closeSync, constants, fstatSync, openSync, write, writeSync } from 'node:fs'
import { promisify } from 'node:util'
import { ExpectedError } from '../../model/errors.ts'
import type { Clock } from '../../runtime/clock.ts'

export type LinePrinter = (text: string, signal: AbortSignal) => Promise<void>

const pollIntervalMs = 50
const writeAside = promisify(write)

/** Disposing closes its own descriptor, not standard output. */
export class StdoutWriter implements Disposable {
  readonly #clock: Clock
  readonly #pipe = pipeOf(1)

  constructor(clock: Clock) {
    this.#clock = clock
  }

  readonly print: LinePrinter = async (text, signal) => {
    const bytes = Buffer.from(text)
    for (let at = 0; at < bytes.length; ) {
      if (signal.aborted) throw printerStopped()
      const rest = bytes.subarray(at)
      const written =
        this.#pipe === undefined ? await writeIfRoom(1, rest) : writeIfFree(this.#pipe, rest)
      if (written === 0) await this.#clock.sleepUntil(this.#clock.now() + pollIntervalMs, signal)
      at += written
    }
  };

  [Symbol.dispose](): void {
    if (this.#pipe !== undefined) closeSync(this.#pipe)
  }
}

export function printerStopped(): Error {
  return new ExpectedError('Cannot print packets: selcap or the capture was stopped')
}

/**
 * The same pipe by a non-blocking descriptor of its own; undefined: standard output is no pipe.
 */
function pipeOf(fd: number): number | undefined {
  try {
    return fstatSync(fd).isFIFO()
      ? openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK)
      : undefined
  } catch {
    return undefined // no /proc, or a pipe of another user
  }
}

/** The number of bytes written; 0 while the disk is full. */
async function writeIfRoom(fd: number, bytes: Buffer): Promise<number> {
  try {
    return (await writeAside(fd, bytes)).bytesWritten
  } catch (error) {
    if (['ENOSPC', 'EDQUOT', 'EAGAIN'].includes((error as NodeJS.ErrnoException).code ?? ''))
      return 0
    throw error
  }
}

/** The number of bytes written; 0 while the pipe is full. */
function writeIfFree(fd: number, bytes: Buffer): number {
  try {
    return writeSync(fd, bytes)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return 0
    throw error
  }
}
