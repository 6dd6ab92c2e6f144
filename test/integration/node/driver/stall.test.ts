// A disk that does not answer, in front of the ring driver: what it costs the taps on it, the taps
// beside it, and the memory.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import type { LimitGroup } from '../../../../src/driver/driver.ts'
import { ringDriver } from '../../../../src/driver/ring/ringDriver.ts'
import { Capture, defaults } from '../../../support/net/capture.ts'
import { freezableDisk, freezeRefusal } from '../../../support/net/freezableDisk.ts'
import { podWithPort } from '../../../support/net/podWithPort.ts'
import { serialNetworkTest } from '../../../support/net/privilege.ts'
import { numberOf } from '../../../support/pcap/frames.ts'
import { until } from '../../../support/until.ts'

const mebibyte = 1024 * 1024

const refusal = await freezeRefusal()

/** One after another: all taps of a process share one store. */
const frozenDiskTest: typeof serialNetworkTest = (title, body) =>
  serialNetworkTest(title, async t => {
    if (refusal === undefined) await body(t)
    else t.pass(`no disk can be frozen here: ${refusal}`)
  })

async function makeDisk(t: ExecutionContext) {
  const directory = mkdtempSync(join(tmpdir(), 'selcap-stall-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  return { directory, ...(await freezableDisk(t, directory, 256)) }
}

type Disk = Awaited<ReturnType<typeof makeDisk>>

frozenDiskTest('ring: a disk that stalls for seconds at 200 packets/s loses none', async t => {
  const disk = await makeDisk(t)
  const { capture, send, numbers } = await slowCapture(t, disk)
  await send(20)
  await capture.holds(20)
  await disk.freeze()
  await send(400, 5)
  t.true(capture.tap.waiting().bytes > 0)
  t.true(capture.tap.waiting().oldestMs > 500)
  t.like(ringDriver().buffer(), { bytes: capture.tap.waiting().bytes })
  await disk.thaw()
  await capture.settles(420)
  t.deepEqual(numbers(), numbersFrom(0, 420))
  t.like(await capture.close(), { received: 420, packets: 420, dropped: 0, refused: 0 })
  t.deepEqual(capture.tap.waiting(), { bytes: 0, oldestMs: 0 })
})

frozenDiskTest(
  'ring: a stalled disk costs a tap of another disk and a pipe nothing, not even when the store is full',
  async t => {
    const [stalled, other] = await Promise.all([makeDisk(t), makeDisk(t)])
    const { capture, pod, send } = await slowCapture(t, stalled)
    const beside = await Capture.open(t, ringDriver(), {
      interfaceName: pod.hostName,
      filter: 'udp',
      directory: other.directory,
      ringBytes: 524_288,
    })
    const stream = await openStream(t, pod.hostName)
    setBufferBytesMax(t, 4 * mebibyte)
    await send(10)
    await capture.holds(10)
    await stalled.freeze()
    await send(4_000, 1, 1_400)
    await until('drops', () => capture.tap.counters().dropped > 0)
    await beside.settles(4_010)
    await stream.settles(4_010)
    t.like(beside.tap.counters(), { packets: 4_010, dropped: 0, refused: 0 })
    t.like(stream.counters(), { packets: 4_010, dropped: 0, refused: 0 })
    const { bytes, devices } = ringDriver().buffer()
    t.true(bytes <= 2 * mebibyte)
    t.is(devices.length, 2)
    await stalled.thaw()
    await capture.settles(4_010)
  },
)

frozenDiskTest('ring: what a full store costs is counted exactly', async t => {
  const disk = await makeDisk(t)
  const { capture, send, numbers } = await slowCapture(t, disk)
  setBufferBytesMax(t, 16 * mebibyte)
  await send(10)
  await capture.holds(10)
  await disk.freeze()
  await send(30_000, 0, 1_400)
  await until('drops', () => capture.tap.counters().dropped > 0)
  t.true(ringDriver().buffer().bytes > 8 * mebibyte)
  await disk.thaw()
  await capture.settles(30_010)
  await send(10)
  const counters = await capture.close()
  const written = numbers()
  t.like(counters, { received: 30_020, packets: written.length, refused: 0 })
  t.is(counters?.dropped, 30_020 - written.length)
  t.deepEqual(
    written.toSorted((a, b) => (a ?? 0) - (b ?? 0)),
    written,
  )
  t.is(new Set(written).size, written.length)
  t.deepEqual(written.slice(-10), numbersFrom(30_010, 10))
  t.deepEqual(ringDriver().buffer().devices, [])
})

frozenDiskTest('ring: memory that a stall took is given back to the system', async t => {
  const disk = await makeDisk(t)
  const { pod, sender, port } = await podWithPort(t)
  const path = join(disk.directory, 'file.pcap')
  const script = new URL('../../../support/net/captureProcess.ts', import.meta.url).pathname
  const capturing = spawn(process.execPath, [script, pod.hostName, path], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  t.teardown(() => capturing.kill('SIGKILL'))
  await once(capturing.stdout, 'data')
  const send = (count: number) => sender.udp({ to: pod.hostAddress, port, count, bytes: 1_400 })
  await send(10)
  const before = residentBytes(capturing.pid)
  await disk.freeze()
  await send(20_000)
  await until('memory in use', () => residentBytes(capturing.pid) > before + 20 * mebibyte)
  await disk.thaw()
  await until('memory given back', () => residentBytes(capturing.pid) < before + 10 * mebibyte)
  t.is(capturing.exitCode, null)
})

function residentBytes(pid: number | undefined): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024
}

frozenDiskTest('ring: close() and moved wait for the writes of a stalled disk', async t => {
  const disk = await makeDisk(t)
  const { capture, send, numbers } = await slowCapture(t, disk)
  await send(10)
  await capture.holds(10)
  capture.offer()
  await disk.freeze()
  await send(20)
  await until('bytes to wait', () => capture.tap.waiting().bytes > 0)
  capture.tap.rotate()
  await send(20)
  await until('all of them to wait', () => capture.tap.counters().received === 50)
  const closing = capture.close()
  t.false(capture.has('moved'))
  t.is(capture.tap.counters().packets, 10)
  await disk.thaw()
  t.like(await closing, { received: 50, packets: 50, dropped: 0, refused: 0 })
  t.true(capture.has('moved'))
  t.deepEqual(numbers(), numbersFrom(0, 50))
})

frozenDiskTest('ring: a limit counts what a stalled disk has not taken yet', async t => {
  const disk = await makeDisk(t)
  const group = ringDriver().group()
  group.setLeft({ packets: 100 })
  const { capture, send, numbers } = await slowCapture(t, disk, group)
  await send(10)
  await capture.holds(10)
  await disk.freeze()
  await send(50)
  await until('bytes to wait', () => capture.tap.waiting().bytes > 0)
  group.setLeft({ packets: 90 }) // as from what was written
  await send(100)
  await until('the rest to be refused', () => capture.tap.counters().refused === 60)
  t.false(capture.has('limit'))
  await disk.thaw()
  await capture.told('limit')
  t.deepEqual(numbers(), numbersFrom(0, 100))
})

function numbersFrom(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => first + index)
}

function setBufferBytesMax(t: ExecutionContext, bytes: number): void {
  ringDriver().setBufferBytesMax(bytes)
  t.teardown(() => ringDriver().setBufferBytesMax(64 * mebibyte))
}

/** A tap into a pipe that this process empties. */
async function openStream(t: ExecutionContext, interfaceName: string) {
  const { readFd, writeFd } = ringDriver().pipe(mebibyte)
  const reading = new Socket({ fd: readFd, writable: false }).resume()
  const sink = { fd: writeFd, bytesLeft: 1e15, isEmpty: true, device: undefined }
  const tap = await ringDriver().open(
    { ...defaults, interfaceName, filter: 'udp', ringBytes: 524_288, sink },
    () => {},
  )
  t.teardown(async () => {
    await tap.close()
    closeSync(writeFd)
    reading.destroy()
  })
  return {
    counters: () => tap.counters(),
    settles: (packets: number) =>
      until('the stream', () => tap.counters().packets + tap.counters().refused === packets),
  }
}

async function slowCapture(t: ExecutionContext, disk: Disk, group?: LimitGroup) {
  const { pod, sender, port } = await podWithPort(t)
  const capture = await Capture.open(t, ringDriver(), {
    interfaceName: pod.hostName,
    filter: 'udp',
    directory: disk.directory,
    ringBytes: 524_288,
    group,
  })
  const sent = { count: 0 }
  return {
    capture,
    pod,
    async send(count: number, gapMs = 0, bytes = 32) {
      await sender.udp({ to: pod.hostAddress, port, count, first: sent.count, gapMs, bytes })
      sent.count += count
    },
    numbers: () => capture.records().map(({ bytes }) => numberOf(bytes)),
  }
}
