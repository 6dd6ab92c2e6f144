// Packets lost while the disk does not answer: two endpoints on an ext4 of its own that is frozen for
// some seconds, our driver beside tcpdump and dumpcap in the same run, each with a file for each
// endpoint there and the same ring memory. One more of our taps writes to another disk, one into a
// pipe: the stall must cost them nothing. A packet is lost if it was sent and is in no file.
//   node bench/stall.ts [SCENARIO …]     numbers of the scenarios; without any, all but the last
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, fstatSync, mkdirSync, openSync, statSync, writeSync } from 'node:fs'
import { Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import type { DriverTap } from '../src/driver/driver.ts'
import { ringDriver } from '../src/driver/ring/ringDriver.ts'
import { pcapHeader } from '../src/pcap/fileHeader.ts'
import { freezableDisk } from '../test/support/net/freezableDisk.ts'
import { directory, inNamespace, ip, send } from './harness.ts'

const ringBytes = 4_194_304
const recordBytes = 16 + 100
const endpoints = [
  { from: 'bench1', to: 'bench0' },
  { from: 'bench3', to: 'bench2' },
] as const

const scenarios = [
  { stallSeconds: 2, perSecond: 200 },
  { stallSeconds: 5, perSecond: 5_000 },
  { stallSeconds: 10, perSecond: 10_000 },
  { stallSeconds: 30, perSecond: 50_000 },
] as const
type Scenario = (typeof scenarios)[number]

const asked = process.argv.slice(2).map(Number)
const chosen = scenarios.filter((_, index) =>
  asked.length > 0 ? asked.includes(index) : index < scenarios.length - 1,
)
const peers = ['tcpdump', 'dumpcap'].filter(
  name => spawnSync(name, ['--version'], { stdio: 'ignore' }).error === undefined,
)
if (!peers.includes('dumpcap')) process.stdout.write('dumpcap is not installed: left out\n')

await inNamespace(async () => {
  ip('link', 'add', 'bench2', 'type', 'veth', 'peer', 'name', 'bench3')
  for (const name of ['bench2', 'bench3']) {
    spawnSync('sh', ['-c', `echo 1 >/proc/sys/net/ipv6/conf/${name}/disable_ipv6`])
    ip('link', 'set', name, 'up')
  }
  const results: object[] = []
  for (const scenario of chosen) results.push(await stall(scenario))
  process.stdout.write(`${JSON.stringify({ bench: 'stall', results })}\n`)
})

async function stall({ stallSeconds, perSecond }: Scenario): Promise<object> {
  await using disk = await mountDisk(`${stallSeconds}s`)
  const ours = await Promise.all(endpoints.map(({ to }) => openTap(to, join(disk.path, to))))
  const beside = await openTap('bench0', join(directory, `beside-${stallSeconds}`))
  const stream = await openStream('bench0')
  const theirs = peers.map(name => ({
    name,
    programs: endpoints.map(({ to }) => startPeer(name, to, join(disk.path, `${name}-${to}`))),
  }))
  await setTimeout(1_500) // until all have said that they listen
  const count = perSecond * (stallSeconds + 2)
  const sending = Promise.all(endpoints.map(({ from }) => send(100, count, perSecond, from)))
  await setTimeout(1_000)
  await disk.freeze()
  await setTimeout(stallSeconds * 1_000)
  const waiting = ringDriver().buffer()
  await disk.thaw()
  await sending
  await setTimeout(3_000)
  const closed = await Promise.all([...ours, beside, stream].map(each => each.close()))
  const sent = count * endpoints.length
  const lost = (counts: readonly number[]) => sent - counts.reduce((sum, each) => sum + each, 0)
  const row = {
    stallSeconds,
    perSecond,
    sent,
    lost: lost(closed.slice(0, 2).map(({ records }) => records)),
    dropped: closed.slice(0, 2).reduce((sum, each) => sum + each.dropped, 0),
    otherDiskLost: count - (closed[2]?.records ?? 0),
    pipeLost: count - (closed[3]?.records ?? 0),
    waitedBytes: waiting.highWaterBytes,
    ...Object.fromEntries(
      await Promise.all(
        theirs.map(async ({ name, programs }) => [
          `${name}Lost`,
          lost(await Promise.all(programs.map(program => program.records()))),
        ]),
      ),
    ),
  }
  process.stdout.write(`${JSON.stringify(row)}\n`)
  return row
}

type Closed = { readonly records: number; readonly dropped: number }

async function openTap(interfaceName: string, path: string) {
  const fd = openSync(path, 'a')
  const header = pcapHeader(262_144)
  writeSync(fd, header)
  const tap = await open(interfaceName, fd, fstatSync(fd).dev)
  return {
    async close(): Promise<Closed> {
      const { dropped } = await tap.close()
      closeSync(fd)
      return { records: (statSync(path).size - header.length) / recordBytes, dropped }
    },
  }
}

async function openStream(interfaceName: string) {
  const { readFd, writeFd } = ringDriver().pipe(1_048_576)
  const reading = new Socket({ fd: readFd, writable: false }).resume()
  const tap = await open(interfaceName, writeFd, undefined)
  return {
    async close(): Promise<Closed> {
      const { packets, dropped } = await tap.close()
      closeSync(writeFd)
      reading.destroy()
      return { records: packets, dropped }
    },
  }
}

function open(interfaceName: string, fd: number, device: number | undefined): Promise<DriverTap> {
  return ringDriver().open(
    {
      interfaceName,
      filter: '',
      snapLength: 262_144,
      payload: 'Full',
      format: 'pcap',
      insideIsPod: false,
      ringBytes,
      group: undefined,
      sink: { fd, bytesLeft: 1e15, isEmpty: true, device },
    },
    () => {},
  )
}

function startPeer(name: string, interfaceName: string, path: string) {
  const common = ['-i', interfaceName, '-s', '262144', '-w', path]
  const args =
    name === 'tcpdump'
      ? ['-n', '-Z', 'root', '-B', String(ringBytes / 1_024), ...common]
      : ['-q', '-P', '-B', String(ringBytes / 1_048_576), ...common]
  const started: ChildProcess = spawn(name, args, { stdio: 'ignore' })
  return {
    async records(): Promise<number> {
      const ended = once(started, 'exit')
      started.kill('SIGINT')
      await ended
      return (statSync(path).size - pcapHeader(262_144).length) / recordBytes
    },
  }
}

async function mountDisk(name: string) {
  const path = join(directory, `disk-${name}`)
  mkdirSync(path)
  const closers: (() => unknown)[] = []
  const disk = await freezableDisk({ teardown: close => closers.unshift(close) }, path, 2_048)
  return {
    path,
    ...disk,
    async [Symbol.asyncDispose](): Promise<void> {
      for (const close of closers) await close()
    },
  }
}
