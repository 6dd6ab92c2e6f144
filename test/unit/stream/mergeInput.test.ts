// Inputs that make no sense end, with the reason, and harm no other.
import test from 'ava'
import { interfaceBlock, sectionOf } from '../../../src/pcap/fileHeader.ts'
import { at, Merging } from '../../support/pcap/merging.ts'
import { header, interfaceBlockFor } from '../../support/pcap/pcapng.ts'

const refusals: readonly [title: string, bytes: () => Buffer, reason: RegExp][] = [
  ['a second section', () => Buffer.concat([header('cali1'), header('cali1')]), /second section/],
  ['no section', () => interfaceBlockFor('cali1'), /before the section/],
  ['a section of the other byte order', () => swapped(), /not little-endian/],
  [
    'a packet of an unknown interface',
    () => Buffer.concat([header('cali1'), at(1, 3)]),
    /interface 3/,
  ],
  ['a packet longer than its block', () => longer(), /longer than its block/],
  ['times in microseconds', () => Buffer.concat([sectionOf(''), plainInterface()]), /nanoseconds/],
  [
    'a block of no size',
    () => Buffer.concat([header('cali1'), Buffer.alloc(12)]),
    /block of 0 bytes/,
  ],
  [
    'a block without end',
    () => Buffer.concat([header('cali1'), Buffer.from([6, 0, 0, 0, 0, 0, 0, 0x40])]),
    /block of 1073741824 bytes/,
  ],
  ['two sizes', () => twoSizes(), /two sizes/],
]
for (const [title, bytes, reason] of refusals) {
  test(`push() ends an input with ${title}, and the others go on`, t => {
    const merging = new Merging()
    const good = merging.join('cali0')
    const bad = merging.merge.join()
    t.regex(merging.push(bad, bytes()) ?? '', reason)
    t.is(merging.push(bad, at(1)), undefined)
    merging.push(good, at(2))
    merging.take()
    t.deepEqual(merging.order, ['0:2'])
  })
}

test('push() refuses an interface too many', t => {
  const merging = new Merging({ interfacesMax: 2 })
  merging.join('cali0')
  const lane = merging.join('cali1')
  t.regex(merging.push(lane, interfaceBlockFor('cali2')) ?? '', /more than 2 interfaces/)
})

test('push() refuses more interface blocks than may wait', t => {
  const merging = new Merging()
  const lane = merging.join('cali0')
  const facts = {
    snapLength: 262_144,
    interfaceName: 'cali1',
    endpoint: 'shop/web-0',
    filter: 'x'.repeat(60_000),
  }
  const reasons = Array.from({ length: 100 }, () => merging.push(lane, interfaceBlock(facts)))
  t.deepEqual(reasons.filter(reason => reason !== undefined), ['interface blocks that nobody takes']) // biome-ignore format: one line
  t.true(merging.take() < 4.1 * 1024 * 1024)
})

function swapped(): Buffer {
  const section = sectionOf('')
  section.writeUInt32BE(0x1a2b3c4d, 8)
  return section
}

function longer(): Buffer {
  const packet = at(1)
  packet.writeUInt32LE(packet.length, 20)
  return Buffer.concat([header('cali1'), packet])
}

function plainInterface(): Buffer {
  return Buffer.from('01000000' + '14000000' + '01000000' + '00000400' + '14000000', 'hex')
}

function twoSizes(): Buffer {
  const packet = at(1)
  packet.writeUInt32LE(64, packet.length - 4)
  return Buffer.concat([header('cali1'), packet])
}
