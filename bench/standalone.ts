// A real `selcap standalone` for benches: directories of its own, manifests written atomically, its
// end. And the network that its taps look at: so many veth pairs, whose other ends hang on one
// bridge, so that one frame sent out of bench1 arrives at every tap. In a network namespace of the
// bench's own (harness.ts), which takes it all along.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { stringify } from 'yaml'
import { directory } from './harness.ts'

const selcap = fileURLToPath(new URL('../bin/selcap', import.meta.url))

export const tapName = (index: number): string => `tap${index}`
export const endpointName = (index: number): string => `web-${index}`

/** Adds veth pairs for taps from..to, all on one bridge with bench0. */
export function addTapLinks(from: number, to: number): void {
  const lines = [
    ...(from === 0
      ? [
          'link add hub type bridge forward_delay 0 mcast_snooping 0',
          'link set bench0 master hub',
          'link set hub up',
        ]
      : []),
  ]
  for (let index = from; index < to; index++) {
    lines.push(
      `link add ${tapName(index)} type veth peer name pod${index}`,
      `link set pod${index} master hub`,
    )
    lines.push(`link set ${tapName(index)} up`, `link set pod${index} up`)
  }
  // No IPv6, whose neighbours talk; and the bridge floods without asking the packet filter, which
  // would look at checksums.
  const off = 'for name in default all; do echo 1 >/proc/sys/net/ipv6/conf/$name/disable_ipv6; done'
  execFileSync('sh', [
    '-c',
    `${off}; for file in /proc/sys/net/bridge/bridge-nf-call-*; do [ ! -e $file ] || echo 0 >$file; done`,
  ])
  execFileSync('ip', ['-batch', '-'], { input: lines.join('\n') })
}

export class Standalone {
  readonly root: string
  readonly process: ChildProcess

  private constructor(root: string, process: ChildProcess) {
    this.root = root
    this.process = process
  }

  /** Resolves when it says that it has started. */
  static async start(name: string, endpoints: number): Promise<Standalone> {
    const root = join(directory, name)
    for (const each of ['manifests', 'captures', 'status'])
      mkdirSync(join(root, each), { recursive: true })
    write(
      root,
      'endpoints.yaml',
      Array.from({ length: endpoints }, (_, index) => endpoint(index)),
    )
    const directories = ['manifests', 'captures', 'status'].flatMap(each => [
      `--${each}`,
      join(root, each),
    ])
    const log = openSync(join(root, 'log'), 'w') // not a pipe: whoever reads it late would hold it up
    const started = spawn(
      selcap,
      ['standalone', '--node', 'node-0', '--metrics-port', '0', ...directories],
      {
        stdio: ['ignore', 'ignore', log],
      },
    )
    while (!readFileSync(join(root, 'log'), 'utf8').includes('selcap started')) {
      if (started.exitCode !== null)
        throw new Error(`Cannot start selcap: ${readFileSync(join(root, 'log'), 'utf8')}`)
      await setTimeout(50)
    }
    closeSync(log)
    return new Standalone(root, started)
  }

  get pid(): number {
    return this.process.pid ?? 0
  }

  /** Puts a capture into the directory of manifests, whole; returns the time just before. */
  apply(name: string, spec: object = {}): number {
    const metadata = { name, namespace: 'shop' }
    return write(this.root, `${name}.yaml`, [
      { apiVersion: 'projectcalico.org/v3', kind: 'PacketCapture', metadata, spec },
    ])
  }

  remove(name: string): void {
    rmSync(join(this.root, 'manifests', `${name}.yaml`))
  }

  fileOf(name: string, index: number): string {
    return join(
      this.root,
      'captures',
      'shop',
      name,
      `${endpointName(index)}_${tapName(index)}.pcap`,
    )
  }

  state(name: string): string | undefined {
    try {
      return /^ {2}state: (.*)$/m.exec(
        readFileSync(join(this.root, 'status', 'shop', `${name}.yaml`), 'utf8'),
      )?.[1]
    } catch {
      return undefined
    }
  }

  async stop(): Promise<void> {
    const ended = once(this.process, 'exit')
    this.process.kill('SIGTERM')
    await ended
  }
}

function endpoint(index: number): object {
  return {
    apiVersion: 'projectcalico.org/v3',
    kind: 'WorkloadEndpoint',
    metadata: { name: endpointName(index), namespace: 'shop', labels: { app: 'web' } },
    spec: { interfaceName: tapName(index) },
  }
}

function write(root: string, name: string, documents: readonly object[]): number {
  const text = documents.map(document => stringify(document)).join('---\n')
  writeFileSync(join(root, `${name}.next`), text)
  const atMs = Date.now()
  renameSync(join(root, `${name}.next`), join(root, 'manifests', name))
  return atMs
}
