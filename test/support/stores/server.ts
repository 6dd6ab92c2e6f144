// A server of somebody else's in a test: a program on a free port of the loopback with a directory
// of its own, which a test kills and starts again on the same port. Gone with the test.
import { mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Child, startChild } from '../kube/child.ts'
import type { Scope } from '../net/namespace.ts'
import { inside } from '../net/run.ts'

export type Program = {
  readonly name: string
  readonly command: readonly string[]
  readonly env?: NodeJS.ProcessEnv
  readonly netns?: string // of a cluster; else ours
  readonly isTls?: boolean
}

export class TestServer {
  readonly directory: string
  readonly port: number
  readonly #program: Program
  #child: Child | undefined

  constructor(directory: string, port: number, program: Program) {
    this.directory = directory
    this.port = port
    this.#program = program
  }

  get url(): string {
    return `${this.#program.isTls ? 'https' : 'http'}://127.0.0.1:${this.port}`
  }

  /** What it wrote, the end of it. */
  tail(lines?: number): string {
    return this.#child?.tail(lines) ?? ''
  }

  async start(): Promise<void> {
    const { name, command, env = process.env, netns } = this.#program
    const there =
      netns === undefined
        ? []
        : ['nsenter', `--net=${netns}`, 'setpriv', '--pdeathsig', 'KILL', '--']
    this.#child = startChild(name, [...there, ...command], {
      logFile: join(this.directory, 'log'),
      env,
    })
    await this.#child.ready(() =>
      netns === undefined ? isOpen(this.port) : isOpenIn(netns, this.port),
    )
  }

  /** It stands still, or goes on. */
  pause(isPaused: boolean): void {
    if (this.#child?.isRunning) process.kill(this.#child.pid, isPaused ? 'SIGSTOP' : 'SIGCONT')
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    await this.#child?.stop(signal)
  }
}

/** A `directory` of the caller's stays. */
export async function startServer(
  scope: Scope,
  program: (directory: string, port: number) => Program,
  directory?: string,
): Promise<TestServer> {
  const own = directory ?? mkdtempSync(join(tmpdir(), 'selcap-store-'))
  const port = await freePort()
  const server = new TestServer(own, port, program(own, port))
  scope.teardown(async () => {
    await server.stop('SIGKILL')
    if (directory === undefined) rmSync(own, { recursive: true, force: true })
  })
  await server.start()
  return server
}

export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise(resolve => server.close(resolve))
  return port
}

async function isOpenIn(netns: string, port: number): Promise<boolean> {
  return (await inside(netns, 'ss', ['-Hltn', `sport = :${port}`])) !== ''
}

function isOpen(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}
