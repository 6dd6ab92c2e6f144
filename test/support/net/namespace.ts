// Real network namespaces for tests. A namespace lives as long as a small process that holds it and
// reads its standard input: if the test process dies, however it dies, the holder reads the end and
// the namespace goes with all it contains. So nothing is mounted, /run/netns is not touched, and it
// works the same in `unshare -Urnm`.
//   const namespace = await makeNamespace(t)         closed by t.teardown, also after a failure; close() earlier is fine
//   await namespace.ip('link set lo up', …)          ip(8) commands inside
//   namespace.path                                   '/proc/PID/ns/net', for DriverSpec.netns or nsenter
//   await namespace.bindTo(t, '/tmp/…/cni-1')        a file as CNI plugins leave them in /var/run/netns
// Veth pairs: pod.ts. Packets: sender.ts, frames.ts.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { threadId } from 'node:worker_threads'
import { inside, ip, run } from './run.ts'

/** What of a test's `t` these helpers need. Clean-ups run last in, first out. */
export type Scope = { teardown(cleanUp: () => unknown): void }

export class Namespace {
  readonly path: string
  readonly #holder: ChildProcess

  constructor(holder: ChildProcess) {
    this.#holder = holder
    this.path = `/proc/${holder.pid}/ns/net`
  }

  /** For `ip link … netns PID`. */
  get pid(): number {
    return this.#holder.pid ?? 0
  }

  ip(...commands: string[]): Promise<string> {
    return ip(commands, this.path)
  }

  run(command: string, ...args: string[]): Promise<string> {
    return inside(this.path, command, args)
  }

  /**
   * Binds the namespace to a file, which keeps it alive until it is let go (at the latest when the
   * test ends).
   */
  async bindTo(scope: Scope, file: string): Promise<() => Promise<void>> {
    await writeFile(file, '')
    await run('mount', ['--bind', this.path, file])
    let bound = true
    const letGo = async () => {
      if (bound) await run('umount', [file])
      bound = false
    }
    scope.teardown(letGo)
    return letGo
  }

  /**
   * Ends the holder. The kernel takes the namespace down soon after, unless somebody else holds it.
   */
  async close(): Promise<void> {
    if (this.#holder.exitCode !== null || this.#holder.signalCode !== null) return
    const ended = once(this.#holder, 'exit')
    this.#holder.stdin?.end()
    await ended
  }
}

/** A new namespace with nothing in it but loopback, which is up. */
export async function makeNamespace(scope: Scope): Promise<Namespace> {
  const holder = spawn(
    'unshare',
    ['--net', 'sh', '-c', 'ip link set lo up && echo held && exec cat >/dev/null'],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  )
  const namespace = new Namespace(holder)
  scope.teardown(() => namespace.close())
  const [said] = await Promise.race([once(holder.stdout, 'data'), once(holder, 'exit')])
  if (String(said) !== 'held\n')
    throw new Error(`Cannot make a network namespace: unshare ended with ${said}`)
  return namespace
}

const serial = new Int32Array(1) // per worker thread; the name holds the thread's number too

/** An interface name nobody else uses: the process, the thread, a number. At most 15 characters. */
export function uniqueName(): string {
  return `sc${process.pid.toString(36)}t${threadId.toString(36)}n${Atomics.add(serial, 0, 1).toString(36)}`
}

/**
 * Deletes interfaces in this namespace whose test process is dead. (Veth pairs into a namespace go
 * by themselves.)
 */
export async function sweep(): Promise<string[]> {
  const links = JSON.parse(await run('ip', ['-json', 'link', 'show'])) as readonly {
    readonly ifname: string
  }[]
  const orphans = links.map(link => link.ifname).filter(isOrphan)
  for (const name of orphans) await run('ip', ['link', 'delete', name]).catch(() => '') // its peer's deletion took it along
  return orphans
}

function isOrphan(name: string): boolean {
  const found = /^sc([0-9a-z]+)t[0-9a-z]+n[0-9a-z]+$/.exec(name)
  return found !== null && !isAlive(Number.parseInt(found[1] ?? '', 36))
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
