// Contract: how files follow one another, and are read while they grow.
import { readFileSync } from 'node:fs'
import { mkdtemp, open as openFile, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileHeader, readRecords } from '../../pcap/captureFile.ts'
import { numberOf } from '../../pcap/frames.ts'
import { until } from '../../until.ts'
import { Capture, defaults } from '../capture.ts'
import { podWithPort } from '../podWithPort.ts'
import { run } from '../run.ts'
import type { Check } from './contract.ts'
import { range } from './packets.ts'

export function sinkChecks(check: Check): void {
  for (const format of ['pcap', 'pcapng'] as const) {
    check(
      `open() moves on at the size limit and loses and doubles nothing over hundreds of files (${format})`,
      async (t, driver) => {
        const { pod, sender, port } = await podWithPort(t)
        const wish = {
          interfaceName: pod.hostName,
          filter: 'udp',
          format,
          bytesLeft: 1_000,
          ahead: 8,
        } as const
        const capture = await Capture.open(t, driver, wish)
        await sender.udp({ to: pod.hostAddress, port, count: 3_000 })
        await capture.holds(3_000)
        const counters = await capture.close()
        t.deepEqual(capture.records().map(({ bytes }) => numberOf(bytes)), range(0, 3_000)) // biome-ignore format: one line
        const sizes = capture.files.map((_, index) =>
          capture.records(index).reduce((sum, { size }) => sum + size, 0),
        )
        t.true(sizes.every(size => size <= 1_000))
        t.true(sizes.filter(size => size > 0).length > 200)
        t.deepEqual(counters?.bytes, sizes.reduce((sum, size) => sum + size, 0)) // biome-ignore format: one line
        const moved = capture.events.filter(event => event.kind === 'moved')
        t.is(moved.length, sizes.filter(size => size > 0).length - 1)
        t.true(
          moved.every(
            ({ counters: { packets } }, index) =>
              packets > (moved[index - 1]?.counters.packets ?? 0),
          ),
        )
      },
    )
  }

  check('offer() lets waiting records on, when there was no next sink', async (t, driver) => {
    const { pod, sender, port } = await podWithPort(t)
    const capture = await Capture.open(t, driver, {
      interfaceName: pod.hostName,
      filter: 'udp',
      bytesLeft: 500,
    })
    await sender.udp({ to: pod.hostAddress, port, count: 100 })
    await capture.holds(5)
    t.is(capture.records().length, 5) // of 90 bytes each
    t.false(capture.has('moved'))
    capture.offer(1_000)
    capture.offer()
    await capture.holds(100)
    const counters = await capture.close()
    t.deepEqual([0, 1, 2].map(file => capture.records(file).length), [5, 11, 84]) // biome-ignore format: one line
    t.like(counters, { received: 100, packets: 100, refused: 0, dropped: 0 })
  })

  check('close() counts what waits as refused, when there was no next sink', async (t, driver) => {
    const { pod, sender, port } = await podWithPort(t)
    const capture = await Capture.open(t, driver, {
      interfaceName: pod.hostName,
      filter: 'udp',
      bytesLeft: 500,
    })
    await sender.udp({ to: pod.hostAddress, port, count: 100 })
    await capture.holds(5)
    t.like(await capture.close(), {
      received: 100,
      packets: 5,
      bytes: 450,
      refused: 95,
      dropped: 0,
    })
    t.is(capture.records().length, 5)
  })

  check('open() writes one record whatever its size when the sink is empty', async (t, driver) => {
    const { pod, sender, port } = await podWithPort(t)
    const capture = await Capture.open(t, driver, {
      interfaceName: pod.hostName,
      filter: 'udp',
      bytesLeft: 10,
      ahead: 4,
    })
    await sender.udp({ to: pod.hostAddress, port, count: 3 })
    await capture.holds(3)
    await capture.close()
    t.deepEqual([0, 1, 2].map(file => capture.records(file).length), [1, 1, 1]) // biome-ignore format: one line
  })

  check('open() fills a sink to its last byte', async (t, driver) => {
    const { pod, sender, port } = await podWithPort(t)
    const capture = await Capture.open(t, driver, {
      interfaceName: pod.hostName,
      filter: 'udp',
      bytesLeft: 269,
    })
    for (const bytesLeft of [270, 271, 359, 360]) capture.offer(bytesLeft)
    await sender.udp({ to: pod.hostAddress, port, count: 15 }) // of 90 bytes each
    await capture.holds(15)
    await capture.close()
    t.deepEqual(capture.files.map((_, file) => capture.records(file).length), [2, 3, 3, 3, 4]) // biome-ignore format: one line
  })

  check('setBytesLeft() changes when the present file is full', async (t, driver) => {
    const { pod, sender, port } = await podWithPort(t)
    const capture = await Capture.open(t, driver, {
      interfaceName: pod.hostName,
      filter: 'udp',
      bytesLeft: 100,
    })
    await sender.udp({ to: pod.hostAddress, port, count: 20 })
    await capture.holds(1)
    t.is(capture.records().length, 1)
    await capture.settles(1) // it is counted a moment after it is written
    capture.tap.setBytesLeft(1_000)
    await capture.holds(12)
    t.is(capture.records().length, 12)
    await capture.close()
  })

  check(
    'rotate() goes on in the next sink when something was written, and does nothing when not',
    async (t, driver) => {
      const { pod, sender, port } = await podWithPort(t)
      const capture = await Capture.open(t, driver, { interfaceName: pod.hostName, filter: 'udp' })
      capture.offer()
      capture.tap.rotate() // nothing was written
      await sender.udp({ to: pod.hostAddress, port, count: 10 })
      await capture.holds(10)
      t.is(capture.records(0).length, 10)
      t.false(capture.has('moved'))
      capture.tap.rotate()
      await sender.udp({ to: pod.hostAddress, port, count: 10, first: 10 })
      await capture.told('moved')
      await capture.holds(20)
      await capture.close()
      t.deepEqual([0, 1].map(file => capture.records(file).length), [10, 10]) // biome-ignore format: one line
    },
  )

  check('open() shows a single packet to a reader within a second', async (t, driver) => {
    const { pod, sender, port } = await podWithPort(t)
    const capture = await Capture.open(t, driver, { interfaceName: pod.hostName, filter: 'udp' })
    for (const number of range(0, 3)) {
      const sent = await sender.udp({ to: pod.hostAddress, port, count: 1, first: number })
      await capture.holds(number + 1)
      const lateMs = Date.now() - sent.toMs
      t.true(lateMs < 2_000, `after ${lateMs} ms`) // one second, and as much again for a machine that is busy with other tests
    }
  })

  check('close() is final and may be called twice, also under traffic', async (t, driver) => {
    const { pod, sender, port } = await podWithPort(t)
    const capture = await Capture.open(t, driver, { interfaceName: pod.hostName, filter: 'udp' })
    const traffic = sender.udp({ to: pod.hostAddress, port, count: 20_000 })
    await capture.told('firstPacket')
    const [first, second] = await Promise.all([capture.tap.close(), capture.tap.close()])
    const path = capture.files[0]?.path ?? ''
    const before = readFileSync(path)
    await traffic
    t.deepEqual(await capture.tap.close(), first)
    t.deepEqual(second, first)
    t.true(readFileSync(path).equals(before))
    t.is(capture.records().length, first.packets)
    t.is(first.received, first.packets + first.dropped + first.refused)
  })

  check('open() writes whole records into a pipe', async (t, driver) => {
    const { pod, sender, port } = await podWithPort(t)
    const fifo = join(await mkdtemp(join(tmpdir(), 'selcap-pipe-')), 'pipe')
    t.teardown(() => rm(dirname(fifo), { recursive: true }))
    await run('mkfifo', [fifo])
    const reading = readFile(fifo)
    const fd = await openFile(fifo, 'w')
    const sink = { fd: fd.fd, bytesLeft: 1e9, isEmpty: true, device: undefined }
    const tap = await driver.open(
      { ...defaults, interfaceName: pod.hostName, filter: 'udp', sink },
      () => {},
    )
    await sender.udp({ to: pod.hostAddress, port, count: 500 })
    await until('all packets', () => tap.counters().packets === 500)
    await tap.close()
    await fd.close()
    const records = readRecords(Buffer.concat([fileHeader('pcap'), await reading]), 'pcap')
    t.deepEqual(records.map(({ bytes }) => numberOf(bytes)), range(0, 500)) // biome-ignore format: one line
  })

  check(
    'open() writes files that tcpdump, tshark and capinfos read at any moment',
    async (t, driver) => {
      const { pod, sender, port } = await podWithPort(t)
      const captures = await Promise.all(
        (['pcap', 'pcapng'] as const).map(format =>
          Capture.open(t, driver, {
            interfaceName: pod.hostName,
            filter: 'udp',
            format,
            bytesLeft: 200_000,
            ahead: 2,
          }),
        ),
      )
      const traffic = sender.udp({ to: pod.hostAddress, port, count: 8_000, gapMs: 0.3 })
      await Promise.all(captures.map(capture => capture.holds(10)))
      for (const { path } of captures.flatMap(({ files }) => [...files])) {
        for (const reader of [['tcpdump', '-nr'], ['tshark', '-nr'], ['capinfos']])
          await t.notThrowsAsync(readNow(reader, path))
      }
      await traffic
    },
  )
}

/**
 * A reader that comes while the kernel is within a write(2) may see a part of it: a second look has
 * to be clean.
 */
async function readNow([command = '', ...args]: readonly string[], path: string): Promise<void> {
  await run(command, [...args, path]).catch(() => run(command, [...args, path]))
}
