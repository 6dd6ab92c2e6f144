// What `payload: Headers` keeps of a frame, in TypeScript; and the addon's C code, which must agree
// on every frame.

import test from 'ava'
import fc from 'fast-check'
import { headersLength } from '../../../src/pcap/headersLength.ts'
import { ethernet, extension, ipv4, ipv6, numbered, tcp, udp } from '../../support/pcap/frames.ts'

const data = numbered(1, 64)
const tag = { tpid: 0x8100, id: 5 }
const service = { tpid: 0x88a8, id: 9 }
const arp = Buffer.alloc(46, 1)
const ip = (body: Buffer) => ethernet({ type: 0x0800, body })
const ip6 = (nextHeader: number, body: Buffer) =>
  ethernet({ type: 0x86dd, body: ipv6({ nextHeader, body }) })

const rows: readonly (readonly [string, Buffer, number])[] = [
  ['UDP', ip(ipv4({ protocol: 17, body: udp(data) })), 42],
  ['TCP', ip(ipv4({ protocol: 6, body: tcp(data) })), 54],
  ['TCP with options', ip(ipv4({ protocol: 6, body: tcp(data, { optionBytes: 40 }) })), 94],
  ['IPv4 with options', ip(ipv4({ protocol: 17, optionBytes: 40, body: udp(data) })), 82],
  ['ICMP', ip(ipv4({ protocol: 1, body: data })), 42],
  ['SCTP', ip(ipv4({ protocol: 132, body: data })), 46],
  ['a first fragment', ip(ipv4({ protocol: 17, moreFragments: true, body: udp(data) })), 42],
  ['a later fragment', ip(ipv4({ protocol: 17, fragmentOffset: 8, body: data })), 34],
  ['a tunnel', ip(ipv4({ protocol: 4, body: ipv4({ protocol: 17, body: udp(data) }) })), 34],
  [
    'one VLAN tag',
    ethernet({ tags: [tag], type: 0x0800, body: ipv4({ protocol: 17, body: udp(data) }) }),
    46,
  ],
  [
    'two VLAN tags',
    ethernet({
      tags: [service, tag],
      type: 0x86dd,
      body: ipv6({ nextHeader: 6, body: tcp(data) }),
    }),
    82,
  ],
  ['IPv6 with UDP', ip6(17, udp(data)), 62],
  ['IPv6 with ICMP', ip6(58, data), 62],
  [
    'IPv6 with extension headers',
    ip6(0, extension(43, 0, extension(60, 3, extension(6, 1, tcp(data))))),
    54 + 8 + 32 + 16 + 20,
  ],
  ['a first IPv6 fragment', ip6(44, extension(17, 0, udp(data))), 70],
  [
    'a later IPv6 fragment',
    ip6(44, Buffer.concat([Buffer.from([17, 0, 0, 64, 0, 0, 0, 1]), data])),
    62,
  ],
  [
    'an IPv6 authentication header',
    ip6(51, Buffer.concat([Buffer.from([17, 4]), Buffer.alloc(22), udp(data)])),
    86,
  ],
  ['IPv6 without a next header', ip6(59, data), 54],
  ['ARP', ethernet({ type: 0x0806, body: arp }), 42],
  ['an unknown protocol', ethernet({ type: 0x88b5, body: data }), 14],
]

for (const [name, frame, expected] of rows) {
  test(`headersLength() keeps ${expected} bytes of ${name}`, t =>
    t.is(headersLength(frame), expected))

  test(`headersLength() stays within the frame when ${name} is cut short`, t => {
    for (let length = 0; length <= frame.length; length++)
      t.true(headersLength(frame.subarray(0, length)) <= Math.min(length, expected))
  })
}

test('headersLength() stays within any bytes', t => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), bytes => {
      const length = headersLength(bytes)
      t.true(length >= 0 && length <= bytes.length)
    }),
  )
})

for (const [name, frame, expected] of rows.filter(([, frame]) =>
  [0x0800, 0x86dd].includes(frame.readUInt16BE(12)),
))
  test(`headersLength() keeps as much of ${name} when there is no link header`, t => {
    const packet = frame.subarray(14)
    t.is(headersLength(packet, 'RawIp'), expected - 14)
    for (let length = 0; length <= packet.length; length++)
      t.true(headersLength(packet.subarray(0, length), 'RawIp') <= Math.min(length, expected - 14))
  })

test('headersLength() keeps nothing of what is neither IPv4 nor IPv6 when there is no link header', t =>
  t.is(headersLength(Buffer.alloc(40, 0x75), 'RawIp'), 0))
