// File sizes, totals and the actual state of a capture.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import type { ActiveFile, StoredEndpoint } from '../../../src/files/storedTypes.ts'
import { actualCapture, fileSizesIn, totalOf, usedFiles } from '../../../src/files/usage.ts'
import type { ActualEndpoint } from '../../../src/model/actualState.ts'

const endpoint = (name: string, packets: number, bytes: number) =>
  ({ name, packets, bytes }) as ActualEndpoint
const activeFile = (name: string, bytes: number) => ({ name, bytes }) as ActiveFile

test('fileSizesIn() has the capture files of the directory, but for hidden ones and files of other kinds', t => {
  const directory = mkdtempSync(join(tmpdir(), 'selcap-usage-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  for (const name of [
    'a_eth0.pcap',
    'b_eth0.pcapng',
    'c_eth0.pcap',
    '.a_eth0.pcap.next0',
    '.selcap.json',
    'note.txt',
  ])
    writeFileSync(join(directory, name), name)
  t.deepEqual(fileSizesIn(directory, new Set(['c_eth0.pcap'])), new Map([['a_eth0.pcap', 11], ['b_eth0.pcapng', 13]])) // biome-ignore format: one line
  t.deepEqual(fileSizesIn(join(directory, 'gone'), new Set()), new Map())
})

test('usedFiles() lists files by name, and of an active file the complete records only', t => {
  const sizes = new Map([['b', 200], ['a', 100]]) // biome-ignore format: one line
  t.deepEqual(usedFiles(sizes, [activeFile('b', 150), activeFile('gone', 1)]), [
    { name: 'a', bytes: 100, isActive: false },
    { name: 'b', bytes: 150, isActive: true },
  ])
})

test('totalOf() counts what endpoints wrote that are no longer listed', t => {
  t.deepEqual(totalOf([endpoint('a', 1, 10), endpoint('b', 2, 20)], { packets: 4, bytes: 40 }), {
    packets: 7,
    bytes: 70,
  })
})

test('actualCapture() has the sizes of active files as counted, not as they are on the disk', t => {
  const stored: StoredEndpoint = { facts: endpoint('web-0', 3, 30), active: activeFile('a', 60) }
  const found = actualCapture({ key: 'shop/web', uid: 'u' }, new Map([['b', 5], ['a', 100]]), new Map([['web-0', stored]])) // biome-ignore format: one line
  t.deepEqual([found.fileNames, found.fileBytes], [['a', 'b'], 65])
  t.is(found.endpoints.get('web-0'), stored.facts)
})
