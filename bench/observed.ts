// What capturing costs the traffic that is captured: bulk TCP between pods without a capture, with
// ours and with tcpdump, in turn, in one run. One pod with one capture, one with ten captures of its
// interface (ours is one process with ten taps, tcpdump is ten processes), four busy pods with one
// capture each. A figure is the median, over the rounds, of the traffic beside that of the same
// round without a capture.
//   node bench/observed.ts
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { directory, inNamespace, ip } from './harness.ts'
import { type HeldNamespace, holdNamespace, iperf } from './iperf.ts'
import { median } from './median.ts'

const rounds = 5
const seconds = 4
const ringBytes = 2_097_152
const startMs = 500 // tcpdump says that it listens a little before it does

type Pod = {
  readonly index: number
  readonly inside: HeldNamespace
  readonly interfaceName: string
}
type Capture = 'none' | 'selcap' | 'tcpdump'
type Scene = { readonly name: string; readonly pods: number; readonly capturesEach: number }

const scenes: readonly Scene[] = [
  { name: '1 pod, 1 capture', pods: 1, capturesEach: 1 },
  { name: '1 pod, 10 captures', pods: 1, capturesEach: 10 },
  { name: '4 pods, 1 capture each', pods: 4, capturesEach: 1 },
]

await inNamespace(async () => {
  const pods: Pod[] = []
  try {
    for (let index = 0; index < 4; index++) pods.push(await makePod(index))
    const ratios: Record<string, number> = {}
    for (const scene of scenes) Object.assign(ratios, await compare(scene, pods))
    process.stdout.write(`${JSON.stringify({ bench: 'observed', ratios })}\n`)
  } finally {
    for (const { inside } of pods) inside.end()
  }
})

async function compare(scene: Scene, all: readonly Pod[]): Promise<Record<string, number>> {
  const pods = all.slice(0, scene.pods)
  const kinds: readonly Capture[] = ['none', 'selcap', 'tcpdump']
  const rates: Record<Capture, number[]> = { none: [], selcap: [], tcpdump: [] }
  for (let round = 0; round < rounds; round++)
    for (const kind of round % 2 === 0 ? kinds : kinds.toReversed())
      rates[kind].push(await rateBeside(kind, pods, scene.capturesEach))
  const ratioOf = (kind: Capture): number =>
    median(rates[kind].map((rate, round) => rate / (rates.none[round] ?? Number.NaN)))
  const [ours, theirs] = [ratioOf('selcap'), ratioOf('tcpdump')]
  process.stdout.write(
    `${scene.name}: ${(median(rates.none) / 1e9).toFixed(1)} Gbit/s without a capture, ${ours.toFixed(2)} of it with selcap, ${theirs.toFixed(2)} with tcpdump\n`,
  )
  return { [`${scene.name}, selcap / none`]: ours, [`${scene.name}, tcpdump / none`]: theirs }
}

/** Bits a second that arrive in all pods together. */
async function rateBeside(kind: Capture, pods: readonly Pod[], each: number): Promise<number> {
  const interfaces = pods.flatMap(({ interfaceName }) => Array<string>(each).fill(interfaceName))
  const files = interfaces.map((_, index) => join(directory, `observed-${index}.pcap`))
  const programs = kind === 'none' ? [] : await startCaptures(kind, interfaces, files)
  try {
    const rates = await Promise.all(pods.map(rateTo))
    return rates.reduce((sum, rate) => sum + rate, 0)
  } finally {
    await Promise.all(programs.map(end))
    for (const file of files) rmSync(file, { force: true })
  }
}

async function startCaptures(
  kind: 'selcap' | 'tcpdump',
  interfaces: readonly string[],
  files: readonly string[],
): Promise<ChildProcess[]> {
  const peer = fileURLToPath(new URL('./peer.ts', import.meta.url))
  const flags = ['-n', '-Z', 'root', '-B', String(ringBytes / 1024), '-s', '262144']
  const commands =
    kind === 'selcap'
      ? [[process.execPath, peer, 'ring', interfaces.join(), files.join(), String(ringBytes)]]
      : interfaces.map((name, index) => ['tcpdump', ...flags, '-i', name, '-w', files[index] ?? ''])
  const programs = commands.map(([command = '', ...args]) =>
    spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] }),
  )
  await Promise.all(
    programs.map(({ stdout, stderr }) =>
      Promise.race([once(stdout, 'data'), once(stderr, 'data')]),
    ),
  )
  await setTimeout(startMs)
  return programs
}

async function end(program: ChildProcess): Promise<void> {
  const ended = once(program, 'exit')
  if (program.spawnfile === 'tcpdump') program.kill('SIGINT')
  else program.stdin?.end()
  await ended
}

async function rateTo({ index, inside }: Pod): Promise<number> {
  const said = await iperf(inside, `10.9.${index}.2`, '-t', String(seconds), '-J')
  const report = JSON.parse(said) as {
    readonly end: { readonly sum_received: { readonly bits_per_second: number } }
  }
  return report.end.sum_received.bits_per_second
}

async function makePod(index: number): Promise<Pod> {
  const inside = await holdNamespace()
  const [interfaceName, peer] = [`pod${index}`, `inside${index}`]
  ip('link', 'add', interfaceName, 'type', 'veth', 'peer', 'name', peer)
  inside.take(peer, `10.9.${index}.2/24`)
  ip('address', 'add', `10.9.${index}.1/24`, 'dev', interfaceName)
  ip('link', 'set', interfaceName, 'up')
  return { index, inside, interfaceName }
}
