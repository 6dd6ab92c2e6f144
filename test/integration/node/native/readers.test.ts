// More than one reader. The taps are given from one to the next all the time here, which no load
// would bring about: each packet is in its file once, and limits are exact.
import { execFileSync, spawn } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { type RingDriver, ringDriver } from '../../../../src/driver/ring/ringDriver.ts'
import { Capture, defaults } from '../../../support/net/capture.ts'
import { range } from '../../../support/net/contract/packets.ts'
import { podWithPort } from '../../../support/net/podWithPort.ts'
import { serialNetworkTest as networkTest } from '../../../support/net/privilege.ts'
import { numberOf } from '../../../support/pcap/frames.ts'
import { until } from '../../../support/until.ts'

const most = 3

function manyReaders(): RingDriver {
  const driver = ringDriver()
  driver.setReaders({ most, busyPercent: 0 })
  return driver
}

function moved(t: ExecutionContext, driver: RingDriver, before: number): void {
  t.is(driver.readers().count, most)
  t.true(driver.readers().moves > before)
}

const numbersOf = (capture: Capture) => capture.records().map(({ bytes }) => numberOf(bytes))

// Before the others: a reader that was started stays.
networkTest('native: a reader that is busy starts another one and gives it a tap', async t => {
  const { pod, sender, port } = await podWithPort(t)
  const driver = ringDriver()
  driver.setReaders({ most: 2, busyPercent: 1 })
  t.deepEqual(driver.readers(), { count: 1, moves: 0 })
  // Rings that hold a whole burst: on a slow machine, too, it costs a hundredth of half a second.
  const wish = { interfaceName: pod.hostName, filter: 'udp', ringBytes: 8_388_608 }
  const captures = await Promise.all(range(0, 4).map(() => Capture.open(t, driver, wish)))
  let sent = 0
  await until('a tap to move', async () => {
    await sender.udp({ to: pod.hostAddress, port, count: 20_000, first: sent })
    sent += 20_000
    await Promise.all(captures.map(capture => capture.settles(sent)))
    return driver.readers().moves > 0
  })
  t.is(driver.readers().count, 2)
  for (const capture of captures) {
    t.like(await capture.close(), { received: sent, packets: sent, dropped: 0, refused: 0 })
    t.deepEqual(numbersOf(capture), range(0, sent))
  }
})

networkTest(
  'native: taps that move between readers under load, with full files, write each packet once',
  async t => {
    const { pod, sender, port } = await podWithPort(t)
    const driver = manyReaders()
    const { moves } = driver.readers()
    const wish = { interfaceName: pod.hostName, filter: 'udp', ringBytes: 4_194_304 }
    const captures = await Promise.all(
      range(0, 5).map(() =>
        Capture.open(t, driver, { ...wish, group: driver.group(), bytesLeft: 100_000, ahead: 4 }),
      ),
    )
    for (const first of range(0, 20).map(round => round * 500)) {
      await sender.udp({ to: pod.hostAddress, port, count: 500, bytes: 200, first })
      for (const { tap } of captures) tap.rotate()
      await Promise.all(captures.map(capture => capture.settles(first + 500)))
    }
    moved(t, driver, moves)
    for (const capture of captures) {
      t.like(await capture.close(), { received: 10_000, packets: 10_000, dropped: 0, refused: 0 })
      t.deepEqual(numbersOf(capture), range(0, 10_000))
    }
  },
)

