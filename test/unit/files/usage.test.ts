// File sizes, totals and the actual state of a capture.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { FileList } from '../../../src/files/fileList.ts'
import type { StoredEndpoint } from '../../../src/files/storedTypes.ts'
import { actualCapture, listFiles, totalOf, usedFiles } from '../../../src/files/usage.ts'
import type { ActualEndpoint } from '../../../src/model/actualState.ts'

const endpoint = (name: string, packets: number, bytes: number) =>
  ({ name, packets, bytes }) as ActualEndpoint

test('listFiles() has the capture files of the directory, with known sizes, and no file of another kind', async t => {
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
  mkdirSync(join(directory, 'd_eth0.pcap'))
  t.deepEqual(await listFiles(directory, new Map([['b_eth0.pcapng', 7], ['gone.pcap', 8]])), new Map([['a_eth0.pcap', 11], ['b_eth0.pcapng', 7], ['c_eth0.pcap', 11]])) // biome-ignore format: one line
  t.deepEqual(await listFiles(join(directory, 'gone'), new Map()), new Map())
})

test('usedFiles() lists files by name, of an active file the complete records only, and no hidden one', t => {
  const list = new FileList()
  list.replace(new Map([['b', 200], ['a', 100], ['c', 1]])) // biome-ignore format: one line
  const active = [{ name: 'b', bytes: 150 }, { name: 'gone', bytes: 1 }] // biome-ignore format: one line
  t.deepEqual(usedFiles(list, new Set(['c']), active), [
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

test('actualCapture() has the names and the sum of the files', t => {
  const stored: StoredEndpoint = { facts: endpoint('web-0', 3, 30) }
  const files = [{ name: 'a', bytes: 60, isActive: true }, { name: 'b', bytes: 5, isActive: false }] // biome-ignore format: one line
  const found = actualCapture({ key: 'shop/web', uid: 'u' }, files, new Map([['web-0', stored]]))
  t.deepEqual([found.fileNames, found.fileBytes], [['a', 'b'], 65])
  t.is(found.endpoints.get('web-0'), stored.facts)
})
