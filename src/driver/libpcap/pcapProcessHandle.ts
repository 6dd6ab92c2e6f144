// The parent's side of a process with a libpcap session (pcapProcess.ts): starts it and reads its
// messages. In: a request, and optionally the path of a network namespace, which nsenter of
// util-linux enters. Out: messages. Refuses with TapError and libpcap's message. When this process
// dies, the child reads the end of its input and ends.
import { type ChildProcess, spawn } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { TapErrorCode } from '../../model/codes.ts'
import { ExpectedError, TapError } from '../../model/errors.ts'
import { type ChildMessage, MessageReader, type PcapRequest } from './pcapMessage.ts'

const program = fileURLToPath(new URL('pcapProcess.ts', import.meta.url))
const stderrMax = 1_000
const openTimeoutMs = 2_000 // for the last packets, once asked to end

type Process = ChildProcess & {
  readonly stdin: Writable
  readonly stdout: Readable
  readonly stderr: Readable
}

export class PcapProcessHandle implements AsyncDisposable {
  readonly reader = new MessageReader()
  readonly #process: Process
  readonly #exited: Promise<void>
  readonly #netns: string | undefined
  readonly #stderrEnded: Promise<void>
  #stderr = '' // the end of its standard error
  readonly #chunks: AsyncIterator<Buffer> // the only one: a second iterator on the stream would take chunks from it

  constructor(request: PcapRequest, netns?: string) {
    const enter = netns === undefined ? [] : ['nsenter', `--net=${netns}`]
    const [command = '', ...args] = [...enter, process.execPath, program, JSON.stringify(request)]
    this.#process = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] }) as Process
    this.#netns = netns
    this.#process.stderr.on('data', text => {
      this.#stderr = `${this.#stderr}${text}`.slice(-stderrMax)
    })
    this.#stderrEnded = new Promise(resolve => this.#process.stderr.on('close', resolve))
    this.#process.stdin.on('error', () => {}) // EPIPE if it ended first: earlyEnd() gives the reason
    this.#chunks = this.#process.stdout[Symbol.asyncIterator]() as AsyncIterator<Buffer>
    this.#exited = new Promise(resolve => {
      this.#process.on('exit', () => resolve())
      this.#process.on('error', error => {
        this.#stderr += error.message // it could not start
        resolve()
      })
    })
  }

  /**
   * Gives the reader the next chunk; false at the end. Until it is called, packets wait in the
   * ring.
   */
  async more(): Promise<boolean> {
    const chunk = await this.#chunks.next()
    if (!chunk.done) this.reader.push(chunk.value)
    return !chunk.done
  }

  /** Ends the process's input, after which it sends its last messages and ends. */
  end(input?: Uint8Array): void {
    this.#process.stdin.end(input)
  }

  /**
   * Asks it to end, and kills it if it does not, as under overload. Resolves when it has exited.
   */
  async close(): Promise<void> {
    this.end()
    const timer = setTimeout(() => this.kill(), openTimeoutMs)
    await this.#exited
    clearTimeout(timer)
  }

  kill(): void {
    this.#process.kill('SIGKILL')
  }

  /** The reason why it ended before it was ready. */
  async earlyEnd(what: string): Promise<TapError> {
    await this.#stderrEnded
    const stderr = this.#stderr.trim() || 'no reason was given'
    if (this.#netns === undefined)
      return new TapError(
        'NOT_SUPPORTED',
        `Cannot ${what}: the process for libpcap ended early: ${stderr}`,
      )
    const code = /permi/i.test(stderr) ? 'NOT_PERMITTED' : 'NO_NAMESPACE'
    return new TapError(code, `Cannot ${what} in network namespace "${this.#netns}": ${stderr}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill()
    await this.#exited
  }
}

/**
 * The first message: the session is ready, or the answer. Refuses with TapError that `what` could
 * not be done, and a packet before it with ExpectedError: without a code, so that the tap is tried
 * again.
 */
export async function firstMessage(
  child: Pick<PcapProcessHandle, 'reader' | 'more' | 'earlyEnd'>,
  what: string,
): Promise<ChildMessage> {
  while (!child.reader.peek()) {
    if (!(await child.more())) throw await child.earlyEnd(what)
  }
  const message = child.reader.peek()
  child.reader.skip()
  if (!message || !('control' in message))
    throw new ExpectedError(
      `Cannot ${what}: the process for libpcap sent a packet before its first message`,
    )
  if (message.control.kind === 'refused') throw refusal(message.control, what)
  return message.control
}

export function refusal(
  { during, message }: ChildMessage & { readonly kind: 'refused' },
  what: string,
): TapError {
  return new TapError(
    during === 'filter' ? 'BAD_FILTER' : codeOf(message),
    `Cannot ${what}: ${message}`,
  )
}

function codeOf(message: string): TapErrorCode {
  if (/no such device/i.test(message)) return 'NO_INTERFACE'
  if (/permi/i.test(message)) return 'NOT_PERMITTED'
  if (/not up|network is down/i.test(message)) return 'INTERFACE_DOWN'
  return /cannot allocate|no buffer space/i.test(message) ? 'NO_MEMORY' : 'NOT_SUPPORTED'
}
