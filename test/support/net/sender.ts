// Sends counted, recognisable packets from a namespace (or from this one): a Python process that
// stays there and does what it is told, since Node cannot enter a namespace and has no raw sockets.
//   const sender = await makeSender(t, pod.namespace)        makeSender(t) for this namespace
//   await sender.udp({ to: pod.hostAddress, port, count: 100 })     payloads as numbered() in frames.ts makes them
//   await sender.frames('eth0', [frame, …])                  whole frames, AF_PACKET
//   const port = await sender.listenTcp(address)             swallows what comes; await other.tcp({ to, port, bytes })
//   await sender.ping({ to, count })                         each echo is waited for
// Every call resolves when the packets are sent, to the times just before and after; they may run
// one at a time only.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createInterface, type Interface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Namespace, Scope } from './namespace.ts'

export type Sent = { readonly fromMs: number; readonly toMs: number }
type Answer = {
  readonly from: number
  readonly to: number
  readonly port?: number
  readonly arrived?: number
  readonly error?: string
}

/**
 * `first` is the number of the first packet, `bytes` the size of each payload, `gapMs` a pause
 * after each.
 */
export type Datagrams = {
  readonly to: string
  readonly port: number
  readonly count: number
  readonly first?: number
  readonly bytes?: number
  readonly gapMs?: number
}

export class Sender {
  readonly #process: ChildProcess
  readonly #answers: AsyncIterator<string>

  constructor(process: ChildProcess, answers: Interface) {
    this.#process = process
    this.#answers = answers[Symbol.asyncIterator]()
  }

  async udp({ to, port, count, first = 0, bytes = 32, gapMs = 0 }: Datagrams): Promise<Sent> {
    return times(await this.#ask({ act: 'udp', to, port, count, first, bytes, gap: gapMs / 1000 }))
  }

  async frames(interfaceName: string, frames: readonly Uint8Array[]): Promise<Sent> {
    const encoded = frames.map(frame => Buffer.from(frame).toString('base64'))
    return times(await this.#ask({ act: 'frames', interface: interfaceName, frames: encoded }))
  }

  /** A port that somebody listens on, so that no ICMP message answers. */
  async listenUdp(address: string): Promise<number> {
    return (await this.#ask({ act: 'listen_udp', address })).port ?? 0
  }

  async listenTcp(address: string): Promise<number> {
    return (await this.#ask({ act: 'listen_tcp', address })).port ?? 0
  }

  /** One connection; resolves when the other side has counted the bytes. */
  async tcp(to: {
    readonly to: string
    readonly port: number
    readonly bytes: number
  }): Promise<Sent & { readonly arrived: number }> {
    const answer = await this.#ask({ act: 'tcp', ...to })
    return { ...times(answer), arrived: answer.arrived ?? 0 }
  }

  async ping(to: { readonly to: string; readonly count: number }): Promise<Sent> {
    return times(await this.#ask({ act: 'ping', ...to }))
  }

  /** Resolves once the process is ready for requests. */
  async ready(): Promise<void> {
    await this.#next('start')
  }

  async close(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    const ended = once(this.#process, 'exit')
    this.#process.kill('SIGKILL')
    await ended
  }

  async #ask(request: Readonly<Record<string, unknown>>): Promise<Answer> {
    this.#process.stdin?.write(`${JSON.stringify(request)}\n`)
    const answer = await this.#next(String(request.act))
    if (answer.error) throw new Error(`Cannot send ${request.act}: ${answer.error}`)
    return answer
  }

  async #next(act: string): Promise<Answer> {
    const line = await this.#answers.next()
    if (line.done)
      throw new Error(`Cannot send ${act}: the sender ended with ${this.#process.exitCode}`)
    return JSON.parse(line.value) as Answer
  }
}

export async function makeSender(scope: Scope, namespace?: Namespace): Promise<Sender> {
  const python = existsSync('/usr/bin/python3') ? '/usr/bin/python3' : 'python3' // a version manager's shim costs 0.3 s
  const script = fileURLToPath(new URL('sender.py', import.meta.url))
  const enter = namespace ? ['nsenter', `--net=${namespace.path}`] : []
  const [command = python, ...args] = [...enter, python, '-S', script]
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  const sender = new Sender(child, createInterface({ input: child.stdout }))
  scope.teardown(() => sender.close())
  await sender.ready()
  return sender
}

function times({ from, to }: Answer): Sent {
  return { fromMs: from / 1e6, toMs: to / 1e6 }
}
