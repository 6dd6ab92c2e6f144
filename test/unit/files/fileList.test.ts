// The files of a directory, as the process that changes them knows them.
import test from 'ava'
import { FileList } from '../../../src/files/fileList.ts'

const active = 'web_cali1.pcap'
const rotated = (second: number) => `web_cali1-20260101T00000${second}.000Z.pcap`

test('FileList keeps names in order, and the rotated files of a series by their time', t => {
  const list = new FileList()
  list.replace(new Map([[rotated(2), 20], [active, 1], ['other_cali2.pcap', 5], [rotated(1), 10]])) // biome-ignore format: one line
  t.deepEqual(list.names, [rotated(1), rotated(2), active, 'other_cali2.pcap'].toSorted())
  t.deepEqual(list.rotatedOf(active), [rotated(1), rotated(2)])
  list.addRotated(active, rotated(3), 30)
  list.delete(rotated(1))
  t.deepEqual(list.rotatedOf(active), [rotated(2), rotated(3)])
  t.is(list.sizes.get(rotated(3)), 30)
  t.is(list.lastRotatedAtMs(active), Date.parse('2026-01-01T00:00:03Z'))
  t.is(list.lastRotatedAtMs('other_cali2.pcap'), 0)
})

test('FileList has after replace() what the listing found, and nothing else', t => {
  const list = new FileList()
  list.set(active, 1)
  list.addRotated(active, rotated(1), 10)
  list.replace(new Map([[active, 2]]))
  t.deepEqual([list.names, [...list.rotatedOf(active)]], [[active], []])
  t.is(list.sizes.get(active), 2)
})

test('FileList grows in found() only when a listing has other files than were known', t => {
  const list = new FileList()
  list.set(active, 1)
  list.addRotated(active, rotated(1), 10)
  list.replace(new Map([[active, 2], [rotated(1), 10]])) // biome-ignore format: one line
  t.is(list.found, 0)
  list.replace(new Map([[active, 2]]))
  t.is(list.found, 1)
  list.replace(new Map([[rotated(2), 2]]))
  t.is(list.found, 2)
})
