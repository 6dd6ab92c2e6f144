// A program that a test starts and ends: its output goes to a file, and it dies with the thread
// that started it, however that ends (the kernel sends it SIGKILL), so that a failed test or a
// killed runner leaves nothing running.
//   await using etcd = startChild('etcd', [toolPath('etcd'), …], { logFile })
//   await etcd.stop()        SIGTERM, and SIGKILL after three seconds
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { until } from '../until.ts'

export type ChildOptions = { readonly logFile: string; readonly env?: NodeJS.ProcessEnv }

const stopMs = 3_000

export class Child implements AsyncDisposable {
  readonly name: string
  readonly #process: ChildProcess
  readonly #logFile: string
  readonly #ended: Promise<unknown>

  constructor(name: string, process: ChildProcess, logFile: string) {
    this.name = name
    this.#process = process
    this.#logFile = logFile
    this.#ended = Promise.race([once(process, 'exit'), once(process, 'error')])
    this.#ended.catch(() => {}) // told by isRunning
  }

  get pid(): number {
    return this.#process.pid ?? 0
  }

  get isRunning(): boolean {
    return (
      this.#process.pid !== undefined &&
      this.#process.exitCode === null &&
      this.#process.signalCode === null
    )
  }

  /** How it ended. */
  get exit(): { readonly code: number | null; readonly signal: NodeJS.Signals | null } {
    return { code: this.#process.exitCode, signal: this.#process.signalCode }
  }

  /** Resolves when it has ended, however. */
  async whenEnded(): Promise<void> {
    await this.#ended.catch(() => {})
  }

  /** The last lines it wrote. */
  tail(lines = 15): string {
    return readFileSync(this.#logFile, 'utf8').split('\n').slice(-lines).join('\n')
  }

  /**
   * Waits until `isReady` says so. Refuses with the child's last words when it ends, or takes too
   * long.
   */
  async ready(isReady: () => Promise<boolean>): Promise<void> {
    const isSo = async () => {
      if (await isReady()) return true
      if (!this.isRunning)
        throw new Error(
          `Cannot start ${this.name}: it ended with ${this.#process.exitCode ?? this.#process.signalCode}\n${this.tail()}`,
        )
      return false
    }
    await until(`${this.name} to be ready`, isSo, { everyMs: 50, tails: [this] })
  }

  /**
   * Twice is fine. A command that only runs another one passes nothing on: end it with SIGKILL,
   * which the kernel passes on.
   */
  async stop(signal: NodeJS.Signals = 'SIGTERM', patienceMs = stopMs): Promise<void> {
    if (!this.isRunning) return
    this.#process.kill(signal)
    const hurry = setTimeout(() => this.#process.kill('SIGKILL'), patienceMs)
    await this.#ended
    clearTimeout(hurry)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }
}

/** `command` is a program with its arguments. */
export function startChild(
  name: string,
  command: readonly string[],
  { logFile, env = process.env }: ChildOptions,
): Child {
  const log = openSync(logFile, 'a')
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...command], {
    env,
    stdio: ['ignore', log, log],
  })
  closeSync(log)
  return new Child(name, child, logFile)
}
