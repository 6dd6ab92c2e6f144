// How old a packet is when it reaches the reader of a capture's live stream: the kernel's time in
// its record against the time at which the reader has its bytes, in one process with the stream.
// Beside it, where there is one interface: tcpdump to a pipe, as quick as its options make it (-U,
// --immediate-mode) and as -U alone. "beside a silent one": another endpoint from which nothing
// comes, so that order in time costs its whole window.
//   node bench/stream.ts [SCENE …]    0 to 3, as below
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { setTimeout } from 'node:timers/promises'
import { pino } from 'pino'
import { ringDriver } from '../src/driver/ring/ringDriver.ts'
import { defaultSettings } from '../src/model/settings.ts'
import type { TurnListener, TurnListeners } from '../src/model/turnListener.ts'
import { BlockReader } from '../src/pcap/blockReader.ts'
import { systemClock } from '../src/runtime/clock.ts'
import type { InterfaceCounts } from '../src/stream/mergeInput.ts'
import { openNodeStream } from '../src/stream/nodeStream.ts'
import { countsIn } from '../src/stream/statistics.ts'
import { StreamBudget } from '../src/stream/streamBudget.ts'
import { specFor } from '../test/support/net/tapManagerFixture.ts'
import { inNamespace, ip, machine, send } from './harness.ts'
import { addTapLinks, tapName } from './standalone.ts'

const seconds = 20
const scenes = [
  { endpoints: 1, perSecond: 100, isBesideSilent: false },
  { endpoints: 1, perSecond: 20_000, isBesideSilent: false },
  { endpoints: 1, perSecond: 100, isBesideSilent: true },
  { endpoints: 250, perSecond: 100, isBesideSilent: false },
] as const
type Scene = (typeof scenes)[number]
const given = process.argv.slice(2).map(Number)
const wanted = scenes.filter((_, index) => given.length === 0 || given.includes(index))

const capture = { api: 'PacketCapture', namespace: 'shop', name: 'web', uid: 'u' } as const

await inNamespace(async () => {
  process.stdout.write(`${machine()}\n`)
  ip('link', 'add', 'silent0', 'type', 'veth', 'peer', 'name', 'silent1')
  for (const name of ['silent0', 'silent1']) ip('link', 'set', name, 'up')
  const results: object[] = []
  for (const [index, scene] of wanted.entries()) {
    addTapLinks(wanted[index - 1]?.endpoints ?? 0, scene.endpoints)
    results.push(await ours(scene))
    if (scene.endpoints > 1 || scene.isBesideSilent) continue
    for (const options of [['-U', '--immediate-mode'], ['-U']])
      results.push(await tcpdump(scene, options))
  }
  process.stdout.write(`${JSON.stringify({ bench: 'stream', results })}\n`)
})

async function ours(scene: Scene): Promise<object> {
  const names = Array.from({ length: scene.endpoints }, (_, index) => tapName(index))
  const specs = [...names, ...(scene.isBesideSilent ? ['silent0'] : [])].map(name =>
    specFor(name, { pod: name, uid: capture.uid }),
  )
  const listeners = new Set<TurnListener>()
  let isOpen = true // the capture's window
  const turns: TurnListeners = {
    specsOf: () => (isOpen ? { capture, specs } : undefined),
    ringBytes: 0,
    watchTurns: listener => {
      listeners.add(listener)
      return { [Symbol.dispose]: () => void listeners.delete(listener) }
    },
  }
  const settings = () => ({ ...defaultSettings, captureRingBytesMax: 1024 * 1024 * 1024 })
  const parts = {
    driver: ringDriver(),
    turns,
    clock: systemClock,
    node: 'bench',
    log: pino({ level: 'warn' }),
  }
  const budget = new StreamBudget({ turns, settings, streamsMax: 1 })
  const live = openNodeStream({ ...parts, budget }, 'shop/web', 'u')
  const told = new Map<number, InterfaceCounts>() // by interface
  const ages = agesIn(live.stream, pcapngTimes(told))
  while (budget.ringBytes < specs.length * 512 * 1024) await setTimeout(100)
  await setTimeout(1_000)
  await send(100, seconds * scene.perSecond, scene.perSecond)
  await setTimeout(1_000)
  isOpen = false
  const ended = once(live.stream, 'end')
  for (const listener of listeners) listener.turned?.()
  await ended
  return shown('selcap', scene, ages, sum([...told.values()]))
}

