// What only the native driver can do wrong: threads, environments, crashes, limits of the kernel.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fstatSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Worker } from 'node:worker_threads'
import type { ExecutionContext } from 'ava'
import { ringDriver } from '../../../../src/driver/ring/ringDriver.ts'
import { Capture, defaults } from '../../../support/net/capture.ts'
import { makePod } from '../../../support/net/pod.ts'
import { podWithPort } from '../../../support/net/podWithPort.ts'
import { serialNetworkTest as networkTest } from '../../../support/net/privilege.ts'
import { fileHeader, readRecords } from '../../../support/pcap/captureFile.ts'
import { numberOf } from '../../../support/pcap/frames.ts'
import { until } from '../../../support/until.ts'

function folder(t: ExecutionContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'selcap-native-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  return directory
}

/** Packet sockets on an interface of this network namespace. */
const sockets = (index: number): number =>
  readFileSync('/proc/net/packet', 'utf8')
    .split('\n')
    .filter(line => line.trim().split(/\s+/)[4] === String(index)).length

networkTest(
  'native: environments of their own capture at once, and one that ends with open taps takes its rings along',
  async t => {
    const { pod, sender, port } = await podWithPort(t)
    const directory = folder(t)
    const paths = [0, 1, 2].map(number => join(directory, `${number}.pcap`))
    const notify = join(directory, 'notify')
    const notifyFd = openSync(notify, 'a')
    const workers = paths.map(
      path =>
        new Worker(new URL('../../../support/net/worker.ts', import.meta.url), {
          workerData: { interfaceName: pod.hostName, fd: openSync(path, 'a'), notifyFd },
        }),
    )
    await until('three open taps', () => readFileSync(notify, 'utf8').split('\n').length === 4)
    await sender.udp({ to: pod.hostAddress, port, count: 50 })
    const recordsOf = (path: string) =>
      readRecords(Buffer.concat([fileHeader('pcap'), readFileSync(path)]), 'pcap')
    await until('every packet in every file', () =>
      paths.every(path => recordsOf(path).length === 50),
    )
    await Promise.all(workers.map(worker => worker.terminate()))
    await until('their sockets to be gone', () => sockets(pod.hostIndex) === 0)
    for (const path of paths)
      t.deepEqual(
        recordsOf(path).map(({ bytes }) => numberOf(bytes)),
        Array.from({ length: 50 }, (_, number) => number),
      )
  },
)

networkTest('native: an environment ends while its tap writes what arrives', async t => {
  const { pod, sender, port } = await podWithPort(t)
  const directory = folder(t)
  const notify = join(directory, 'notify')
  const notifyFd = openSync(notify, 'a')
  const path = join(directory, 'file')
  const sending = sender.udp({ to: pod.hostAddress, port, count: 200_000 })
  const worker = new Worker(new URL('../../../support/net/worker.ts', import.meta.url), {
    workerData: { interfaceName: pod.hostName, fd: openSync(path, 'a'), notifyFd },
  })
  await until('an open tap', () => readFileSync(notify, 'utf8') !== '')
  await until('records', () => readFileSync(path).length > 0)
  await worker.terminate()
  await until('its socket to go', () => sockets(pod.hostIndex) === 0)
  await sending
  t.pass()
})

networkTest('native: 250 taps open and close at once and leave nothing behind', async t => {
  const { pod, sender, port } = await podWithPort(t)
  const driver = ringDriver()
  const directory = folder(t)
  const files = Array.from({ length: 250 }, (_, number) =>
    openSync(join(directory, String(number)), 'a'),
  )
  const taps = await Promise.all(
    files.map(fd =>
      driver.open(
        {
          ...defaults,
          ringBytes: 524_288,
          interfaceName: pod.hostName,
          filter: 'udp',
          sink: { fd, bytesLeft: 1e9, isEmpty: true, device: fstatSync(fd).dev },
        },
        () => {},
      ),
    ),
  )
  await sender.udp({ to: pod.hostAddress, port, count: 4 })
  await until('every tap to see every packet', () =>
    taps.every(tap => tap.counters().packets === 4),
  )
  t.is(sockets(pod.hostIndex), 250)
  const counters = await Promise.all(taps.map(tap => tap.close()))
  t.true(
    counters.every(
      ({ received, packets, dropped, refused }) => received === packets + dropped + refused,
    ),
  )
  await until('their sockets to be gone', () => sockets(pod.hostIndex) === 0) // the kernel takes a closed one off its list when it gets to it
})

networkTest('native: frames of 64 KiB and more on loopback are whole', async t => {
  const pod = await makePod(t)
  const driver = ringDriver()
  const capture = await Capture.open(t, driver, {
    interfaceName: 'lo',
    netns: pod.namespace.path,
    filter: 'udp',
  })
  const script =
    'import socket;s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM);r=socket.socket(socket.AF_INET,socket.SOCK_DGRAM);r.bind(("127.0.0.1",9));[s.sendto(b"x"*65507,("127.0.0.1",9)) for _ in range(5)]'
  await pod.namespace.run('python3', '-c', script)
  await capture.holds(5)
  t.is((await capture.close())?.truncated, 0)
  t.true(
    capture
      .records()
      .every(({ bytes, original }) => bytes.length === 65_549 && original === 65_549),
  )
})

