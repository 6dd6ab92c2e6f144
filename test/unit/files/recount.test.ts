// What a crash left beyond the last save is counted from the files.
import { statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { FileList } from '../../../src/files/fileList.ts'
import { recounted } from '../../../src/files/recount.ts'
import type { StoredEndpoint } from '../../../src/files/storedTypes.ts'
import { fileHeader } from '../../../src/pcap/fileHeader.ts'
import { recordBytes, writeRecord } from '../../../src/pcap/record.ts'
import { facts, folder, formats } from '../../support/captureDirectory.ts'

function recordAt(format: (typeof formats)[number], seconds: number): Buffer {
  const bytes = Buffer.alloc(60, 1)
  const packet = { seconds, microseconds: 0, bytes, original: 60, droppedBefore: 0 }
  const out = Buffer.alloc(recordBytes(format, packet))
  writeRecord(format, packet, out, 0)
  return out
}

const counters = { packets: 1, bytes: 76, received: 3, dropped: 2, refused: 0, truncated: 0 }

for (const format of formats) {
  const name = `web-0_cali1.${format}`
  const header = fileHeader({ ...facts, format })
  const records = [100, 101, 103].map(seconds => recordAt(format, seconds))
  const stored: StoredEndpoint = {
    facts: {
      ...counters,
      name: 'web-0',
      uid: 'u',
      interfaceName: 'cali1',
      vantage: 'HostVeth',
      startedAtMs: 99_000,
      gaps: [],
    },
    active: {
      name,
      inode: 1,
      bytes: header.length + (records[0]?.length ?? 0),
      packets: 1,
      recordBytes: records[0]?.length ?? 0,
      received: 3,
      dropped: 2,
      beganAtMs: 99_000,
      settings: '',
    },
  }

  test(`recounted() adds what came after the save, and ends with the last record (${format})`, async t => {
    const directory = folder(t)
    writeFileSync(join(directory, name), Buffer.concat([header, ...records]))
    const { facts: now, closed } = await recounted(directory, new FileList(), stored, 100_500)
    t.is(closed, 'stopping')
    t.like(now, { packets: 3, received: 5, dropped: 2, endedAtMs: 103_000 })
  })

  test(`recounted() counts as lost what a file that others touched does not hold (${format})`, async t => {
    const directory = folder(t)
    const { facts: none } = await recounted(directory, new FileList(), stored, 100_500)
    t.like(none, { packets: 1, received: 3, lost: 1 })
    writeFileSync(join(directory, name), header)
    const { facts: cut } = await recounted(directory, new FileList(), stored, 100_500)
    t.like(cut, { packets: 1, lost: 1 })
    writeFileSync(join(directory, name), Buffer.concat([header, ...records]))
    const { facts: all } = await recounted(directory, new FileList(), stored, 100_500)
    t.false('lost' in all)
  })

  test(`recounted() ends with the save when no record came after it (${format})`, async t => {
    const directory = folder(t)
    writeFileSync(join(directory, name), Buffer.concat([header, records[0] ?? header]))
    const { facts: now } = await recounted(directory, new FileList(), stored, 100_500)
    t.like(now, { packets: 1, endedAtMs: 100_500 })
    t.is(statSync(join(directory, name)).size, stored.active?.bytes ?? -1)
  })
}
