// How records reach the files when many go with one write: long ones straight from the ring, and a
// rest that is held back.
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import type { TapCounters } from '../../../../src/driver/driver.ts'
import { ringDriver } from '../../../../src/driver/ring/ringDriver.ts'
import type { Format } from '../../../../src/model/capture.ts'
import { Capture, defaults } from '../../../support/net/capture.ts'
import { range } from '../../../support/net/contract/packets.ts'
import { makePod } from '../../../support/net/pod.ts'
import { podWithPort } from '../../../support/net/podWithPort.ts'
import { serialNetworkTest as networkTest } from '../../../support/net/privilege.ts'
import { run } from '../../../support/net/run.ts'
import { makeSender } from '../../../support/net/sender.ts'
import { fileHeader, readRecords } from '../../../support/pcap/captureFile.ts'
import { ethernet, numbered, numberOf } from '../../../support/pcap/frames.ts'
import { until } from '../../../support/until.ts'

const formats: readonly Format[] = ['pcap', 'pcapng']

networkTest(
  'native: taps that are busy at once get each its own records, and all of them',
  async t => {
    const { pod, sender, port } = await podWithPort(t)
    const driver = ringDriver()
    const wish = { interfaceName: pod.hostName, filter: 'udp', ringBytes: 4_194_304 }
    const captures = await Promise.all(
      [...formats, ...formats].map(format => Capture.open(t, driver, { ...wish, format })),
    )
    for (let first = 0; first < 8_000; first += 1_000) {
      await sender.udp({ to: pod.hostAddress, port, count: 1_000, bytes: 800, first })
      await Promise.all(captures.map(capture => capture.holds(first + 1_000))) // while the taps are open: nothing stays behind
    }
    for (const capture of captures) {
      t.like(await capture.close(), { received: 8_000, packets: 8_000, dropped: 0, refused: 0 })
      t.deepEqual(capture.records().map(({ bytes }) => numberOf(bytes)), range(0, 8_000)) // biome-ignore format: one line
    }
  },
)

for (const format of formats) {
  networkTest(
    `native: a file ends with a whole record when the disk is full among long and short frames (${format})`,
    async t => {
      const pod = await makePod(t)
      const [sender, listener] = await Promise.all([
        makeSender(t, pod.namespace),
        makeSender(t, pod.namespace),
      ])
      const port = await listener.listenUdp('127.0.0.1')
      const directory = mkdtempSync(join(tmpdir(), 'selcap-batch-'))
      t.teardown(() => rmSync(directory, { recursive: true }))
      await run('mount', ['-t', 'tmpfs', '-o', 'size=400k', 'tmpfs', directory])
      t.teardown(() => run('umount', ['--lazy', directory]))
      const wish = {
        interfaceName: 'lo',
        netns: pod.namespace.path,
        filter: 'udp',
        directory,
        format,
      }
      const capture = await Capture.open(t, ringDriver(), wish)
      for (const first of range(0, 20))
        await sender.udp({
          to: '127.0.0.1',
          port,
          count: 1,
          first,
          bytes: first % 2 ? 60_000 : 100,
        })
      await capture.settles(20)
      const numbers = capture.records().map(({ bytes }) => numberOf(bytes))
      t.true(numbers.length >= 10 && numbers.length < 20)
      t.deepEqual(numbers, range(0, numbers.length))
      t.true(capture.records().every(({ bytes, original }) => bytes.length === original))
      t.like(await capture.close(), {
        received: 20,
        packets: numbers.length,
        refused: 20 - numbers.length,
      })
    },
  )

  networkTest(
    `native: long frames keep the VLAN tag that the kernel has taken out (${format})`,
    async t => {
      const pod = await makePod(t)
      const sender = await makeSender(t, pod.namespace)
      const capture = await Capture.open(t, ringDriver(), {
        interfaceName: 'lo',
        netns: pod.namespace.path,
        format,
      })
      const sent = [100, 20_001, 40_002, 100, 60_003].map((length, number) =>
        ethernet({
          tags: [{ tpid: 0x8100, id: 5, priority: 3 }],
          type: 0x88b5,
          body: numbered(number, length),
        }),
      )
      await sender.frames('lo', sent)
      await capture.holds(5) // loopback takes the tag out before they arrive
      t.like(await capture.close(), { packets: 5, dropped: 0, refused: 0 })
      const found = capture.records().map(({ bytes }) => bytes.toString('hex'))
      t.deepEqual(
        found.toSorted(),
        sent.map(frame => Buffer.from(frame).toString('hex')).toSorted(),
      )
    },
  )
}

