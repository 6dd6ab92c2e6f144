import test from 'ava'
import { storeKey } from '../../../src/store/objectKey.ts'

test('storeKey() joins the path and the name, without a slash at the beginning', t => {
  t.is(storeKey(undefined, 'web.pcap'), 'web.pcap')
  t.is(storeKey('/captures/', 'node-1/web.pcap'), 'captures/node-1/web.pcap')
})

for (const [path, key] of [
  ['..', 'web.pcap'],
  ['a/../b', 'web.pcap'],
  ['.', 'web.pcap'],
  ['a', '../web.pcap'],
  ['', ''],
  ['a', 'web\n.pcap'],
  ['a\\b', 'web.pcap'],
  ['ü'.repeat(450), 'web.pcap'],
] as const) {
  test(`storeKey() refuses ${JSON.stringify(`${path.slice(0, 10)} ${key}`)}`, t => {
    t.throws(() => storeKey(path, key), { name: 'StoreError', message: /^Cannot use / })
  })
}
