// Latency from a PacketCapture in the directory of manifests to the first packet in the capture's
// file, with 1 and with 250 matching endpoints, a packet every 10 ms on each. Compared with the
// time from starting tcpdump to the first packet in its file, with its fastest options (-U,
// --immediate-mode) and by default. Reads the file every 10 ms, and a packet comes every 10 ms: a
// figure is at most 20 ms too high.
//   node bench/latency.ts [ENDPOINTS …]
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  statSync,
} from 'node:fs'
import { setPriority } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { besideTraffic, directory, endpointCounts, inNamespace } from './harness.ts'
import { addTapLinks, Standalone, tapName } from './standalone.ts'

const runs = 50
const lookMs = 10
const counts = endpointCounts([1, 250])

/**
 * Milliseconds for each file until its first packet was in it, and how old that packet was by then.
 */
type Seen = { readonly readable: readonly number[]; readonly captured: readonly number[] }

setPriority(-20) // all that takes part, alike: what else runs on the machine should not decide

await inNamespace(async () => {
  const results: object[] = []
  for (const [index, endpoints] of counts.entries()) {
    addTapLinks(counts[index - 1] ?? 0, endpoints)
    await besideTraffic(100, async () => {
      results.push(shown('selcap', endpoints, await ours(endpoints)))
      const quick = ['-U', '--immediate-mode']
      results.push(
        shown(
          'tcpdump -U --immediate-mode',
          endpoints,
          await repeat(endpoints === 1 ? runs : 5, () => tcpdump(endpoints, quick)),
        ),
      )
      if (endpoints === 1)
        results.push(shown('tcpdump', endpoints, await repeat(20, () => tcpdump(endpoints, []))))
    })
  }
  process.stdout.write(`${JSON.stringify({ bench: 'latency', results })}\n`)
})

async function ours(endpoints: number): Promise<Seen[]> {
  const app = await Standalone.start(`latency-${endpoints}`, endpoints)
  let run = 0
  try {
    return await repeat(runs, async () => {
      const name = `run-${run++}`
      const files = Array.from({ length: endpoints }, (_, index) => app.fileOf(name, index))
      const startMs = now()
      app.apply(name, { selector: 'app == "web"', filters: [{ protocol: 'UDP' }] })
      const seen = await firstPackets(files, startMs)
      keep(dirname(files[0] ?? ''), join(app.root, 'kept', name))
      app.remove(name)
      while (existsSync(dirname(files[0] ?? ''))) await setTimeout(50)
      return seen
    })
  } finally {
    await app.stop()
  }
}

// ext4 does not use the inode of a deleted file again for a minute, and each new file walks past
// all such: hundreds of them would be measured instead. So the files stay under a second name.
function keep(directory: string, as: string): void {
  mkdirSync(as, { recursive: true })
  for (const name of readdirSync(directory)) linkSync(join(directory, name), join(as, name))
}

async function tcpdump(endpoints: number, options: readonly string[]): Promise<Seen> {
  const files = Array.from({ length: endpoints }, (_, index) =>
    join(directory, `${tapName(index)}.pcap`),
  )
  const startMs = now()
  const all = files.map((file, index) =>
    spawn(
      'tcpdump',
      ['-n', '-Z', 'root', '-i', tapName(index), '-B', '512', ...options, '-w', file, 'udp'],
      { stdio: 'ignore' },
    ),
  )
  const seen = await firstPackets(files, startMs)
  const ended = all.map(each => once(each, 'exit'))
  for (const each of all) each.kill('SIGINT')
  await Promise.all(ended)
  for (const file of files) renameSync(file, `${file}.${startMs}`) // as keep() does
  return seen
}

async function firstPackets(files: readonly string[], startMs: number): Promise<Seen> {
  const readable = new Map<string, number>()
  for (let left = files; left.length > 0; await setTimeout(lookMs)) {
    if (now() - startMs > 60_000)
      throw new Error(`Waited in vain for packets in ${left.length} files, such as "${left[0]}"`)
    for (const file of left)
      if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) > 24)
        readable.set(file, now() - startMs)
    left = left.filter(file => !readable.has(file))
  }
  return {
    readable: [...readable.values()],
    captured: files.map(file => firstTime(file) - startMs),
  }
}

/** The time of the first record of a pcap file with microseconds, in milliseconds. */
function firstTime(file: string): number {
  const head = Buffer.alloc(32)
  const fd = openSync(file, 'r')
  readSync(fd, head)
  closeSync(fd)
  return head.readUInt32LE(24) * 1_000 + head.readUInt32LE(28) / 1_000
}

function now(): number {
  return performance.timeOrigin + performance.now()
}

async function repeat(times: number, once: () => Promise<Seen>): Promise<Seen[]> {
  const all: Seen[] = []
  for (let each = 0; each < times; each++) all.push(await once())
  return all
}

function shown(who: string, endpoints: number, seen: readonly Seen[]): object {
  const figures = {
    captured: spread(seen.flatMap(({ captured }) => captured)),
    readable: spread(seen.flatMap(({ readable }) => readable)),
    allReadable: spread(seen.map(({ readable }) => Math.max(...readable))),
  }
  const text = Object.entries(figures).map(
    ([name, { median, p99, worst }]) => `${name} ${median} (p99 ${p99}, worst ${worst})`,
  )
  process.stdout.write(
    `${endpoints} endpoints, ${who}, ${seen.length} runs, ms: ${text.join('; ')}\n`,
  )
  return { endpoints, who, runs: seen.length, ...figures }
}

function spread(values: readonly number[]): { median: number; p99: number; worst: number } {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (part: number) => Math.round(sorted[Math.ceil(part * sorted.length) - 1] ?? Number.NaN)
  return { median: at(0.5), p99: at(0.99), worst: at(1) }
}
