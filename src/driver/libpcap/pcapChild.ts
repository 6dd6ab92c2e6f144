// Starts a process that holds a libpcap session (pcapProcess.ts) and reads what it tells. In: a request, and optionally
// the path of a network namespace to run it in (entered with nsenter of util-linux). Out: chunks for a MessageReader.
// Refuses with TapError, in libpcap's words. When this process dies, the other one reads the end of its input and ends.
import { type ChildProcess, spawn } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { TapErrorCode } from '../../model/codes.ts'
import { TapError } from '../../model/errors.ts'
import { type ChildMessage, MessageReader, type PcapRequest } from './pcapMessage.ts'

const program = fileURLToPath(new URL('pcapProcess.ts', import.meta.url))
const complaintMax = 1_000
const openTimeoutMs = 2_000 // for the last packets, once asked to end

type Process = ChildProcess & { readonly stdin: Writable; readonly stdout: Readable; readonly stderr: Readable }

export class PcapChild implements AsyncDisposable {
  readonly reader = new MessageReader()
  readonly #process: Process
  readonly #exited: Promise<void>
  readonly #netns: string | undefined
  readonly #complained: Promise<void>
  #complaint = '' // the end of what it wrote on standard error
  readonly #chunks: AsyncIterator<Buffer> // one for good: a second one on the same stream would steal

  constructor(request: PcapRequest, netns?: string) {
    const enter = netns === undefined ? [] : ['nsenter', `--net=${netns}`]
    const [command = '', ...args] = [...enter, process.execPath, program, JSON.stringify(request)]
    this.#process = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] }) as Process
    this.#netns = netns
    this.#process.stderr.on('data', text => {
      this.#complaint = `${this.#complaint}${text}`.slice(-complaintMax)
    })
    this.#complained = new Promise(resolve => this.#process.stderr.on('close', resolve))
    this.#process.stdin.on('error', () => {}) // it may end first
    this.#chunks = this.#process.stdout[Symbol.asyncIterator]() as AsyncIterator<Buffer>
    this.#exited = new Promise(resolve => {
      this.#process.on('exit', () => resolve())
      this.#process.on('error', error => {
        this.#complaint += error.message // it could not be started
        resolve()
      })
    })
  }

  /** Gives the reader what came next; false at the end. While nobody calls this, packets wait in the ring. */
  async more(): Promise<boolean> {
    const chunk = await this.#chunks.next()
    if (!chunk.done) this.reader.push(chunk.value)
    return !chunk.done
  }

  /** Gives it all of its input: it ends when it has told everything. */
  end(input?: Uint8Array): void {
    this.#process.stdin.end(input)
  }

  /** Asks it to end, and ends it if it does not (it may be drowning in packets). Resolves when everything is let go. */
  async close(): Promise<void> {
    this.end()
    const timer = setTimeout(() => this.kill(), openTimeoutMs)
    await this.#exited
    clearTimeout(timer)
  }

  kill(): void {
    this.#process.kill('SIGKILL')
  }

  /** Why it ended before it said that it was ready. */
  async earlyEnd(what: string): Promise<TapError> {
    await this.#complained
    const complaint = this.#complaint.trim() || 'no reason was given'
    if (this.#netns === undefined) return new TapError('NOT_SUPPORTED', `Cannot ${what}: the process for libpcap ended early: ${complaint}`)
    const code = /permi/i.test(complaint) ? 'NOT_PERMITTED' : 'NO_NAMESPACE'
    return new TapError(code, `Cannot ${what} in network namespace "${this.#netns}": ${complaint}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill()
    await this.#exited
  }
}

/** What it tells before the first packet: that it is ready, or what was asked. Refuses with TapError; `what` could not be done. */
export async function firstMessage(child: PcapChild, what: string): Promise<ChildMessage> {
  while (!child.reader.peek()) {
    if (!(await child.more())) throw await child.earlyEnd(what)
  }
  const message = child.reader.peek()
  child.reader.skip()
  if (!message || !('news' in message)) throw new Error(`Cannot ${what}: expected news before the first packet`)
  if (message.news.kind === 'refused') throw refusal(message.news, what)
  return message.news
}

export function refusal({ during, message }: ChildMessage & { readonly kind: 'refused' }, what: string): TapError {
  return new TapError(during === 'filter' ? 'BAD_FILTER' : codeOf(message), `Cannot ${what}: ${message}`)
}

function codeOf(message: string): TapErrorCode {
  if (/no such device/i.test(message)) return 'NO_INTERFACE'
  if (/permi/i.test(message)) return 'NOT_PERMITTED'
  if (/not up|network is down/i.test(message)) return 'INTERFACE_DOWN'
  return /cannot allocate|no buffer space/i.test(message) ? 'NO_MEMORY' : 'NOT_SUPPORTED'
}
