// The bytes at the beginning and at the end of a capture file.
import test from 'ava'
import {
  fileHeader,
  fileTrailer,
  interfaceBlock,
  trailerBytes,
} from '../../../src/pcap/fileHeader.ts'
import { facts } from '../../support/captureDirectory.ts'

const trailer = { received: 12, dropped: 3, packets: 9, fromMs: 1_000, toMs: 2_500 }

/** The blocks of a pcapng file: type, fixed part, options by code. */
function blocksIn(bytes: Buffer, fixedBytes: readonly number[]) {
  let at = 0
  return fixedBytes.map(fixed => {
    const [type, length] = [bytes.readUInt32LE(at), bytes.readUInt32LE(at + 4)]
    const block = {
      type,
      fixed: bytes.subarray(at + 8, at + 8 + fixed),
      options: optionsIn(bytes.subarray(at + 8 + fixed, at + length - 4)),
    }
    if (bytes.readUInt32LE(at + length - 4) !== length)
      throw new Error(`the block at ${at} ends with another length`)
    at += length
    return block
  })
}

function optionsIn(bytes: Buffer): ReadonlyMap<number, Buffer> {
  const options = new Map<number, Buffer>()
  for (let at = 0; at + 4 <= bytes.length && bytes.readUInt16LE(at) !== 0; ) {
    const length = bytes.readUInt16LE(at + 2)
    options.set(bytes.readUInt16LE(at), bytes.subarray(at + 4, at + 4 + length))
    at += 4 + Math.ceil(length / 4) * 4
  }
  return options
}

/** Two halves, the high one first. */
const nanoseconds = (bytes: Buffer | undefined) =>
  bytes && (BigInt(bytes.readUInt32LE(0)) << 32n) + BigInt(bytes.readUInt32LE(4))

test('fileHeader() is that of pcap 2.4 with microseconds, Ethernet and the snap length when the format is pcap', t => {
  t.is(
    fileHeader({ ...facts, format: 'pcap', snapLength: 96 }).toString('hex'),
    'd4c3b2a1020004000000000000000000' + '6000000001000000',
  )
})

test('fileHeader() is a section and an interface that name capture, node, endpoint and filter when the format is pcapng', t => {
  const [section, face] = blocksIn(fileHeader({ ...facts, format: 'pcapng' }), [16, 8])
  t.is(section?.type, 0x0a0d0d0a)
  t.is(section?.fixed.toString('hex'), '4d3c2b1a01000000ffffffffffffffff')
  t.is(`${section?.options.get(1)}`, 'capture shop/web on node node-0')
  t.is(`${section?.options.get(4)}`, 'selcap')
  t.is(face?.type, 1)
  t.is(face?.fixed.toString('hex'), '0100000000000400')
  t.deepEqual(
    [2, 3, 9, 11].map(code => `${face?.options.get(code)}`),
    ['cali1', 'shop/web-0', '\t', '\0tcp'],
  )
})

test('interfaceBlock() has no filter option when there is none or it is longer than an option', t => {
  for (const filter of ['', 'x'.repeat(65_535)]) {
    const [face] = blocksIn(interfaceBlock({ ...facts, filter }), [8])
    t.is(face?.options.get(11), undefined)
    t.is(`${face?.options.get(2)}`, 'cali1')
  }
  t.is(
    blocksIn(interfaceBlock({ ...facts, filter: 'x'.repeat(65_534) }), [8])[0]?.options.get(11)
      ?.length,
    65_535,
  )
})

test('interfaceBlock() has the comment of a live stream', t => {
  t.is(`${blocksIn(interfaceBlock(facts, 'node node-1'), [8])[0]?.options.get(1)}`, 'node node-1')
})

test('fileTrailer() counts what came, was dropped and was written, between two times, when the format is pcapng', t => {
  const bytes = fileTrailer('pcapng', trailer)
  const [statistics] = blocksIn(bytes, [12])
  t.is(statistics?.type, 5)
  t.is(nanoseconds(statistics?.fixed.subarray(4)), 2_500_000_000n)
  t.is(nanoseconds(statistics?.options.get(2)), 1_000_000_000n)
  t.is(nanoseconds(statistics?.options.get(3)), 2_500_000_000n)
  t.deepEqual(
    [4, 6, 7, 8].map(code => statistics?.options.get(code)?.readBigUInt64LE()),
    [12n, 12n, 3n, 9n],
  )
  t.is(trailerBytes('pcapng'), bytes.length)
})

test('fileTrailer() is empty when the format is pcap', t => {
  t.is(fileTrailer('pcap', trailer).length, 0)
  t.is(trailerBytes('pcap'), 0)
})

test('fileHeader() says the link type in both formats', t => {
  const rawIp = { ...facts, linkType: 'RawIp' } as const
  t.is(fileHeader({ ...rawIp, format: 'pcap' }).readUInt32LE(20), 101)
  const [, face] = blocksIn(fileHeader({ ...rawIp, format: 'pcapng' }), [16, 8])
  t.is(face?.fixed.readUInt16LE(0), 101)
})
