// A user's directory with bin/ and examples/ in it, on a node of its own: a network namespace with
// the interfaces that examples/workload-endpoints.yaml names, and a pod that sends. What a document
// says is typed here is typed here.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { parse } from 'yaml'
import type { PublishedCapture } from '../../../src/publish/statusDirectory.ts'
import { makeNamespace, type Namespace } from '../net/namespace.ts'
import { inside } from '../net/run.ts'
import { makeSender, type Sender } from '../net/sender.ts'
import { root } from '../repository.ts'
import { until } from '../until.ts'

export const interfaceName = 'cali1234567890a'
const [hostAddress, podAddress] = ['198.18.0.1', '198.18.0.2']

export class Place {
  readonly t: ExecutionContext
  readonly path: string
  #node: Namespace | undefined
  #sender: Sender | undefined
  #port = 0

  constructor(t: ExecutionContext) {
    this.t = t
    this.path = mkdtempSync(join(tmpdir(), 'selcap-place-'))
    t.teardown(() => rmSync(this.path, { recursive: true, force: true }))
    for (const name of ['bin', 'examples']) symlinkSync(join(root, name), join(this.path, name))
    // Whoever runs these tests may capture already: sudo has nothing to add, and is not everywhere.
    mkdirSync(join(this.path, 'tools'))
    writeFileSync(join(this.path, 'tools', 'sudo'), '#!/bin/sh\nexec "$@"\n', { mode: 0o755 })
  }

  async addNetwork(): Promise<void> {
    const [node, pod] = [await makeNamespace(this.t), await makeNamespace(this.t)]
    for (const each of [node, pod])
      await each.run('sh', '-c', 'echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6')
    await node.ip(`link add name ${interfaceName} type veth peer name eth0 netns ${pod.pid}`, `address add ${hostAddress}/30 dev ${interfaceName}`, `link set ${interfaceName} up`) // biome-ignore format: one line
    await pod.ip(`address add ${podAddress}/30 dev eth0`, 'link set eth0 up')
    this.#node = node
    this.#sender = await makeSender(this.t, pod)
    this.#port = await (await makeSender(this.t, node)).listenUdp(hostAddress)
  }

  /** Types a command; resolves to its output, refuses one that fails. */
  type(command: string): Promise<string> {
    return inside(this.#node?.path, 'sh', ['-c', this.#typed(command)])
  }

  /** Types a command that stays, until the test ends; resolves when it has said so. */
  async leave(command: string, said: string): Promise<ChildProcess> {
    const [enter, args] = this.#node ? ['nsenter', [`--net=${this.#node.path}`, 'sh']] : ['sh', []]
    const left = spawn(enter, [...args, '-c', this.#typed(`exec ${command}`)], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    this.t.teardown(() => left.kill('SIGKILL'))
    let log = ''
    left.stderr.setEncoding('utf8').on('data', (text: string) => {
      log += text
    })
    await until(`"${said}" of ${command}`, () => log.includes(said) || left.exitCode !== null)
    if (left.exitCode !== null)
      throw new Error(`Cannot leave ${command}: it ended with ${left.exitCode}\n${log}`)
    return left
  }

  async end(left: ChildProcess): Promise<number | null> {
    const ended = once(left, 'exit')
    left.kill('SIGTERM')
    await ended
    return left.exitCode
  }

  /** Datagrams of 1,000 bytes from the pod. */
  async send(count: number): Promise<void> {
    await this.#sender?.udp({ to: hostAddress, port: this.#port, count, bytes: 1_000 })
  }

  status(name = 'web'): PublishedCapture | undefined {
    try {
      return parse(
        readFileSync(join(this.path, 'status', 'shop', `${name}.yaml`), 'utf8'),
      ) as PublishedCapture
    } catch {
      return undefined
    }
  }

  reaches(state: string): Promise<void> {
    return until(`the state ${state}`, () => this.status()?.status?.state === state)
  }

  #typed(command: string): string {
    return `cd '${this.path}' && PATH="$PWD/tools:$PATH" && ${command}`
  }
}
