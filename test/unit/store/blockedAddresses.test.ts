import test from 'ava'
import { blockedAddressReason, rangeOf } from '../../../src/store/blockedAddresses.ts'

const refused: Readonly<Record<string, readonly string[]>> = {
  'an unspecified address': ['0.0.0.0', '0.1.2.3', '::', '::ffff:0.0.0.0'],
  'a loopback address': [
    '127.0.0.1',
    '127.255.255.254',
    '::1',
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '64:ff9b::127.0.0.1',
    '2002:7f00:1::',
  ],
  'a link-local address': [
    '169.254.169.254',
    'fe80::1',
    'fe80::1%eth0',
    '::ffff:169.254.0.1',
    '64:ff9b::a9fe:a9fe',
    '2002:a9fe:a9fe::1',
  ],
  'a multicast or reserved address': [
    '224.0.0.1',
    '239.1.2.3',
    '255.255.255.255',
    '240.0.0.1',
    'ff02::1',
    '::ffff:224.0.0.1',
    '::7f00:1',
  ],
  "a cloud's metadata service": [
    'fd00:ec2::254',
    '100.100.100.200',
    '168.63.129.16',
    '::ffff:100.100.100.200',
  ],
}
for (const [kind, addresses] of Object.entries(refused)) {
  for (const address of addresses)
    test(`blockedAddressReason() calls ${address} ${kind}`, t =>
      t.is(blockedAddressReason(address, []), kind))
}

for (const address of [
  '10.0.0.1',
  '192.168.1.1',
  '203.0.113.7',
  '100.64.0.1',
  'fd12::1',
  '2001:db8::1',
  '64:ff9b::203.0.113.7',
  '::ffff:10.0.0.1',
]) {
  test(`blockedAddressReason() allows ${address}`, t =>
    t.is(blockedAddressReason(address, []), undefined))
}

test('blockedAddressReason() allows what the administrator names, and nothing beside it', t => {
  t.is(blockedAddressReason('127.0.0.1', ['127.0.0.1']), undefined)
  t.is(blockedAddressReason('::ffff:127.0.0.1', ['127.0.0.0/8']), undefined)
  t.is(blockedAddressReason('127.0.0.2', ['127.0.0.1/32', 'fe80::/10']), 'a loopback address')
  t.is(blockedAddressReason('169.254.1.1', ['127.0.0.0/8']), 'a link-local address')
})

test('rangeOf() reads an address or a range, and nothing else', t => {
  t.deepEqual(rangeOf('10.0.0.0/8'), [['10.0.0.0', 8]])
  t.deepEqual(rangeOf('10.1.2.3'), [['10.1.2.3', 32]])
  t.deepEqual(rangeOf('fd00::/8'), [['fd00::', 8]])
  for (const text of [
    '',
    '10.0.0.0/33',
    'fd00::/129',
    '10.0.0.0/',
    '10.0.0.0/8/8',
    'store.example.org',
    '10.0.0.0/-1',
  ])
    t.is(rangeOf(text), undefined, text)
})
