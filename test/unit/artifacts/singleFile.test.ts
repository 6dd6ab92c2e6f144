import test from 'ava'
import { fileNameOf } from '../../../src/artifacts/singleFile.ts'

const facts = {
  key: 'networking.packet.io/web',
  uid: 'u',
  firstOpenedAtMs: Date.UTC(2026, 10, 21, 10, 0, 5),
  fileNames: [],
  fileBytes: 0,
  endpoints: new Map(),
}

function nameOf(name: string, form: 'pcap' | 'text'): string {
  return fileNameOf(
    { capture: { api: 'PacketCaptureConfig', namespace: '', name, uid: 'u' }, facts },
    form,
  )
}

test('fileNameOf() names the capture and when it began on the node', t => {
  t.is(nameOf('web', 'pcap'), 'web-20261121-100005.pcap')
  t.is(nameOf('web', 'text'), 'web-20261121-100005.txt')
})

test('fileNameOf() gives every name that Kubernetes allows a file name that also fits when it is compressed', t => {
  const names = [`${'n'.repeat(252)}1`, `${'n'.repeat(252)}2`].map(name => nameOf(name, 'pcap'))
  t.true(names.every(name => `${name}.gz`.length <= 255 && name.endsWith('-20261121-100005.pcap')))
  t.is(new Set(names).size, 2)
})