for (const format of formats) {
  networkTest(
    `native: runs of plain frames among tagged and cut ones are the frames that were sent (${format})`,
    async t => {
      const pod = await makePod(t)
      const sender = await makeSender(t, pod.namespace)
      const snapLength = 700
      const capture = await Capture.open(t, ringDriver(), {
        interfaceName: pod.hostName,
        format,
        snapLength,
        ringBytes: 4_194_304,
      })
      const tags = (number: number) =>
        number % 13 === 0 ? [{ tpid: 0x8100, id: number % 4_000, priority: 1 }] : []
      const sent = range(0, 6_000).map(number =>
        ethernet({
          tags: tags(number),
          type: 0x88b5,
          body: numbered(number, 16 + ((number * 7) % (number % 5 === 0 ? 1_400 : 300))),
        }),
      )
      for (let first = 0; first < sent.length; first += 2_000)
        await sender.frames('eth0', sent.slice(first, first + 2_000))
      await capture.holds(sent.length)
      t.like(await capture.close(), {
        received: sent.length,
        packets: sent.length,
        dropped: 0,
        refused: 0,
        truncated: 0,
      })
      const written = capture
        .records()
        .map(({ bytes, original }) => `${original} ${bytes.toString('hex')}`)
      t.deepEqual(written, sent.map(frame => `${frame.length} ${Buffer.from(frame.subarray(0, snapLength)).toString('hex')}`)) // biome-ignore format: one line
    },
  )
}

networkTest('native: frames of BIG TCP, longer than 64 KiB, are written whole', async t => {
  const pod = await makePod(t, { ipv6: true })
  const big = ['gso_max_size', '185000', 'gro_max_size', '185000']
  try {
    await run('ip', ['link', 'set', 'dev', pod.hostName, ...big])
    await pod.namespace.ip(`link set dev ${pod.podName} ${big.join(' ')}`)
  } catch (error) {
    t.pass(`not on this kernel: ${(error as Error).message}`) // before Linux 5.19 there are none
    return
  }
  const [sender, here] = await Promise.all([makeSender(t, pod.namespace), makeSender(t)])
  // Not `tcp`: a jumbogram's first header is another one, and filters look at the first.
  const capture = await Capture.open(t, ringDriver(), {
    interfaceName: pod.hostName,
    filter: 'ip6',
    ringBytes: 4_194_304,
  })
  const port = await here.listenTcp(pod.hostAddress6)
  t.is((await sender.tcp({ to: pod.hostAddress6, port, bytes: 60_000_000 })).arrived, 60_000_000)
  t.like(await capture.close(), { truncated: 0, refused: 0 })
  const records = capture.records()
  t.true(Math.max(...records.map(({ original }) => original)) > 100_000)
  t.true(records.every(({ bytes, original }) => bytes.length === original))
})

networkTest(
  'native: a pipe that was full for a while holds whole records, long ones too',
  async t => {
    const pod = await makePod(t)
    const [sender, listener] = await Promise.all([
      makeSender(t, pod.namespace),
      makeSender(t, pod.namespace),
    ])
    const port = await listener.listenUdp('127.0.0.1')
    const { reading, writing } = await makePipe(t)
    const sink = { fd: writing, bytesLeft: 1e9, isEmpty: true, device: undefined }
    const tap = await ringDriver().open(
      { ...defaults, interfaceName: 'lo', netns: pod.namespace.path, filter: 'udp', sink },
      () => {},
    )
    for (const first of range(0, 40))
      await sender.udp({ to: '127.0.0.1', port, count: 1, first, bytes: first % 2 ? 30_000 : 100 })
    await until('all to be settled', () => settled(tap.counters()) === 40)
    t.true(tap.counters().refused > 0)
    const before = readNow(reading)
    await sender.udp({ to: '127.0.0.1', port, count: 10, first: 40 })
    const counters = await tap.close()
    closeSync(writing)
    const records = readRecords(
      Buffer.concat([fileHeader('pcap'), before, readNow(reading)]),
      'pcap',
    )
    const numbers = records.map(({ bytes }) => numberOf(bytes) ?? -1)
    t.deepEqual(
      numbers,
      numbers.toSorted((a, b) => a - b),
    )
    t.deepEqual(numbers.slice(-10), range(40, 50))
    t.like(counters, {
      received: 50,
      packets: records.length,
      refused: 50 - records.length,
      dropped: 0,
    })
  },
)

const settled = ({ packets, refused, dropped }: TapCounters): number => packets + refused + dropped

/** Both ends do not block. */
async function makePipe(
  t: ExecutionContext,
): Promise<{ readonly reading: number; readonly writing: number }> {
  const directory = mkdtempSync(join(tmpdir(), 'selcap-batch-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  await run('mkfifo', [join(directory, 'pipe')])
  const reading = openSync(join(directory, 'pipe'), constants.O_RDONLY | constants.O_NONBLOCK)
  t.teardown(() => closeSync(reading))
  return {
    reading,
    writing: openSync(join(directory, 'pipe'), constants.O_WRONLY | constants.O_NONBLOCK),
  }
}

/** What a pipe holds now. */
function readNow(fd: number): Buffer {
  const bytes = Buffer.alloc(1 << 20)
  return bytes.subarray(0, readSync(fd, bytes))
}
