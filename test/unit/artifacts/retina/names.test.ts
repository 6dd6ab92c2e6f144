import test from 'ava'
import { archiveStem, packetFiles } from '../../../../src/artifacts/retina/names.ts'
import { casesOf } from '../../../support/model/retinaCases.ts'

type Name = {
  readonly captureName: string
  readonly node: string
  readonly timestamp: string | null
  readonly expected: string
}
for (const [index, { captureName, node, timestamp, expected }] of casesOf<Name>(
  'filename',
).entries()) {
  test(`filename ${index}: ${expected}`, t => {
    t.is(
      archiveStem(captureName, node, timestamp === null ? undefined : Date.parse(timestamp)),
      expected,
    )
  })
}

const stem = 'c-n-20260101000000UTC'
const entries = (
  files: readonly string[],
  endpoints: readonly string[],
  fileCount?: number,
): string[] =>
  packetFiles({ stem, files, endpoints, fileCount }).map(({ file, entry, text }) =>
    `${file} ${entry} ${text}`.replaceAll(stem, 'S'),
  )

test('packetFiles() calls the file of one interface as Retina does', t => {
  t.deepEqual(entries(['web_cali1.pcap'], ['web']), ['web_cali1.pcap S.pcap S.txt'])
})

test('packetFiles() keeps several interfaces apart, by pod or interface', t => {
  t.deepEqual(entries(['web_cali1.pcap', 'db_cali2.pcap'], ['web', 'db']), [
    'db_cali2.pcap S-db.pcap S-db.txt',
    'web_cali1.pcap S-web.pcap S-web.txt',
  ])
  t.deepEqual(entries(['eth0_eth0.pcap', 'lo_lo.pcap'], ['eth0', 'lo']), [
    'eth0_eth0.pcap S-eth0.pcap S-eth0.txt',
    'lo_lo.pcap S-lo.pcap S-lo.txt',
  ])
})

test('packetFiles() names both, where a pod had two interfaces or its name was too long', t => {
  t.deepEqual(entries(['web_cali1.pcap', 'web_cali2.pcap'], ['web']), [
    'web_cali1.pcap S-web_cali1.pcap S-web_cali1.txt',
    'web_cali2.pcap S-web_cali2.pcap S-web_cali2.txt',
  ])
  t.deepEqual(
    entries(['long-0123_cali1.pcap', 'web_cali2.pcap'], ['longer', 'web'])[0],
    'long-0123_cali1.pcap S-long-0123_cali1.pcap S-long-0123_cali1.txt',
  )
})

test('packetFiles() numbers rotated files by age', t => {
  const old = (hour: string) => `web_cali1-20260101T${hour}0000.000Z.pcap`
  t.deepEqual(entries(['web_cali1.pcap', old('02'), old('01')], ['web'], 3), [
    `${old('01')} S.pcap0 S.pcap0.txt`,
    `${old('02')} S.pcap1 S.pcap1.txt`,
    'web_cali1.pcap S.pcap2 S.pcap2.txt',
  ])
})

type Rotation = { readonly fileCount?: number; readonly names?: readonly string[] }
for (const { fileCount = 0, names = [] } of casesOf<Rotation>('derived_tcpdumpBehaviour').filter(
  row => row.names,
)) {
  test(`derived_tcpdumpBehaviour: ${fileCount} files are called as tcpdump calls them`, t => {
    const files = names
      .map((_, index) => `web_cali1-20260101T0000${String(index).padStart(2, '0')}.000Z.pcap`)
      .with(-1, 'web_cali1.pcap')
    t.deepEqual(
      packetFiles({ stem: 'cap', files, endpoints: ['web'], fileCount }).map(({ entry }) => entry),
      [...names],
    )
  })
}
