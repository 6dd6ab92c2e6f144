// A program that the kernel refuses is applied by the reader: the same packets, the same counts.
import test from 'ava'
import { leastInstructions } from '../../../../src/driver/filterSize.ts'
import { ringDriver } from '../../../../src/driver/ring/ringDriver.ts'
import { filterInstructions } from '../../../../src/model/tap.ts'
import { Capture } from '../../../support/net/capture.ts'
import { makePod } from '../../../support/net/pod.ts'
import { networkTest } from '../../../support/net/privilege.ts'
import { makeSender } from '../../../support/net/sender.ts'
import { numberOf } from '../../../support/pcap/frames.ts'
import { until } from '../../../support/until.ts'

const kernelMax = 4_096
const hosts = (count: number): string =>
  Array.from({ length: count }, (_, index) => `host 10.${index >> 8}.${index & 255}.1`).join(' or ')
const long = { filterInstructionsMax: filterInstructions.long } as const

test('compile() takes a program longer than the kernel does only where that is allowed', async t => {
  const driver = ringDriver()
  t.true((await driver.compile(hosts(250), 262_144, filterInstructions.long)) > kernelMax)
  await t.throwsAsync(driver.compile(hosts(200), 262_144), {
    code: 'FILTER_TOO_LONG',
    message: /takes \d{4} instructions, .* 1500/,
  })
  await t.throwsAsync(driver.compile(hosts(700), 262_144, filterInstructions.long), {
    code: 'FILTER_TOO_LONG',
    message: /takes \d{5} instructions, .* 16384/,
  })
})

test('compile() bears the longest text of many hosts', async t => {
  await t.throwsAsync(ringDriver().compile(hosts(860), 262_144, filterInstructions.long), {
    code: 'FILTER_TOO_LONG',
  })
})

const primitives = [
  ...['', 'src ', 'dst ', 'src or dst ', 'tcp ', 'udp src ', 'sctp dst '].flatMap(before => [
    `${before}port 80`,
    `${before}portrange 80-90`,
  ]),
  ...['', 'src ', 'ip ', 'ip dst ', 'arp '].flatMap(before => [
    `${before}host 10.0.0.1`,
    `${before}net 10.0.0.0/8`,
  ]),
  ...['', 'src ', 'ip6 ', 'ip6 src '].flatMap(before => [
    `${before}host ::1`,
    `${before}net 2001:db8::/32`,
  ]),
  'ether host 1:2:3:4:5:6',
  'ether src 1:2:3:4:5:6',
  ...['tcp', 'udp', 'sctp', 'esp', 'ah', 'pim', 'icmp6', 'l1', 'ip', 'arp', 'llc'],
  ...['len > 5', 'ip[0] = 1', 'ip multicast', 'ip proto 5', 'vlan 5'],
]
for (const primitive of primitives) {
  test(`leastInstructions() is not more than libpcap makes of ${primitive}, and not much less`, async t => {
    // More than what is optimised, and no more: compiling takes the square of the length.
    const count = Math.ceil(1_900 / (leastInstructions(primitive) || 4))
    const whole = Array.from({ length: count }, () => primitive).join(' or ')
    const made = await ringDriver().compile(whole, 262_144, 1_000_000)
    const least = leastInstructions(whole)
    t.true(least <= made, `${least} of ${made}`)
    if (/port|host|net|^(tcp|udp|sctp|esp|ah|pim)$/.test(primitive))
      t.true(least * 4 >= made, `${least} of ${made}`)
  })
}

for (const format of ['pcap', 'pcapng'] as const) {
  networkTest(
    `open() writes exactly the matching packets with a program that the kernel refuses (${format})`,
    async t => {
      const pod = await makePod(t)
      const [sender, here] = await Promise.all([makeSender(t, pod.namespace), makeSender(t)])
      const [wanted, other] = [
        await here.listenUdp(pod.hostAddress),
        await here.listenUdp(pod.hostAddress),
      ]
      const filter = `(${hosts(250)} or host ${pod.podAddress}) and udp port ${wanted}`
      const driver = ringDriver()
      t.true((await driver.compile(filter, 262_144, filterInstructions.long)) > kernelMax)
      const capture = await Capture.open(t, driver, {
        interfaceName: pod.hostName,
        filter,
        format,
        ...long,
      })
      for (let round = 0; round < 5; round++) {
        await sender.udp({ to: pod.hostAddress, port: wanted, count: 20, first: round * 20 })
        await sender.udp({ to: pod.hostAddress, port: other, count: 30, first: 1_000 })
      }
      await capture.holds(100)
      t.like(await capture.close(), {
        received: 100,
        packets: 100,
        dropped: 0,
        refused: 0,
        truncated: 0,
      })
      t.deepEqual(
        capture.records().map(({ bytes }) => numberOf(bytes)),
        Array.from({ length: 100 }, (_, number) => number),
      )
    },
  )
}

networkTest(
  'open() counts the limits by what matches, with a program that the kernel refuses',
  async t => {
    const pod = await makePod(t)
    const [sender, here] = await Promise.all([makeSender(t, pod.namespace), makeSender(t)])
    const [wanted, other] = [
      await here.listenUdp(pod.hostAddress),
      await here.listenUdp(pod.hostAddress),
    ]
    const driver = ringDriver()
    const group = driver.group()
    group.setLeft({ packets: 7 })
    const filter = `not (${hosts(250)}) and udp port ${wanted}`
    const capture = await Capture.open(t, driver, {
      interfaceName: pod.hostName,
      filter,
      group,
      ...long,
    })
    await sender.udp({ to: pod.hostAddress, port: other, count: 50 })
    await sender.udp({ to: pod.hostAddress, port: wanted, count: 12 })
    await capture.told('limit')
    await until('all to be counted', () => capture.tap.counters().received === 12)
    t.like(await capture.close(), { received: 12, packets: 7, refused: 5, dropped: 0 })
    t.is(capture.records().length, 7)
  },
)

networkTest(
  'open() gives back everything it took, with programs that the kernel refuses',
  async t => {
    const pod = await makePod(t)
    const driver = ringDriver()
    const filter = `udp and not (${hosts(250)})`
    const captures = await Promise.all(
      Array.from({ length: 20 }, () =>
        Capture.open(t, driver, {
          interfaceName: pod.hostName,
          filter,
          ringBytes: 524_288,
          ...long,
        }),
      ),
    )
    const counters = await Promise.all(captures.map(capture => capture.close()))
    t.true(counters.every(each => each?.packets === 0 && each.received === 0))
  },
)

networkTest(
  'open() refuses a long program that looks at VLAN tags, which only the kernel sees',
  async t => {
    const pod = await makePod(t)
    const refused = Capture.open(t, ringDriver(), {
      interfaceName: pod.hostName,
      filter: `vlan 5 and (${hosts(250)})`,
      ...long,
    })
    await t.throwsAsync(refused, {
      code: 'FILTER_TOO_LONG',
      message: /VLAN tags are seen by the kernel alone/,
    })
  },
)
