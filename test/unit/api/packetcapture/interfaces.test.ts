import test from 'ava'
import { readInterfaces } from '../../../../src/api/packetcapture/interfaces.ts'

test('readInterfaces() takes names, wildcards and attached networks, each once', t => {
  const all = ['eth0', 'lo', 'eth0.100', 'k6t-*', 'net?', '*', 'storage/fast', 'a/b.c-d']
  t.deepEqual(readInterfaces([...all, 'lo']), all)
})

test('readInterfaces() is undefined of nothing', t => {
  for (const value of [undefined, null, []]) t.is(readInterfaces(value), undefined)
})

const refused: readonly (readonly [unknown, RegExp])[] = [
  ['eth0', /^interfaces: found "eth0", expected a list of names$/],
  [{}, /^interfaces: found \{\}, expected a list/],
  [['eth0', ''], /^interfaces\[1\]: found "", expected the name of an interface \(at most 15/],
  [[7], /^interfaces\[0\]: found 7/],
  [['0123456789abcdef'], /^interfaces\[0\]: found "0123456789abcdef"/],
  ...[
    '.',
    '..',
    'a b',
    'a:b',
    'eth0\n',
    '$(x)',
    '/net1',
    'shop/',
    'Shop/net',
    'a/b/c',
    'shop/*',
    '[ab]',
  ].map(name => [[name], /^interfaces\[0\]: found ".*", expected the name/] as const),
  [
    Array.from({ length: 17 }, (_, index) => `net${index}`),
    /^interfaces: found 17 entries, expected at most 16/,
  ],
]
for (const [value, message] of refused)
  test(`readInterfaces() refuses ${JSON.stringify(value)}`, t => {
    t.throws(() => readInterfaces(value), { instanceOf: RangeError, message })
  })
