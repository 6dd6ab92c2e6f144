// Names, headers, repair: what lies in a capture's directory.
import { execFileSync } from 'node:child_process'
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { activeName, isCaptureFile, isWaiting, rotatedName, rotatedOf, waitingName } from '../../../src/files/names.ts'
import { adoptWaitingFiles, repairFiles } from '../../../src/files/repair.ts'
import { FileRotation } from '../../../src/files/rotation.ts'
import type { Format } from '../../../src/model/capture.ts'
import { fileHeader, fileTrailer, trailerBytes } from '../../../src/pcap/fileHeader.ts'

const facts = { snapLength: 262_144, interfaceName: 'cali1', endpoint: 'shop/web-0', capture: 'shop/web', node: 'node-0', filter: 'tcp' }
const formats: readonly Format[] = ['pcap', 'pcapng']

function folder(t: ExecutionContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'selcap-files-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  return directory
}

/** One record of 60 bytes. */
function record(format: Format): Buffer {
  const frame = Buffer.alloc(60, 7)
  const words = (...values: number[]) => Buffer.from(Uint32Array.from(values).buffer)
  if (format === 'pcap') return Buffer.concat([words(1_700_000_000, 5, 60, 60), frame])
  return Buffer.concat([words(6, 92, 0, 0x17e00000, 0, 60, 60), frame, words(92)])
}

test('activeName() is pod and interface; rotatedName() adds a time that sorts', t => {
  const series = { pod: 'web-0', interfaceName: 'cali1', format: 'pcap' } as const
  t.is(activeName(series), 'web-0_cali1.pcap')
  t.is(rotatedName(activeName(series), Date.parse('2026-02-03T04:05:06.007Z'), []), 'web-0_cali1-20260203T040506.007Z.pcap')
  t.is(activeName({ ...series, format: 'pcapng' }), 'web-0_cali1.pcapng')
})

test('names of the longest pods fit a file system, and stay apart', t => {
  const series = { pod: 'a'.repeat(253), interfaceName: 'cali7f94ce7c295', format: 'pcapng' } as const
  const names = [activeName(series), rotatedName(activeName(series), 0, []), waitingName(series, 99)]
  t.true(
    names.every(name => Buffer.byteLength(name) <= 255),
    names.map(name => name.length).join(),
  )
  t.not(activeName(series), activeName({ ...series, pod: `${'a'.repeat(252)}b` }))
})

test('rotatedOf() finds the rotated files of one series, the oldest first', t => {
  const names = [
    'web_cali1.pcap',
    'web_cali1-20260203T040506.007Z.pcap',
    'web_cali1-20250203T040506.007Z.pcapng',
    'web_cali1-0_cali1-20250203T040506.007Z.pcap',
    'web_cali12-20250203T040506.007Z.pcap',
    '.web_cali1.pcap.next0',
  ]
  t.deepEqual(rotatedOf('web_cali1.pcap', names), ['web_cali1-20250203T040506.007Z.pcapng', 'web_cali1-20260203T040506.007Z.pcap'])
  t.deepEqual(names.map(isCaptureFile), [true, true, true, true, true, false])
  t.deepEqual(names.map(isWaiting), [false, false, false, false, false, true])
})

for (const format of formats) {
  test(`fileHeader() and fileTrailer() make files that capinfos and tshark read (${format})`, t => {
    const path = join(folder(t), 'file')
    const statistics = { received: 9, dropped: 4, packets: 5, fromMs: 1_700_000_000_000, toMs: 1_700_000_001_000 }
    writeFileSync(path, Buffer.concat([fileHeader({ ...facts, format }), record(format), fileTrailer(format, statistics)]))
    const shown = execFileSync('capinfos', [path], { encoding: 'utf8' })
    t.regex(shown, /Number of packets: {3}1\n/)
    t.regex(shown, /File encapsulation: {2}Ethernet\n/)
    if (format === 'pcapng') {
      t.regex(shown, /Name = cali1\n[\s\S]*Description = shop\/web-0\n[\s\S]*Time resolution = 0x09\n/)
      t.regex(shown, /Filter string = tcp\n/)
      t.regex(shown, /Number of stat entries = 1\n/)
    }
    t.is(fileTrailer(format, statistics).length, trailerBytes(format))
    t.notThrows(() => execFileSync('tshark', ['-r', path], { stdio: 'pipe' }))
    t.notThrows(() => execFileSync('tcpdump', ['-nr', path], { stdio: 'pipe' }))
  })

  const tails: readonly (readonly [string, (whole: Buffer) => Buffer])[] = [
    ['half a record', whole => whole.subarray(0, 30)],
    ['half a record header', whole => whole.subarray(0, 7)],
    ['all but the last byte', whole => whole.subarray(0, -1)],
    ['zeros', () => Buffer.alloc(4_096)],
    ['nonsense', () => Buffer.from('nonsense that is no record at all, for more than a while')],
  ]
  for (const [what, tail] of tails) {
    test(`repairFiles() cuts off ${what} (${format})`, async t => {
      const directory = folder(t)
      const name = `a_b.${format}`
      const whole = Buffer.concat([fileHeader({ ...facts, format }), record(format), record(format)])
      writeFileSync(join(directory, name), Buffer.concat([whole, tail(record(format))]))
      const [found] = await repairFiles(directory, [name])
      t.like(found?.scan, { records: 2, format, snapLength: 262_144 })
      t.is(statSync(join(directory, name)).size, whole.length)
      t.notThrows(() => execFileSync('tcpdump', ['-nr', join(directory, name)], { stdio: 'pipe' }))
    })
  }
}