networkTest(
  'native: what a full ring dropped is counted, and told in the first record afterwards',
  async t => {
    const { pod, sender, port } = await podWithPort(t)
    const capture = await Capture.open(t, ringDriver(), {
      interfaceName: pod.hostName,
      filter: 'udp',
      format: 'pcapng',
      ringBytes: 524_288,
      bytesLeft: 10_000,
    })
    await sender.udp({ to: pod.hostAddress, port, count: 3_000, bytes: 1_000 }) // no second file: they wait in the ring until it is full
    await until('drops', () => capture.tap.counters().dropped > 0)
    capture.offer()
    await capture.settles(3_000)
    await sender.udp({ to: pod.hostAddress, port, count: 1, first: 5_000 })
    await until('the packet after the loss', () =>
      capture.records(1).some(({ bytes }) => numberOf(bytes) === 5_000),
    )
    const counters = await capture.close()
    t.is(counters?.received, 3_001)
    t.is((counters?.packets ?? 0) + (counters?.dropped ?? 0) + (counters?.refused ?? 0), 3_001)
    const told = dropCounts(readFileSync(capture.files[1]?.path ?? ''))
    t.is<number, number>(
      told.reduce((sum, each) => sum + each, 0),
      counters?.dropped ?? 0,
    )
  },
)

// Of the enhanced packet blocks: option 4, 8 bytes.
function dropCounts(file: Buffer): number[] {
  const counts: number[] = []
  for (let at = 0; at < file.length; at += file.readUInt32LE(at + 4)) {
    if (file.readUInt32LE(at) !== 6) continue
    const captured = file.readUInt32LE(at + 20)
    const end = at + file.readUInt32LE(at + 4) - 4
    for (
      let option = at + 28 + Math.ceil(captured / 4) * 4;
      option < end && file.readUInt16LE(option) !== 0;
      option += 4 + Math.ceil(file.readUInt16LE(option + 2) / 4) * 4
    ) {
      if (file.readUInt16LE(option) === 4) counts.push(Number(file.readBigUInt64LE(option + 4)))
    }
  }
  return counts
}

async function child(
  t: ExecutionContext,
  args: readonly string[],
  wrapper: readonly string[] = [],
): Promise<{ process: ChildProcess; lines: string[] }> {
  const script = new URL('../../../support/net/captureProcess.ts', import.meta.url).pathname
  const [command = '', ...rest] = [...wrapper, process.execPath, script, ...args]
  const started = spawn(command, rest, { stdio: ['pipe', 'pipe', 'inherit'] })
  t.teardown(() => started.kill('SIGKILL'))
  const lines: string[] = []
  createInterface({ input: started.stdout }).on('line', line => lines.push(line))
  await until('the child to capture', () => lines.includes('open'))
  return { process: started, lines }
}

for (const format of ['pcap', 'pcapng'] as const) {
  networkTest(
    `native: kill -9 under load costs at most the last record of a file (${format})`,
    async t => {
      const { pod, sender, port } = await podWithPort(t)
      const path = join(folder(t), 'file')
      const ringBytes = 33_554_432 // for all packets, however slow the machine
      const { process: victim } = await child(t, [pod.hostName, path, format, `${ringBytes}`])
      const traffic = sender.udp({ to: pod.hostAddress, port, count: 30_000, bytes: 500 })
      await until('a megabyte', () => readFileSync(path).length > 1_000_000)
      const ended = once(victim, 'exit')
      victim.kill('SIGKILL')
      await ended
      await traffic
      const file = readFileSync(path)
      const whole = format === 'pcap' ? wholePcap(file) : wholePcapng(file)
      t.true(file.length - whole < 600, `${file.length - whole} bytes torn`)
      const numbers = readRecords(file.subarray(0, whole), format).map(({ bytes }) =>
        numberOf(bytes),
      )
      t.deepEqual(
        numbers,
        Array.from({ length: numbers.length }, (_, number) => number),
      )
    },
  )
}

function wholePcap(file: Buffer): number {
  let at = 24 // moves record by record
  while (at + 16 <= file.length && at + 16 + file.readUInt32LE(at + 8) <= file.length)
    at += 16 + file.readUInt32LE(at + 8)
  return at
}

function wholePcapng(file: Buffer): number {
  let at = 0 // moves block by block
  while (at + 8 <= file.length && at + file.readUInt32LE(at + 4) <= file.length)
    at += file.readUInt32LE(at + 4)
  return at
}

networkTest(
  'native: a file at the limit of its size is a failed write, not the end of the process',
  async t => {
    const { pod, sender, port } = await podWithPort(t)
    const path = join(folder(t), 'file')
    const { process: limited, lines } = await child(
      t,
      [pod.hostName, path],
      ['prlimit', '--fsize=100000', '--'],
    )
    await sender.udp({ to: pod.hostAddress, port, count: 300, bytes: 1_000 })
    await until('the failed write', () => lines.some(line => line.includes('"EFBIG"')))
    limited.stdin?.end()
    await once(limited, 'exit')
    t.is(limited.exitCode, 0)
    const file = readFileSync(path)
    t.is(wholePcap(file), file.length)
    const counters = JSON.parse(lines.at(-1) ?? '{}') as {
      packets: number
      refused: number
      received: number
    }
    t.is(readRecords(file, 'pcap').length, counters.packets)
    t.is(counters.received, 300)
    t.is(counters.packets + counters.refused, 300)
  },
)
