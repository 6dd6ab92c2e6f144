// Link watching without the addon: what is told when two looks differ. The looks themselves are in
// the contract.
import test from 'ava'
import {
  differences,
  linkTypeOfHardware,
  type SeenLink,
} from '../../../../src/driver/libpcap/portableLinks.ts'

const eth0: SeenLink = { name: 'eth0', index: 4, kind: '', isUp: true, mtu: 1_500, gsoMaxBytes: 65_536, peerIndex: undefined, addresses: [], alternativeNames: [], hardwareType: 1, linkType: 'Ethernet', carrierChanges: 2 } // biome-ignore format: one line

const rows: readonly (readonly [
  string,
  readonly SeenLink[],
  readonly SeenLink[],
  readonly string[],
])[] = [
  ['nothing when nothing changed', [eth0], [{ ...eth0, mtu: 9_000 }], []],
  ['present when it is new', [], [eth0], ['present 4']],
  ['down when it is new and down', [], [{ ...eth0, isUp: false }], ['down 4']],
  ['gone', [eth0], [], ['gone 4']],
  ['down', [eth0], [{ ...eth0, isUp: false, carrierChanges: 3 }], ['down 4']],
  [
    'down and present when it was away between two looks',
    [eth0],
    [{ ...eth0, carrierChanges: 4 }],
    ['down 4', 'present 4'],
  ],
  [
    'gone and present when it was made again under its name',
    [eth0],
    [{ ...eth0, index: 9 }],
    ['gone 4', 'present 9'],
  ],
]

for (const [title, before, now, expected] of rows) {
  test(`differences() tells ${title}`, t => {
    const told = differences(byName(before), byName(now)).map(
      ({ kind, index }) => `${kind} ${index}`,
    )
    t.deepEqual(told, expected)
  })
}

function byName(links: readonly SeenLink[]): ReadonlyMap<string, SeenLink> {
  return new Map(links.map(link => [link.name, link]))
}

const [pointToPoint, broadcast] = [0x10, 0x2]
for (const [name, hardwareType, flags, expected] of [
  ['Ethernet', 1, broadcast, 'Ethernet'],
  ['loopback', 772, 0, 'Ethernet'],
  ['tun and WireGuard', 0xfffe, pointToPoint, 'RawIp'],
  ['IP in IP', 768, 0, 'RawIp'],
  ['GRE with one other end', 778, pointToPoint, 'RawIp'],
  ['GRE with many other ends', 778, 0, undefined],
  ['GRE to a group', 778, broadcast, undefined],
  ['wireless monitoring', 803, broadcast, undefined],
] as const)
  test(`linkTypeOfHardware() is ${expected} for ${name}`, t =>
    t.is(linkTypeOfHardware(hardwareType, flags), expected))
