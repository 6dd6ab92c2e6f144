// The fields of both file formats, read from bytes that are written out here.
import test from 'ava'
import { recordBytesMax } from '../../../src/model/capture.ts'
import {
  blockLengthAt,
  blockTypeAt,
  blockTypes,
  formatOf,
  isBlockLength,
  isRecordLength,
  recordHeaderAt,
  recordLengthAt,
} from '../../../src/pcap/format.ts'

test('formatOf() tells both formats by their first four bytes, little-endian only', t => {
  const formats = ['d4c3b2a1', '0a0d0d0a', 'a1b2c3d4', '4d3cb2a1', '1f8b0800'].map(hex =>
    formatOf(Buffer.from(hex, 'hex')),
  )
  t.deepEqual(formats, ['pcap', 'pcapng', undefined, undefined, undefined])
})

test('recordHeaderAt() and recordLengthAt() read a pcap record at its offset', t => {
  const bytes = Buffer.from(`ffff${'01000000' + '02000000' + '03000000' + '04000000'}`, 'hex')
  t.deepEqual(recordHeaderAt(bytes, 2), { seconds: 1, microseconds: 2, captured: 3, original: 4 })
  t.is(recordLengthAt(bytes, 2), 16 + 3)
})

test('blockTypeAt() and blockLengthAt() read a pcapng block at its offset', t => {
  const bytes = Buffer.from('ff0600000020000000', 'hex')
  t.deepEqual([blockTypeAt(bytes, 1), blockLengthAt(bytes, 1)], [blockTypes.packet, 32])
})

test('a length is one of a record or block only within its bounds', t => {
  t.deepEqual([15, 16, recordBytesMax, recordBytesMax + 1].map(isRecordLength), [
    false,
    true,
    true,
    false,
  ])
  t.deepEqual([8, 12, 14, recordBytesMax, recordBytesMax + 4].map(isBlockLength), [
    false,
    true,
    false,
    true,
    false,
  ])
})
