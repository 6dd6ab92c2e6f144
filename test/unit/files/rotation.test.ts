// The active, waiting and rotated files of one endpoint.
import { fstatSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { FileRotation } from '../../../src/files/rotation.ts'
import { ExpectedError } from '../../../src/model/errors.ts'
import { fileHeader } from '../../../src/pcap/fileHeader.ts'
import { facts, folder, record } from '../../support/captureDirectory.ts'

function series(directory: string, changes: object = {}): FileRotation {
  return new FileRotation({
    directory,
    name: { pod: 'web', interfaceName: 'cali1', format: 'pcap' },
    header: { ...facts, format: 'pcap' },
    settings: 's',
    rotation: { fileBytesMax: 1_000, fileAgeMsMax: 1e9, filesMax: 2 },
    nowMs: 0,
    continues: undefined,
    isOldEmpty: false,
    ...changes,
  })
}

const nothing = { packets: 0, recordBytes: 0, received: 0, dropped: 0 }

test('FileRotation gives the next file the active name, keeps so many rotated ones, and tells two of one millisecond apart', t => {
  const directory = folder(t)
  const files = series(directory)
  for (let round = 0; round < 4; round++) {
    files.offer()
    files.moved(nothing, 5_000)
  }
  t.deepEqual(readdirSync(directory), [
    'web_cali1-19700101T000005.002Z.pcap',
    'web_cali1-19700101T000005.003Z.pcap',
    'web_cali1.pcap',
  ])
  files.close(nothing, 6_000)
})

test('FileRotation leaves no waiting file behind when it is closed', t => {
  const directory = folder(t)
  const files = series(directory)
  files.offer()
  files.offer()
  t.is(readdirSync(directory).length, 3)
  files.close(nothing, 0)
  t.deepEqual(readdirSync(directory), ['web_cali1.pcap'])
})

test('FileRotation never overwrites: what is not continued is rotated, an empty file goes', t => {
  const directory = folder(t)
  const path = join(directory, 'web_cali1.pcap')
  writeFileSync(path, Buffer.concat([fileHeader({ ...facts, format: 'pcap' }), record('pcap')]))
  series(directory, { nowMs: 7_000 }).close(nothing, 0)
  t.deepEqual(readdirSync(directory), ['web_cali1-19700101T000007.000Z.pcap', 'web_cali1.pcap'])
  series(directory, { nowMs: 9_000, isOldEmpty: true }).close(nothing, 0)
  t.deepEqual(readdirSync(directory), ['web_cali1-19700101T000007.000Z.pcap', 'web_cali1.pcap'])
})

test('FileRotation gives the driver what is left of a file that is continued', t => {
  const directory = folder(t)
  const path = join(directory, 'web_cali1.pcap')
  writeFileSync(path, Buffer.concat([fileHeader({ ...facts, format: 'pcap' }), record('pcap')]))
  const files = series(directory, {
    continues: {
      ...nothing,
      name: 'web_cali1.pcap',
      inode: 1,
      bytes: 100,
      packets: 1,
      recordBytes: 76,
      beganAtMs: 0,
      settings: 's',
    },
  })
  t.like(files.sink, { bytesLeft: 900, isEmpty: false })
  files.close(nothing, 0)
  t.is(statSync(path).mode & 0o777, 0o640)
})

test('FileRotation refuses a rotation without a next file as an expected failure, and release() closes the active file', t => {
  const directory = folder(t)
  const files = series(directory)
  const { fd } = files.sink
  t.throws(() => files.moved(nothing, 5_000), {
    instanceOf: ExpectedError,
    message: /moved on without a next file$/,
  })
  t.notThrows(
    () => fstatSync(fd),
    'closed here, its number could be another file by the time of release()',
  )
  t.notThrows(() => files.release())
  t.deepEqual(readdirSync(directory), ['web_cali1.pcap'])
})