networkTest(
  'native: a limit that is set on taps of several readers is exact over all of them',
  async t => {
    const { pod, sender, port } = await podWithPort(t)
    const driver = manyReaders()
    const { moves } = driver.readers()
    const group = driver.group()
    const wish = { interfaceName: pod.hostName, filter: 'udp', ringBytes: 1_048_576, group }
    const captures = await Promise.all(range(0, 4).map(() => Capture.open(t, driver, wish)))
    const sum = () => captures.reduce((total, { tap }) => total + tap.counters().packets, 0)
    for (const first of range(0, 5).map(round => round * 100)) {
      await sender.udp({ to: pod.hostAddress, port, count: 100, first })
      await Promise.all(captures.map(capture => capture.settles(first + 100)))
    }
    t.is(sum(), 2_000)
    for (const left of [333, 1, 1_000]) {
      const before = captures.map(({ settled }) => settled)
      const written = sum()
      group.setLeft({ packets: left })
      await sender.udp({ to: pod.hostAddress, port, count: 1_000 })
      await Promise.all(captures.map((each, at) => each.settles((before[at] ?? 0) + 1_000)))
      t.is(sum() - written, left)
    }
    await until('the limit was told', () => captures.some(capture => capture.has('limit')))
    moved(t, driver, moves)
    for (const capture of captures) await capture.close()
    t.is(
      captures.reduce((total, capture) => total + capture.records().length, 0),
      sum(),
    )
  },
)

networkTest('native: taps open and close under load while others move', async t => {
  const { pod, sender, port } = await podWithPort(t)
  const driver = manyReaders()
  const { moves } = driver.readers()
  const wish = { interfaceName: pod.hostName, filter: 'udp', ringBytes: 1_048_576 }
  const stays = await Capture.open(t, driver, wish)
  for (const first of range(0, 10).map(round => round * 400)) {
    const opened = await Promise.all(range(0, 4).map(() => Capture.open(t, driver, wish)))
    const sending = sender.udp({ to: pod.hostAddress, port, count: 400, first })
    const [early, ...late] = opened
    const sums = [await early?.close()]
    await sending
    for (const capture of late) sums.push(await capture.close())
    for (const [index, capture] of opened.entries()) {
      const numbers = numbersOf(capture)
      t.is(sums[index]?.packets, numbers.length)
      t.deepEqual(numbers, range(first, first + numbers.length))
      if (capture !== early) t.is(numbers.length, 400)
    }
  }
  moved(t, driver, moves)
  t.like(await stays.close(), { received: 4_000, packets: 4_000, dropped: 0, refused: 0 })
  t.deepEqual(numbersOf(stays), range(0, 4_000))
})

/** A disk that takes nothing until `answer()`. */
function slowDisk(t: ExecutionContext): { readonly fd: number; answer(): void } {
  const directory = mkdtempSync(join(tmpdir(), 'selcap-slow-'))
  const path = join(directory, 'fifo')
  execFileSync('mkfifo', [path])
  const fd = openSync(path, 'r+')
  const answer = () => void spawn('cat', [path], { stdio: 'ignore' }) // ends with the last writer
  t.teardown(() => {
    closeSync(fd)
    rmSync(directory, { recursive: true })
  })
  return { fd, answer }
}

// Its reader is another one than the group's in two of three rounds.
networkTest(
  'native: a limit that is set while the disk of a tap is slow holds there too',
  async t => {
    const { pod, sender, port } = await podWithPort(t)
    const driver = manyReaders()
    const wish = { interfaceName: pod.hostName, filter: 'udp', ringBytes: 2_097_152 }
    const [before, after, limit] = [1_000, 1_000, 10]
    for (const device of range(1_000, 1_006)) {
      const group = driver.group()
      const disk = slowDisk(t)
      const sink = { fd: disk.fd, bytesLeft: 1e12, isEmpty: true, device }
      const slow = await driver.open({ ...defaults, ...wish, group, sink }, () => {})
      const other = await Capture.open(t, driver, { ...wish, group })
      await sender.udp({ to: pod.hostAddress, port, count: before, bytes: 200 })
      await other.settles(before)
      await until('records to wait', () => slow.waiting().bytes > 0)
      group.setLeft({ packets: limit })
      await sender.udp({ to: pod.hostAddress, port, count: after, bytes: 200 })
      await other.settles(before + after)
      disk.answer()
      await until('all packets to be counted', () => {
        const { packets, refused, dropped } = slow.counters()
        return packets + refused + dropped === before + after
      })
      const written = slow.counters().packets + other.tap.counters().packets
      t.true(written <= 2 * before + limit, `${written} packets`)
      await other.close()
      await slow.close()
    }
  },
)
