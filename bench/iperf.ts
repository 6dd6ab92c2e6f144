// Bulk TCP into a network namespace of its own, for the benches: iperf3 on both sides.
//   const inside = await holdNamespace()
//   inside.take('bench1', '10.9.9.2/24'); await iperf(inside, '10.9.9.2', '-t', '4'); inside.end()
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { ip } from './harness.ts'

const secondsMax = '30'

export type HeldNamespace = {
  readonly path: string
  /** Moves an interface inside, with an address, and sets it up. */
  take(interfaceName: string, address: string): void
  end(): void
}

export async function holdNamespace(): Promise<HeldNamespace> {
  const holder = spawn('unshare', ['-n', 'sh', '-c', 'echo held; exec cat'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  await once(holder.stdout, 'data')
  const path = `/proc/${holder.pid}/ns/net`
  const within = (...args: string[]) => execFileSync('nsenter', [`--net=${path}`, 'ip', ...args])
  return {
    path,
    take(interfaceName, address) {
      ip('link', 'set', interfaceName, 'netns', String(holder.pid))
      within('address', 'add', address, 'dev', interfaceName)
      within('link', 'set', interfaceName, 'up')
    },
    end: () => void holder.stdin.end(),
  }
}

/** One connection to a server inside. Returns what the client printed. */
export async function iperf(
  inside: HeldNamespace,
  address: string,
  ...flags: readonly string[]
): Promise<string> {
  const server = spawn(
    'nsenter',
    [`--net=${inside.path}`, 'timeout', secondsMax, 'iperf3', '-s', '-1', '--forceflush'],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const ended = once(server, 'exit')
  await once(server.stdout.resume(), 'data')
  const client = spawn('timeout', [secondsMax, 'iperf3', '-c', address, ...flags], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const said = await text(client.stdout)
  server.kill()
  await ended
  return said
}
