// `selcap standalone` in a test: its directories, its manifests, its log, and looks at what it
// wrote.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ExecutionContext } from 'ava'
import { parse, stringify } from 'yaml'
import type { PacketCaptureSpec } from '../../../src/model/packetCaptureSpec.ts'
import type { PublishedCapture } from '../../../src/publish/statusDirectory.ts'
import { readRecords } from '../pcap/captureFile.ts'
import { until } from '../until.ts'

export const selcap = fileURLToPath(new URL('../../../bin/selcap', import.meta.url))

/** One process on directories of its own, with what it logs; ended and swept up behind the test. */
export class Standalone {
  readonly root: string
  readonly log: string[] = []
  process: ChildProcess | undefined

  constructor(t: ExecutionContext) {
    this.root = mkdtempSync(join(tmpdir(), 'selcap-standalone-'))
    for (const name of ['manifests', 'captures', 'status']) mkdirSync(join(this.root, name))
    t.teardown(async () => {
      await this.stop('SIGKILL')
      rmSync(this.root, { recursive: true, force: true })
    })
  }

  async start(wrapper: readonly string[] = [], options: readonly string[] = []): Promise<void> {
    const directories = ['manifests', 'captures', 'status'].flatMap(name => [
      `--${name}`,
      join(this.root, name),
    ])
    const [command = '', ...args] = [
      ...wrapper,
      selcap,
      'standalone',
      '--node',
      'node-0',
      '--metrics-port',
      '0',
      ...directories,
      ...options,
    ]
    const started = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] })
    this.process = started
    let rest = '' // of a line that has not ended
    started.stderr.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      this.log.push(...lines)
    })
    await until(
      'the start',
      () => this.log.some(line => line.includes('selcap started')) || started.exitCode !== null,
    )
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    const running = this.process
    if (!running || running.exitCode !== null || running.signalCode !== null)
      return running?.exitCode ?? null
    const ended = once(running, 'exit')
    running.kill(signal)
    await ended
    return running.exitCode
  }

  write(name: string, ...documents: object[]): void {
    writeFileSync(
      join(this.root, 'manifests', name),
      documents.map(document => stringify(document)).join('---\n'),
    )
  }

  status(name = 'web'): PublishedCapture | undefined {
    try {
      return parse(
        readFileSync(join(this.root, 'status', 'shop', `${name}.yaml`), 'utf8'),
      ) as PublishedCapture
    } catch {
      return undefined
    }
  }

  /** By the process that runs now: the last status of one that has stopped keeps its state. */
  reaches(state: string, name = 'web'): Promise<void> {
    return until(`${name} to be ${state}`, () => {
      const status = this.status(name)?.status
      return (
        status?.state === state && status.conditions.every(({ reason }) => reason !== 'Stopped')
      )
    })
  }

  counts(packets: number, name = 'web'): Promise<void> {
    return until(
      `${packets} packets of ${name}`,
      () => this.status(name)?.status?.packets === packets,
    )
  }

  files(name = 'web'): string[] {
    try {
      return readdirSync(join(this.root, 'captures', 'shop', name))
        .filter(file => !file.startsWith('.'))
        .toSorted()
    } catch {
      return []
    }
  }

  records(name = 'web'): number {
    return this.files(name).reduce(
      (sum, file) =>
        sum +
        readRecords(readFileSync(join(this.root, 'captures', 'shop', name, file)), 'pcap').length,
      0,
    )
  }
}

export function capture(spec: PacketCaptureSpec = {}, name = 'web'): object {
  return {
    apiVersion: 'projectcalico.org/v3',
    kind: 'PacketCapture',
    metadata: { name, namespace: 'shop' },
    spec: { filters: [{ protocol: 'UDP' }], ...spec },
  }
}

export function endpoint(interfaceName: string, labels: object = { app: 'web' }): object {
  return {
    apiVersion: 'projectcalico.org/v3',
    kind: 'WorkloadEndpoint',
    metadata: { name: 'web-0', namespace: 'shop', labels },
    spec: { interfaceName },
  }
}
