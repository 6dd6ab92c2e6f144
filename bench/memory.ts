// Memory without rings, and idle CPU, of a real `selcap standalone` with 1, 50 and 250 taps on real
// veths; beside it as many tcpdump as there are taps, with rings of the same size. Memory is what
// /proc/PID/smaps calls Pss (for one process nearly its RSS), less the mappings of packet sockets.
//   node bench/memory.ts [TAPS …]
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { directory, endpointCounts, inNamespace, send } from './harness.ts'
import { median } from './median.ts'
import { addTapLinks, Standalone, tapName } from './standalone.ts'
import { cpuPercent, mib, ringsOf, useOf } from './use.ts'

const counts = endpointCounts([1, 50, 250])
const quietMs = 10_000 // until what opening needed has been given back
const idleRuns = 3

type Figures = {
  readonly mib: number
  readonly rssMib: number
  readonly ringMib: number
  readonly busyMib: number
  readonly idlePercent: number
}

await inNamespace(async () => {
  const results: object[] = []
  await (await Standalone.start('memory-first', 0)).stop() // leaves what stripping the types made to those that follow
  process.stdout.write('taps: without rings (RSS; after traffic), rings, CPU when idle\n')
  for (const [index, taps] of counts.entries()) {
    addTapLinks(counts[index - 1] ?? 0, taps)
    const ours = await measureOurs(taps)
    const theirs = await measureTcpdump(taps, (ours.ringMib / taps) * 1024)
    for (const [name, each] of Object.entries({ selcap: ours, tcpdump: theirs })) {
      process.stdout.write(
        `${taps} ${name}: ${each.mib.toFixed(1)} MiB (RSS ${each.rssMib.toFixed(1)}; ${each.busyMib.toFixed(1)}), rings ${each.ringMib} MiB, ${each.idlePercent.toFixed(2)} %\n`,
      )
    }
    results.push({ taps, ours, theirs })
  }
  process.stdout.write(`${JSON.stringify({ bench: 'memory', results })}\n`)
})

async function measureOurs(taps: number): Promise<Figures> {
  const app = await Standalone.start(`memory-${taps}`, taps)
  try {
    app.apply('all')
    return await measure([app.pid], taps)
  } finally {
    await app.stop()
  }
}

async function measureTcpdump(taps: number, ringKib: number): Promise<Figures> {
  const all = Array.from({ length: taps }, (_, index) => startTcpdump(index, ringKib))
  try {
    return await measure(
      all.map(({ pid }) => pid ?? 0),
      taps,
    )
  } finally {
    const ended = all.map(each => once(each, 'exit'))
    for (const each of all) each.kill('SIGINT')
    await Promise.all(ended)
  }
}

function startTcpdump(index: number, ringKib: number): ChildProcess {
  const file = join(directory, `${tapName(index)}.pcap`)
  return spawn(
    'tcpdump',
    ['-n', '-Z', 'root', '-i', tapName(index), '-B', String(ringKib), '-s', '262144', '-w', file],
    {
      stdio: 'ignore',
    },
  )
}

async function measure(pids: readonly number[], taps: number): Promise<Figures> {
  while (pids.reduce((count, pid) => count + ringsOf(pid), 0) < taps) await setTimeout(200)
  await setTimeout(quietMs)
  const idle: number[] = []
  for (let run = 0; run < idleRuns; run++) idle.push(await cpuPercent(pids))
  const use = useOf(pids)
  await send(100, 1_000, 100)
  const busy = useOf(pids)
  return {
    mib: mib(use.pss),
    rssMib: mib(use.rss),
    ringMib: mib(use.rings),
    busyMib: mib(busy.pss),
    idlePercent: median(idle),
  }
}
