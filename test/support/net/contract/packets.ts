// Contract: what is in the files. Exactly the packets that were sent, byte for byte, with the
// kernel's times.
import type { Format } from '../../../../src/model/capture.ts'
import type { FileRecord } from '../../pcap/captureFile.ts'
import { ethernet, ipv4, numbered, numberOf, udp } from '../../pcap/frames.ts'
import { until } from '../../until.ts'
import { Capture } from '../capture.ts'
import { makePod } from '../pod.ts'
import { makeSender } from '../sender.ts'
import type { Check, StatedLimits } from './contract.ts'

const formats: readonly Format[] = ['pcap', 'pcapng']

export function packetChecks(check: Check, lacks: StatedLimits): void {
  for (const format of formats) {
    check(
      `open() writes exactly the frames that were sent when all are wanted (${format})`,
      async (t, driver) => {
        const pod = await makePod(t)
        const sender = await makeSender(t, pod.namespace)
        const capture = await Capture.open(t, driver, { interfaceName: pod.hostName, format })
        const frames = Array.from({ length: 300 }, (_, index) =>
          frameOf(14 + ((index * 37) % 1_500), index),
        )
        const sent = await sender.frames('eth0', frames)
        await capture.holds(300)
        const counters = await capture.close()
        const records = capture.records()
        t.deepEqual(contents(records), contents(frames.map(bytes => ({ bytes }))))
        t.true(records.every(({ bytes, original }) => bytes.length === original))
        t.true(ascending(records))
        t.true(
          records.every(
            ({ atNs }) =>
              Number(atNs / 1_000n) / 1e3 >= sent.fromMs - 0.01 &&
              Number(atNs / 1_000n) / 1e3 <= sent.toMs + 0.01,
          ),
        )
        const hasNanoseconds = records.some(({ atNs }) => atNs % 1_000n !== 0n)
        t.is(hasNanoseconds, format === 'pcapng' && !lacks.has('nanoseconds'))
        const bytes = records.reduce((sum, { size }) => sum + size, 0)
        t.like(counters, {
          received: 300,
          packets: 300,
          dropped: 0,
          refused: 0,
          truncated: 0,
          bytes,
        })
        t.true(
          Math.abs(
            (counters?.lastPacketMs ?? 0) - Number((records.at(-1)?.atNs ?? 0n) / 1_000n) / 1e3,
          ) < 1,
        )
        t.true(
          Math.abs(firstPacketMs(capture) - Number((records[0]?.atNs ?? 0n) / 1_000n) / 1e3) < 1,
        )
      },
    )

    check(
      `open() writes both directions, told from the pod's side, when a socket answers (${format})`,
      async (t, driver) => {
        const pod = await makePod(t)
        const [inside, here] = await Promise.all([makeSender(t, pod.namespace), makeSender(t)])
        const capture = await Capture.open(t, driver, {
          interfaceName: pod.hostName,
          format,
          filter: 'udp',
        })
        await inside.udp({
          to: pod.hostAddress,
          port: await here.listenUdp(pod.hostAddress),
          count: 50,
        })
        await here.udp({
          to: pod.podAddress,
          port: await inside.listenUdp(pod.podAddress),
          count: 50,
          first: 50,
        })
        await capture.holds(100)
        await capture.close()
        const records = capture.records()
        t.deepEqual(records.map(numberIn), range(0, 100))
        const directions = records.map(({ flags }) => (flags === undefined ? undefined : flags & 3))
        const stated = format === 'pcapng' && !lacks.has('flags')
        t.deepEqual(directions, [
          ...Array(50).fill(stated ? 2 : undefined),
          ...Array(50).fill(stated ? 1 : undefined),
        ]) // 2: outbound
      },
    )
  }

  check(
    'open() in another network namespace tells directions from inside when insideIsPod',
    async (t, driver) => {
      const pod = await makePod(t)
      const [inside, here] = await Promise.all([makeSender(t, pod.namespace), makeSender(t)])
      const wish = {
        interfaceName: 'eth0',
        netns: pod.namespace.path,
        insideIsPod: true,
        format: 'pcapng',
        filter: 'udp',
      } as const
      const capture = await Capture.open(t, driver, wish)
      await inside.udp({
        to: pod.hostAddress,
        port: await here.listenUdp(pod.hostAddress),
        count: 3,
      })
      await here.udp({
        to: pod.podAddress,
        port: await inside.listenUdp(pod.podAddress),
        count: 3,
        first: 3,
      })
      await capture.holds(6)
      await capture.close()
      t.deepEqual(capture.records().map(numberIn), range(0, 6))
      const flags = capture.records().map(record => (record.flags ?? 0) & 3)
      t.deepEqual(flags, lacks.has('flags') ? Array(6).fill(0) : [2, 2, 2, 1, 1, 1])
    },
  )

  check(
    'open() never writes a packet that its filter refuses, when it is opened under traffic',
    async (t, driver) => {
      const pod = await makePod(t)
      const [wanted, unwanted, here] = await Promise.all([
        makeSender(t, pod.namespace),
        makeSender(t, pod.namespace),
        makeSender(t),
      ])
      const ports = [
        await here.listenUdp(pod.hostAddress),
        await here.listenUdp(pod.hostAddress),
      ] as const
      const traffic = Promise.all([
        wanted.udp({ to: pod.hostAddress, port: ports[0], count: 3_000, gapMs: 0.3 }),
        unwanted.udp({
          to: pod.hostAddress,
          port: ports[1],
          count: 3_000,
          first: 100_000,
          gapMs: 0.3,
        }),
      ])
      const capture = await Capture.open(t, driver, {
        interfaceName: pod.hostName,
        filter: `udp dst port ${ports[0]}`,
      })
      await traffic
      await capture.close()
      const numbers = capture.records().map(numberIn)
      t.true(numbers.length > 10)
      t.deepEqual(numbers, range(3_000 - numbers.length, 3_000)) // from some packet on, all of them, and no other
    },
  )

  check(
    'open() writes the first bytes and the true length when a packet is longer than the snap length',
    async (t, driver) => {
      const pod = await makePod(t)
      const sender = await makeSender(t, pod.namespace)
      const capture = await Capture.open(t, driver, { interfaceName: pod.hostName, snapLength: 60 })
      await sender.frames('eth0', [
        frameOf(1_000, 1),
        frameOf(60, 2),
        frameOf(61, 3),
        frameOf(40, 4),
      ])
      await capture.holds(4)
      const counters = await capture.close()
      t.deepEqual(capture.records().map(({ bytes, original }) => [bytes.length, original]), [[60, 1_000], [60, 60], [60, 61], [40, 40]]) // biome-ignore format: a table
      t.is(counters?.truncated, 0)
    },
  )

  check(
    'open() keeps VLAN tags in the packet when the kernel has taken them out',
    async (t, driver) => {
      const pod = await makePod(t)
      const [inside, here] = await Promise.all([makeSender(t, pod.namespace), makeSender(t)])
      const all = await Capture.open(t, driver, { interfaceName: pod.hostName })
      const five = await Capture.open(t, driver, { interfaceName: pod.hostName, filter: 'vlan 5' })
      const body = ipv4({ protocol: 17, body: udp(numbered(1)) })
      const tagged = ethernet({ tags: [{ tpid: 0x8100, id: 5, priority: 3 }], type: 0x0800, body })
      const double = ethernet({ tags: [{ tpid: 0x88a8, id: 7 }, { tpid: 0x8100, id: 5 }], type: 0x0800, body }) // biome-ignore format: one line
      const other = ethernet({ tags: [{ tpid: 0x8100, id: 6 }], type: 0x0800, body })
      await inside.frames('eth0', [tagged, double, other])
      await here.frames(pod.hostName, [tagged])
      await all.holds(4)
      await Promise.all([all.close(), five.close()])
      t.deepEqual(all.records().map(({ bytes }) => bytes.toString('hex')), [tagged, double, other, tagged].map(bytes => bytes.toString('hex'))) // biome-ignore format: one line
      const found = five.records().map(({ bytes }) => bytes.toString('hex'))
      t.true(found.includes(tagged.toString('hex')))
      t.false(found.includes(other.toString('hex')))
    },
  )

  check('open() writes frames whole when TCP hands them over unsegmented', async (t, driver) => {
    const pod = await makePod(t)
    const [inside, here] = await Promise.all([makeSender(t, pod.namespace), makeSender(t)])
    const capture = await Capture.open(t, driver, { interfaceName: pod.hostName, filter: 'tcp' })
    const port = await here.listenTcp(pod.hostAddress)
    t.is((await inside.tcp({ to: pod.hostAddress, port, bytes: 3_000_000 })).arrived, 3_000_000)
    const counters = await capture.close()
    const records = capture.records()
    t.true(Math.max(...records.map(({ original }) => original)) > 20_000)
    t.true(records.every(({ bytes, original }) => bytes.length === original))
    t.is(counters?.truncated, 0)
    const payload = records
      .filter(({ bytes }) => bytes.readUInt16BE(36) === port)
      .reduce((sum, { bytes }) => sum + tcpPayload(bytes), 0)
    t.true(payload >= 3_000_000 || (counters?.dropped ?? 0) > 0)
  })

  check('open() writes each packet of loopback once, both directions', async (t, driver) => {
    const { namespace } = await makePod(t)
    const [sender, listener] = await Promise.all([
      makeSender(t, namespace),
      makeSender(t, namespace),
    ])
    const port = await listener.listenTcp('127.0.0.1')
    const capture = await Capture.open(t, driver, {
      interfaceName: 'lo',
      netns: namespace.path,
      filter: `tcp port ${port} or icmp`,
      insideIsPod: true,
    })
    t.is((await sender.tcp({ to: '127.0.0.1', port, bytes: 300_000 })).arrived, 300_000)
    await sender.ping({ to: '127.0.0.1', count: 5 })
    const isEcho = ({ bytes }: FileRecord) => bytes.readUInt8(23) === 1
    await until('the last echo', () => capture.records().filter(isEcho).length >= 10)
    const counters = await capture.close()
    const all = capture.records()
    t.deepEqual(all.filter(isEcho).map(numberIn), [0, 0, 1, 1, 2, 2, 3, 3, 4, 4])
    const segments = all.filter(record => !isEcho(record)).map(({ bytes }) => bytes)
    const payloadOf = (direction: number) =>
      segments
        .filter(bytes => bytes.readUInt16BE(direction) === port)
        .reduce((sum, bytes) => sum + tcpPayload(bytes), 0)
    t.true(payloadOf(36) >= 300_000 && payloadOf(34) >= 8)
    t.is(new Set(contents(segments.map(bytes => ({ bytes })))).size, segments.length) // sent again, it has another number
    t.like(counters, { received: all.length, packets: all.length, dropped: 0, refused: 0 })
  })

  check('open() writes IPv6 and ICMP when they pass', async (t, driver) => {
    const pod = await makePod(t, { ipv6: true })
    const [inside, here] = await Promise.all([makeSender(t, pod.namespace), makeSender(t)])
    const capture = await Capture.open(t, driver, {
      interfaceName: pod.hostName,
      filter: 'icmp or (ip6 and udp)',
    })
    await inside.ping({ to: pod.hostAddress, count: 5 })
    await inside.udp({
      to: pod.hostAddress6,
      port: await here.listenUdp(pod.hostAddress6),
      count: 5,
      first: 10,
    })
    await capture.holds(15)
    await capture.close()
    t.deepEqual(capture.records().map(numberIn), [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, ...range(10, 15)])
  })
}

function frameOf(bytes: number, number: number): Buffer {
  return ethernet({ type: 0x88b5, body: numbered(number, Math.max(10, bytes - 14)) }).subarray(
    0,
    Math.max(bytes, 15),
  )
}

function contents(records: readonly { readonly bytes: Uint8Array }[]): string[] {
  return records.map(({ bytes }) => Buffer.from(bytes).toString('latin1'))
}

function numberIn(record: FileRecord): number | undefined {
  return numberOf(record.bytes)
}

function ascending(records: readonly FileRecord[]): boolean {
  return records.every(({ atNs }, index) => atNs >= (records[index - 1]?.atNs ?? 0n))
}

function firstPacketMs(capture: Capture): number {
  const event = capture.events.find(({ kind }) => kind === 'firstPacket')
  return event?.kind === 'firstPacket' ? event.atMs : 0
}

function tcpPayload(frame: Buffer): number {
  return frame.length - 14 - 20 - (frame.readUInt8(46) >> 4) * 4
}

export function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index)
}