async function tcpdump(scene: Scene, options: readonly string[]): Promise<object> {
  const args = ['-n', '-Z', 'root', '-i', tapName(0), ...options, '--nano', '-w', '-', 'udp']
  const child = spawn('tcpdump', args, { stdio: ['ignore', 'pipe', 'ignore'] })
  const ages = agesIn(child.stdout, pcapTimes())
  await setTimeout(1_000)
  await send(100, seconds * scene.perSecond, scene.perSecond)
  await setTimeout(1_500)
  const ended = once(child, 'exit')
  child.kill('SIGINT')
  await ended
  return shown(`tcpdump ${options.join(' ')}`, scene, ages)
}

/** Times, in milliseconds, of the packets that a piece of a stream completes. */
type Times = (bytes: Buffer) => number[]

function agesIn(stream: Readable, timesIn: Times): number[] {
  const ages: number[] = []
  stream.on('data', (bytes: Buffer) => {
    const nowMs = performance.timeOrigin + performance.now()
    for (const atMs of timesIn(bytes)) ages.push(nowMs - atMs)
  })
  return ages
}

function pcapngTimes(told: Map<number, InterfaceCounts>): Times {
  const reader = new BlockReader()
  return bytes => {
    const { blocks } = reader.read(bytes)
    for (const block of blocks.filter(block => block.readUInt32LE(0) === 5)) {
      const counts = countsIn(block)
      if (typeof counts !== 'string') told.set(block.readUInt32LE(8), counts)
    }
    const packets = blocks.filter(block => block.readUInt32LE(0) === 6)
    return packets.map(
      block =>
        Number((BigInt(block.readUInt32LE(12)) << 32n) | BigInt(block.readUInt32LE(16))) / 1e6,
    )
  }
}

function pcapTimes(): Times {
  let rest = Buffer.alloc(0) // not whole yet
  let skip = 24 // the header
  return bytes => {
    const times: number[] = []
    rest = Buffer.concat([rest, bytes])
    for (;;) {
      if (skip === 0 && rest.length < 16) return times
      const size = skip > 0 ? skip : 16 + rest.readUInt32LE(8)
      if (rest.length < size) return times
      if (skip === 0) times.push(rest.readUInt32LE(0) * 1_000 + rest.readUInt32LE(4) / 1e6)
      rest = rest.subarray(size)
      skip = 0
    }
  }
}

function sum(all: readonly InterfaceCounts[]): InterfaceCounts {
  return all.reduce(
    (one, other) => ({ received: one.received + other.received, lost: one.lost + other.lost }),
    { received: 0, lost: 0 },
  )
}

function shown(
  who: string,
  { endpoints, perSecond, isBesideSilent }: Scene,
  ages: readonly number[],
  told?: InterfaceCounts,
): object {
  const sorted = ages.toSorted((a, b) => a - b)
  const at = (part: number) =>
    Math.round((sorted[Math.ceil(part * sorted.length) - 1] ?? Number.NaN) * 10) / 10
  const figures = {
    packets: ages.length,
    sent: endpoints * perSecond * seconds,
    told,
    median: at(0.5),
    p99: at(0.99),
    worst: at(1),
  }
  const scene = `${endpoints} endpoints${isBesideSilent ? ' beside a silent one' : ''}, ${perSecond} packets/s each`
  process.stdout.write(
    `${scene}, ${who}: ${figures.packets} of ${figures.sent}${told ? ` (received ${told.received}, dropped ${told.lost})` : ''}, ms: median ${figures.median}, p99 ${figures.p99}, worst ${figures.worst}\n`,
  )
  return { scene, who, ...figures }
}
