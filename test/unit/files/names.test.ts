// Names of files in a capture's directory.
import test from 'ava'
import {
  activeName,
  isCaptureFile,
  isWaiting,
  rotatedName,
  rotatedOf,
  waitingName,
} from '../../../src/files/names.ts'

test('activeName() is pod and interface; rotatedName() adds a time that sorts', t => {
  const series = { pod: 'web-0', interfaceName: 'cali1', format: 'pcap' } as const
  t.is(activeName(series), 'web-0_cali1.pcap')
  t.is(
    rotatedName(activeName(series), Date.parse('2026-02-03T04:05:06.007Z'), []),
    'web-0_cali1-20260203T040506.007Z.pcap',
  )
  t.is(activeName({ ...series, format: 'pcapng' }), 'web-0_cali1.pcapng')
})

test('rotatedName() is a millisecond after the newest of the series when the clock is not ahead of that', t => {
  const names = ['web_cali1-20260203T040506.007Z.pcap', 'web_cali12-20270203T040506.007Z.pcap']
  for (const at of ['2026-02-03T04:05:06.007Z', '2025-01-01T00:00:00Z'])
    t.is(
      rotatedName('web_cali1.pcap', Date.parse(at), names),
      'web_cali1-20260203T040506.008Z.pcap',
    )
})

test('names of the longest pods fit a file system, and stay apart', t => {
  const series = {
    pod: 'a'.repeat(253),
    interfaceName: 'cali7f94ce7c295',
    format: 'pcapng',
  } as const
  const names = [
    activeName(series),
    rotatedName(activeName(series), 0, []),
    waitingName(series, 99),
  ]
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
  t.deepEqual(rotatedOf('web_cali1.pcap', names), [
    'web_cali1-20250203T040506.007Z.pcapng',
    'web_cali1-20260203T040506.007Z.pcap',
  ])
  t.deepEqual(names.map(isCaptureFile), [true, true, true, true, true, false])
  t.deepEqual(names.map(isWaiting), [false, false, false, false, false, true])
})
