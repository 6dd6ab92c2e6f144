// Packets that are printed while their files grow: each line once and soon, whoever stops in
// between, by one tcpdump.
import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { type GrowingFile, printPackets } from '../../../src/artifacts/text/printPackets.ts'
import type { LinePrinter } from '../../../src/artifacts/text/stdoutWriter.ts'
import { systemClock } from '../../../src/runtime/clock.ts'
import { ethernet, ipv4, numbered, udp } from '../../support/pcap/frames.ts'
import { type Packet, pcapFile } from '../../support/pcap/pcap.ts'
import { remains, until } from '../../support/until.ts'

const beganUs = 1_800_000_000_000_000
const headBytes = 24

/** Told apart by their times. */
function packet(number: number): Packet {
  const data = ethernet({ type: 0x0800, body: ipv4({ protocol: 17, body: udp(numbered(number)) }) })
  return { atUs: beganUs + number, original: data.length, data }
}

const numberOf = (line: string): number =>
  Number(/^PACKET: 2027-01-15 08:00:00\.(\d{6}) IP .* bytes$/.exec(line)?.[1])
const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from }, (_, index) => from + index)

function stage(t: ExecutionContext) {
  const folder = mkdtempSync(join(tmpdir(), 'selcap-print-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const printed: string[] = []
  const stop = new AbortController()
  t.teardown(() => stop.abort())
  const bytesOf = (numbers: readonly number[]) => pcapFile(numbers.map(packet)).subarray(headBytes)
  return {
    folder,
    printed,
    stop,
    bytesOf,
    begin: (name: string) => writeFileSync(join(folder, name), pcapFile([])),
    add: (name: string, numbers: readonly number[]) =>
      appendFileSync(join(folder, name), bytesOf(numbers)),
    numbers: () => printed.join('').trimEnd().split('\n').filter(Boolean).map(numberOf), // biome-ignore format: one line
    run: (
      growing?: Partial<GrowingFile>,
      print: LinePrinter = async text => void printed.push(text),
    ) =>
      printPackets(
        { folder, print, signal: stop.signal },
        growing && { clock: systemClock, quietMs: 600_000, ...growing },
      ),
  }
}

const decoders = (): string[] =>
  readdirSync('/proc/self/task')
    .flatMap(id => readFileSync(`/proc/self/task/${id}/children`, 'utf8').trim().split(' '))
    .filter(pid => pid !== '' && readFileSync(`/proc/${pid}/stat`, 'utf8').includes('(tcpdump) S'))

test.serial(
  'printPackets() prints each packet when it comes, by one tcpdump, and leaves none behind',
  async t => {
    const { begin, add, numbers, run, stop } = stage(t)
    begin('a_eth0.pcap')
    const running = run({})
    await remains('no tcpdump, for nothing', 500, () => decoders().length === 0)
    const seen = new Set<string>()
    for (const number of range(0, 5)) {
      add('a_eth0.pcap', [number])
      await until(`packet ${number}`, () => numbers().length === number + 1)
      for (const pid of decoders()) seen.add(pid)
    }
    t.deepEqual(numbers(), range(0, 5))
    t.is(seen.size, 1)
    stop.abort()
    await t.throwsAsync(running, { message: /stopped/ })
    await until('tcpdump to go', () => decoders().length === 0)
  },
)

test.serial(
  'printPackets() follows files that come and are renamed, and waits for what is half written',
  async t => {
    const { folder, begin, add, bytesOf, numbers, run, stop } = stage(t)
    begin('a_eth0.pcap')
    const running = run({})
    add('a_eth0.pcap', range(0, 10))
    await until('the first', () => numbers().length === 10)
    add('a_eth0.pcap', [10])
    renameSync(join(folder, 'a_eth0.pcap'), join(folder, 'a_eth0-20270115T080000.000Z.pcap'))
    begin('a_eth0.pcap')
    const torn = bytesOf([11])
    appendFileSync(join(folder, 'a_eth0.pcap'), torn.subarray(0, 30))
    await until('the end of the renamed one', () => numbers().length === 11)
    await remains('half a packet unprinted', 600, () => numbers().length === 11)
    t.deepEqual(numbers(), range(0, 11))
    appendFileSync(join(folder, 'a_eth0.pcap'), torn.subarray(30))
    begin('b_eth0.pcap')
    add('b_eth0.pcap', [12])
    await until('the rest', () => numbers().length === 13)
    t.deepEqual(numbers().toSorted((a, b) => a - b), range(0, 13)) // biome-ignore format: one line
    stop.abort()
    await t.throwsAsync(running)
  },
)

test.serial(
  'printPackets() ends when it has been quiet, and another goes on where it was',
  async t => {
    const { begin, add, numbers, run } = stage(t)
    begin('a_eth0.pcap')
    add('a_eth0.pcap', range(0, 1_000))
    await run({ quietMs: 300 })
    t.deepEqual(numbers(), range(0, 1_000))
    await run()
    add('a_eth0.pcap', range(1_000, 1_003))
    await run()
    t.deepEqual(numbers(), range(0, 1_003))
  },
)

test.serial(
  'printPackets() repeats nothing and leaves out nothing when it is stopped at work',
  async t => {
    const all = stage(t)
    all.begin('a_eth0.pcap')
    all.begin('b_eth0.pcap')
    all.add('a_eth0.pcap', range(0, 4_000).filter(number => number % 2 === 0)) // biome-ignore format: one line
    all.add('b_eth0.pcap', range(0, 4_000).filter(number => number % 2 === 1)) // biome-ignore format: one line
    const stopping = async (text: string) => {
      if (all.numbers().length > 900) throw new Error('Cannot print: enough')
      all.printed.push(text)
    }
    await t.throwsAsync(all.run({}, stopping), { message: /enough/ })
    t.true(all.numbers().length > 900 && all.numbers().length < 4_000)
    await all.run()
    t.deepEqual(all.numbers(), range(0, 4_000)) // by time, of both files
  },
)

test.serial('printPackets() waits for a slow reader, and prints the rest then', async t => {
  const { begin, add, numbers, printed, run } = stage(t)
  begin('a_eth0.pcap')
  add('a_eth0.pcap', range(0, 20_000))
  const { promise: isFree, resolve: free } = Promise.withResolvers<void>()
  let asked = 0
  const running = run(undefined, async text => {
    asked++
    await isFree
    printed.push(text)
  })
  await until('the first line', () => asked > 0)
  await remains('one line: the rest is left in the files', 500, () => asked === 1)
  free()
  await running
  t.deepEqual(numbers(), range(0, 20_000))
  t.true(printed.every(text => text.length <= 4_096 && text.endsWith('\n')))
})