test('repairFiles() leaves a file alone that is none of ours, and one without a whole header', async t => {
  const directory = folder(t)
  writeFileSync(join(directory, 'a_b.pcap'), 'hello, this is a text')
  writeFileSync(join(directory, 'c_d.pcap'), fileHeader({ ...facts, format: 'pcap' }).subarray(0, 10))
  t.deepEqual(await repairFiles(directory, ['a_b.pcap', 'c_d.pcap', 'missing.pcap', '.selcap.json']), [])
  t.is(readFileSync(join(directory, 'a_b.pcap'), 'utf8'), 'hello, this is a text')
})

test('adoptWaiting() gives a waiting file with packets its name, rotates the one before, and removes those never used', async t => {
  const directory = folder(t)
  const [header, packet] = [fileHeader({ ...facts, format: 'pcap' }), record('pcap')]
  writeFileSync(join(directory, 'a_b.pcap'), Buffer.concat([header, packet]))
  writeFileSync(join(directory, '.a_b.pcap.next9'), Buffer.concat([header, packet, packet, packet.subarray(0, 9)]))
  writeFileSync(join(directory, '.a_b.pcap.next10'), header)
  for (const name of ['.selcap.json', '.other']) writeFileSync(join(directory, name), '')
  await adoptWaitingFiles(directory)
  const names = readdirSync(directory).toSorted()
  t.deepEqual(
    names.map(name => name.replace(/-\d{8}T\d{6}\.\d{3}Z/, '-TIME')),
    ['.other', '.selcap.json', 'a_b-TIME.pcap', 'a_b.pcap'],
  )
  t.is(statSync(join(directory, 'a_b.pcap')).size, header.length + 2 * packet.length)
})

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

test('FileSeries gives the next file the active name, keeps so many rotated ones, and tells two of one millisecond apart', t => {
  const directory = folder(t)
  const files = series(directory)
  for (let round = 0; round < 4; round++) {
    files.offer()
    files.moved(nothing, 5_000)
  }
  t.deepEqual(readdirSync(directory), ['web_cali1-19700101T000005.002Z.pcap', 'web_cali1-19700101T000005.003Z.pcap', 'web_cali1.pcap'])
  files.close(nothing, 6_000)
})

test('FileSeries leaves no waiting file behind when it is closed', t => {
  const directory = folder(t)
  const files = series(directory)
  files.offer()
  files.offer()
  t.is(readdirSync(directory).length, 3)
  files.close(nothing, 0)
  t.deepEqual(readdirSync(directory), ['web_cali1.pcap'])
})

test('FileSeries never overwrites: what is not continued is rotated, an empty file goes', t => {
  const directory = folder(t)
  const path = join(directory, 'web_cali1.pcap')
  writeFileSync(path, Buffer.concat([fileHeader({ ...facts, format: 'pcap' }), record('pcap')]))
  series(directory, { nowMs: 7_000 }).close(nothing, 0)
  t.deepEqual(readdirSync(directory), ['web_cali1-19700101T000007.000Z.pcap', 'web_cali1.pcap'])
  series(directory, { nowMs: 9_000, isOldEmpty: true }).close(nothing, 0)
  t.deepEqual(readdirSync(directory), ['web_cali1-19700101T000007.000Z.pcap', 'web_cali1.pcap'])
})

test('FileSeries gives the driver what is left of a file that is continued', t => {
  const directory = folder(t)
  const path = join(directory, 'web_cali1.pcap')
  writeFileSync(path, Buffer.concat([fileHeader({ ...facts, format: 'pcap' }), record('pcap')]))
  const files = series(directory, {
    continues: { ...nothing, name: 'web_cali1.pcap', inode: 1, bytes: 100, packets: 1, recordBytes: 76, beganAtMs: 0, settings: 's' },
  })
  t.like(files.sink, { bytesLeft: 900, isEmpty: false })
  files.close(nothing, 0)
  t.is(statSync(path).mode & 0o777, 0o640)
  truncateSync(path, 24)
  appendFileSync(path, '')
})
