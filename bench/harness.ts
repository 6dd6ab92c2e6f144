// Shared by the benches of capturing: a network namespace, a sender, capturing processes and their
// CPU. The CPU of a process is the user and system time of all its threads, from /proc, between
// "ready" and the end of the traffic.
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

export const interfaceName = 'bench0'
export const directory = mkdtempSync(join(tmpdir(), 'selcap-bench-'))
export const senderPath = join(directory, 'sender')

export type Kind = 'ring' | 'package' | 'tcpdump'
export type Run = {
  readonly cpuMs: number
  readonly packets: number
  readonly dropped: number
  readonly bytes: number
}

/** Runs the bench again in a network namespace of its own, and removes its files afterwards. */
export async function inNamespace(main: () => Promise<void>): Promise<void> {
  if (process.env.SELCAP_BENCH_INSIDE === undefined) {
    const inside = spawnSync('unshare', ['-n', '-m', process.execPath, ...process.argv.slice(1)], {
      stdio: 'inherit',
      env: { ...process.env, SELCAP_BENCH_INSIDE: 'yes' },
    })
    process.exitCode = inside.status ?? 1
    rmSync(directory, { recursive: true })
    return
  }
  execFileSync('gcc', [
    '-O2',
    '-D_GNU_SOURCE',
    '-o',
    senderPath,
    fileURLToPath(new URL('./sender.c', import.meta.url)),
  ])
  ip('link', 'add', interfaceName, 'type', 'veth', 'peer', 'name', 'bench1')
  for (const name of [interfaceName, 'bench1', 'lo']) {
    if (name !== 'lo')
      spawnSync('sh', ['-c', `echo 1 >/proc/sys/net/ipv6/conf/${name}/disable_ipv6`])
    ip('link', 'set', name, 'up')
  }
  await main().finally(() => rmSync(directory, { recursive: true, force: true }))
}

export function ip(...args: string[]): void {
  execFileSync('ip', args)
}

/** Captures with one program while `traffic` runs. The file is on the same file system for all. */
export async function capture(
  kind: Kind,
  ringBytes: number,
  traffic: () => Promise<void>,
): Promise<Run> {
  const file = join(directory, `${kind}.pcap`)
  rmSync(file, { force: true })
  const program =
    kind === 'tcpdump' ? startTcpdump(file, ringBytes) : startPeer(kind, file, ringBytes)
  await program.ready
  const before = cpuMs(program.process.pid ?? 0)
  await traffic()
  const seen = await settled(program.process.pid ?? 0, file)
  const result = await program.end()
  return { cpuMs: seen - before, ...result, bytes: statSync(file).size }
}

// Waits until the file does not grow and no CPU is used: all buffers are written.
async function settled(pid: number, file: string): Promise<number> {
  for (let [last, quiet] = ['', 0]; quiet < 4; ) {
    await setTimeout(100)
    const now = `${statSync(file).size}`
    quiet = now === last ? quiet + 1 : 0
    last = now
  }
  return cpuMs(pid)
}

type Program = {
  readonly process: ChildProcess
  readonly ready: Promise<unknown>
  readonly end: () => Promise<{ packets: number; dropped: number }>
}

function startPeer(kind: Kind, file: string, ringBytes: number): Program {
  const started = spawn(
    process.execPath,
    [
      fileURLToPath(new URL('./peer.ts', import.meta.url)),
      kind,
      interfaceName,
      file,
      String(ringBytes),
    ],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  )
  const lines = createInterface({ input: started.stdout })[Symbol.asyncIterator]()
  return {
    process: started,
    ready: lines.next(),
    end: async () => {
      started.stdin.end()
      return JSON.parse((await lines.next()).value as string) as {
        packets: number
        dropped: number
      }
    },
  }
}

function startTcpdump(file: string, ringBytes: number): Program {
  const started = spawn(
    'tcpdump',
    [
      '-n',
      '-Z',
      'root',
      '-i',
      interfaceName,
      '-B',
      String(ringBytes / 1024),
      '-s',
      '262144',
      '-w',
      file,
    ],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  )
  let said = ''
  const ready = new Promise<void>(resolve =>
    started.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text
      if (said.includes('listening on')) resolve()
    }),
  )
  return {
    process: started,
    ready: ready.then(() => setTimeout(200)),
    end: async () => {
      const ended = once(started, 'exit')
      started.kill('SIGINT')
      await ended
      const [packets, dropped] = [/(\d+) packets captured/, /(\d+) packets dropped by kernel/].map(
        pattern => Number(pattern.exec(said)?.[1] ?? Number.NaN),
      )
      return { packets: packets ?? 0, dropped: dropped ?? 0 }
    },
  }
}

/**
 * User and system time of all threads of a process, as the scheduler counts it. A thread may end
 * while it is read.
 */
export function cpuMs(pid: number): number {
  const schedules = execFileSync(
    'sh',
    ['-c', `cat /proc/${pid}/task/*/schedstat 2>/dev/null; true`],
    { encoding: 'utf8' },
  )
  return (
    schedules
      .trim()
      .split('\n')
      .reduce((sum, line) => sum + Number(line.split(' ')[0]), 0) / 1e6
  )
}

export async function send(
  size: number,
  count: number,
  perSecond = 0,
  from = 'bench1',
): Promise<void> {
  const sender = spawn(senderPath, [from, String(size), String(count), String(perSecond)], {
    stdio: 'inherit',
  })
  await once(sender, 'exit')
}

/** How many endpoints, as often as is asked for on the command line. */
export function endpointCounts(standard: readonly number[]): readonly number[] {
  const given = process.argv.slice(2).map(Number)
  return given.length > 0 ? given : standard
}

/** While `main` runs, so many packets of 100 bytes a second. */
export async function besideTraffic(perSecond: number, main: () => Promise<void>): Promise<void> {
  const traffic = spawn(senderPath, ['bench1', '100', '1000000000', String(perSecond)], {
    stdio: 'inherit',
  })
  try {
    await main()
  } finally {
    const ended = once(traffic, 'exit')
    traffic.kill()
    await ended
  }
}

export function machine(): string {
  return readFileSync('/proc/version', 'utf8').split(' ').slice(0, 3).join(' ')
}
