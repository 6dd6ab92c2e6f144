// Contract: packets are told by the time the kernel gave them. What is outside of the window is
// neither written nor counted.
import type { Driver } from '../../../../src/driver/driver.ts'
import type { FileRecord } from '../../pcap/captureFile.ts'
import { numberOf } from '../../pcap/frames.ts'
import { until } from '../../until.ts'
import { Capture, type CaptureOptions } from '../capture.ts'
import { podWithPort } from '../podWithPort.ts'
import type { Check } from './contract.ts'
import { range } from './packets.ts'

const clocksApartMs = 5 // two sockets do not give a packet quite the same time

export function windowChecks(check: Check): void {
  for (const format of ['pcap', 'pcapng'] as const) {
    check(
      `open() writes exactly the packets within its window, with others before and after (${format})`,
      async (t, driver) => {
        const { pod, sender, port } = await podWithPort(t)
        const wish: CaptureOptions = { interfaceName: pod.hostName, filter: 'udp', format }
        const everything = await Capture.open(t, driver, wish)
        const window = { fromMs: Date.now() + 2_500, untilMs: Date.now() + 3_500 }
        const capture = await Capture.open(t, driver, { ...wish, window })
        let sent = 0 // moves on with each batch, from before the window to after it
        while (Date.now() < window.untilMs + 500) {
          await sender.udp({ to: pod.hostAddress, port, count: 50, first: sent, gapMs: 1 })
          sent += 50
        }
        await everything.holds(sent)
        await everything.close()
        const counters = await capture.close()
        const numbers = capture.records().map(({ bytes }) => numberOf(bytes) ?? -1)
        const [first = 0, last = 0] = [numbers[0], numbers.at(-1)]
        t.true(first > 0 && last < sent - 1)
        t.deepEqual(numbers, range(first, last + 1))
        t.true(capture.records().every(record => isBetween(record, window.fromMs, window.untilMs)))
        const surely = everything
          .records()
          .filter(record =>
            isBetween(record, window.fromMs + clocksApartMs, window.untilMs - clocksApartMs),
          )
          .map(({ bytes }) => numberOf(bytes) ?? -1)
        t.true(surely.length > 0)
        t.true(surely.every(number => first <= number && number <= last))
        t.like(counters, {
          received: numbers.length,
          packets: numbers.length,
          dropped: 0,
          refused: 0,
          truncated: 0,
        })
      },
    )
  }

  check(
    'open() counts and tells nothing before its window, and setWindow() lets packets in',
    async (t, driver) => {
      const { pod, sender, port } = await podWithPort(t)
      const wish: CaptureOptions = { interfaceName: pod.hostName, filter: 'udp' }
      const everything = await Capture.open(t, driver, wish)
      const capture = await Capture.open(t, driver, {
        ...wish,
        window: { fromMs: Date.now() + 3_600_000 },
      })
      await sender.udp({ to: pod.hostAddress, port, count: 20 })
      await everything.holds(20)
      t.like(capture.tap.counters(), { received: 0, packets: 0, dropped: 0, refused: 0 })
      capture.tap.setWindow({ fromMs: Date.now(), untilMs: Date.now() + 3_600_000 })
      await sender.udp({ to: pod.hostAddress, port, count: 20, first: 20 })
      await capture.holds(20)
      await capture.told('firstPacket') // the event arrives after the record is in the file
      t.is(capture.events.filter(({ kind }) => kind === 'firstPacket').length, 1)
      t.like(await capture.close(), { received: 20, packets: 20, dropped: 0, refused: 0 })
      t.deepEqual(capture.records().map(({ bytes }) => numberOf(bytes)), range(20, 40)) // biome-ignore format: one line
    },
  )

  check('setWindow() loses nothing when the end is moved while packets pass', async (t, driver) => {
    const { pod, sender, port } = await podWithPort(t)
    const capture = await Capture.open(t, driver, {
      interfaceName: pod.hostName,
      filter: 'udp',
      window: { untilMs: Date.now() + 3_600_000 },
    })
    const traffic = { isOver: false }
    const sending = sender
      .udp({ to: pod.hostAddress, port, count: 2_000, gapMs: 0.5 })
      .then(() => Object.assign(traffic, { isOver: true }))
    await until('the end of the traffic', () => {
      capture.tap.setWindow({ untilMs: Date.now() + 3_600_000 })
      return traffic.isOver
    })
    await sending
    await capture.holds(2_000)
    t.like(await capture.close(), { received: 2_000, packets: 2_000, dropped: 0, refused: 0 })
    t.deepEqual(capture.records().map(({ bytes }) => numberOf(bytes)), range(0, 2_000)) // biome-ignore format: one line
  })

  check('counters() go on and never back when the window ends', async (t, driver) => {
    const { pod, sender, port } = await podWithPort(t)
    const capture = await openLimited(t, driver, pod.hostName)
    await sender.udp({ to: pod.hostAddress, port, count: 12 })
    await capture.settles(12)
    const before = capture.tap.counters()
    capture.tap.setWindow({ untilMs: Date.now() - 1_000 })
    await sender.udp({ to: pod.hostAddress, port, count: 30, first: 12 })
    await capture.settles(12)
    const after = await capture.close()
    t.like(after, { received: 12, packets: 5, refused: 7, dropped: 0 })
    t.like(after, before)
  })
}

/**
 * With a limit of five packets: what comes after these, within the window, is refused and counted.
 */
function openLimited(
  scope: Parameters<typeof Capture.open>[0],
  driver: Driver,
  interfaceName: string,
): Promise<Capture> {
  const group = driver.group()
  group.setLeft({ packets: 5 })
  return Capture.open(scope, driver, {
    interfaceName,
    filter: 'udp',
    group,
    window: { fromMs: Date.now() - 60_000 },
  })
}

function isBetween({ atNs }: FileRecord, fromMs: number, untilMs: number): boolean {
  return atNs >= BigInt(Math.round(fromMs * 1e6)) && atNs < BigInt(Math.round(untilMs * 1e6))
}
