// What start-up makes of the files that a crash left.
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { FileList } from '../../../src/files/fileList.ts'
import { adoptWaitingFiles, repairFiles } from '../../../src/files/repair.ts'
import { fileHeader } from '../../../src/pcap/fileHeader.ts'
import { facts, folder, formats, record } from '../../support/captureDirectory.ts'

for (const format of formats) {
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
      const whole = Buffer.concat([
        fileHeader({ ...facts, format }),
        record(format),
        record(format),
      ])
      writeFileSync(join(directory, name), Buffer.concat([whole, tail(record(format))]))
      const [found] = await repairFiles(directory, [name])
      t.like(found?.scan, { records: 2, format, snapLength: 262_144 })
      t.is(statSync(join(directory, name)).size, whole.length)
      t.deepEqual(readFileSync(join(directory, name)), whole)
    })
  }
}

test('repairFiles() leaves a file alone that is none of ours, and one without a whole header', async t => {
  const directory = folder(t)
  writeFileSync(join(directory, 'a_b.pcap'), 'hello, this is a text')
  writeFileSync(
    join(directory, 'c_d.pcap'),
    fileHeader({ ...facts, format: 'pcap' }).subarray(0, 10),
  )
  t.deepEqual(
    await repairFiles(directory, ['a_b.pcap', 'c_d.pcap', 'missing.pcap', '.selcap.json']),
    [],
  )
  t.is(readFileSync(join(directory, 'a_b.pcap'), 'utf8'), 'hello, this is a text')
})

test('adoptWaitingFiles() gives a waiting file with packets its name, rotates the one before, and removes those never used', async t => {
  const directory = folder(t)
  const [header, packet] = [fileHeader({ ...facts, format: 'pcap' }), record('pcap')]
  writeFileSync(join(directory, 'a_b.pcap'), Buffer.concat([header, packet]))
  writeFileSync(
    join(directory, '.a_b.pcap.next9'),
    Buffer.concat([header, packet, packet, packet.subarray(0, 9)]),
  )
  writeFileSync(join(directory, '.a_b.pcap.next10'), header)
  for (const name of ['.selcap.json', '.other']) writeFileSync(join(directory, name), '')
  await adoptWaitingFiles(directory, new FileList())
  const names = readdirSync(directory).toSorted()
  t.deepEqual(
    names.map(name => name.replace(/-\d{8}T\d{6}\.\d{3}Z/, '-TIME')),
    ['.other', '.selcap.json', 'a_b-TIME.pcap', 'a_b.pcap'],
  )
  t.is(statSync(join(directory, 'a_b.pcap')).size, header.length + 2 * packet.length)
})
