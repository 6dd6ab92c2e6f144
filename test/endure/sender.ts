// Packets of one endpoint, numbered by their sender. In: rates. Out: how many were sent, and when
// each was. A packet that the kernel refused to send is none.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Namespace, Scope } from '../support/net/namespace.ts'

const script = fileURLToPath(new URL('sender.py', import.meta.url))
const entryBytes = 16

/** When each packet was sent: milliseconds since the epoch, just before and just after. */
export type SentTimes = {
  readonly beforeMs: readonly number[]
  readonly afterMs: readonly number[]
}

export type Rate = { readonly perSecond: number; readonly bytes: number }

export class EndlessSender {
  readonly #process: ChildProcess
  readonly #answers: AsyncIterator<string>
  readonly #log: string
  readonly #beforeMs: number[] = []
  readonly #afterMs: number[] = []

  private constructor(process: ChildProcess, log: string) {
    this.#process = process
    this.#log = log
    if (!process.stdout) throw new Error('Cannot start a sender: it has no output')
    this.#answers = createInterface({ input: process.stdout })[Symbol.asyncIterator]()
  }

  /** `endpoint` is the number in its packets. */
  static async start(
    scope: Scope,
    { path }: Pick<Namespace, 'path'>,
    { endpoint, log }: { readonly endpoint: number; readonly log: string },
  ): Promise<EndlessSender> {
    const command = [`--net=${path}`, 'setpriv', '--pdeathsig', 'KILL', '--', 'python3', '-S']
    const child = spawn('nsenter', [...command, script, String(endpoint), log], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    const sender = new EndlessSender(child, log)
    scope.teardown(() => sender.close())
    await sender.#answer()
    return sender
  }

  async send({ perSecond, bytes }: Rate): Promise<void> {
    await this.#ask({ rate: perSecond, bytes })
  }

  /** Resolves when the last packet is on its way, to the times of all. */
  async pause(): Promise<SentTimes> {
    await this.#ask({ rate: 0 })
    this.#readLog()
    return this.sent
  }

  /** Up to the last pause. */
  get sent(): SentTimes {
    return { beforeMs: this.#beforeMs, afterMs: this.#afterMs }
  }

  /** Sends from another network namespace from now on. It has to rest meanwhile. */
  async enter({ path }: Pick<Namespace, 'path'>): Promise<void> {
    await this.#ask({ enter: path })
  }

  async close(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    const ended = once(this.#process, 'exit')
    this.#process.kill('SIGKILL')
    await ended
  }

  async #ask(change: object): Promise<void> {
    this.#process.stdin?.write(`${JSON.stringify(change)}\n`)
    await this.#answer()
  }

  async #answer(): Promise<void> {
    const { done } = await this.#answers.next()
    if (done) throw new Error(`Cannot send: the sender ended with ${this.#process.exitCode}`)
  }

  #readLog(): void {
    const fd = openSync(this.#log, 'r')
    const buffer = Buffer.alloc(entryBytes * 4_096)
    for (;;) {
      const got = readSync(fd, buffer, 0, buffer.length, this.#beforeMs.length * entryBytes)
      for (let at = 0; at + entryBytes <= got; at += entryBytes) {
        this.#beforeMs.push(Number(buffer.readBigInt64LE(at)) / 1e6)
        this.#afterMs.push(Number(buffer.readBigInt64LE(at + 8)) / 1e6)
      }
      if (got < buffer.length) break
    }
    closeSync(fd)
  }
}
