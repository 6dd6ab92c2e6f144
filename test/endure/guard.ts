// The process that thaws, unmounts and removes what a campaign made, also when the campaign is
// killed. In: requests. Out: nothing, or an Error with what the kernel said. It ends when this
// process does.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export class Guard {
  readonly #process: ChildProcess
  readonly #answers: AsyncIterator<string>

  private constructor(process: ChildProcess) {
    this.#process = process
    if (!process.stdout) throw new Error('Cannot start the guard: it has no output')
    this.#answers = createInterface({ input: process.stdout })[Symbol.asyncIterator]()
  }

  /** The directory goes when the guard ends. */
  static async start(directory: string): Promise<Guard> {
    const script = fileURLToPath(new URL('guard.py', import.meta.url))
    // In a session of its own: an interrupt typed at the terminal does not reach it.
    const child = spawn('setsid', ['python3', '-S', script], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    const guard = new Guard(child)
    await guard.#answers.next()
    await guard.ask('later', directory)
    return guard
  }

  async ask(act: 'mounted' | 'freeze' | 'thaw' | 'later', path: string): Promise<void> {
    this.#process.stdin?.write(`${act} ${path}\n`)
    const { value } = await this.#answers.next()
    if (value !== 'done') throw new Error(`Cannot ${act} ${path}: ${value ?? 'the guard ended'}`)
  }

  /** Everything is cleaned up when this resolves. */
  async close(): Promise<void> {
    if (this.#process.exitCode !== null) return
    const ended = once(this.#process, 'exit')
    this.#process.stdin?.end()
    await ended
  }
}
