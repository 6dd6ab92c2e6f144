// Compiling filters in the process: limits, many at once, and what a hostile caller may hand over.
import { createRequire } from 'node:module'
import { isIPv6 } from 'node:net'
import test from 'ava'
import fc from 'fast-check'
import { readExpression } from '../../../../src/api/filterExpression.ts'
import { ringDriver } from '../../../../src/driver/ring/ringDriver.ts'
import { runs } from '../../../support/runs.ts'

const hosts = (count: number): string =>
  Array.from({ length: count }, (_, index) => `host 10.${index >> 8}.${index & 255}.1`).join(' or ')

test('compile() gives the same answer however many ask at once', async t => {
  const driver = ringDriver()
  const once = await driver.compile('tcp port 80 and host 10.0.0.1', 262_144)
  t.true(once > 5)
  const all = await Promise.all(
    Array.from({ length: 500 }, () => driver.compile('tcp port 80 and host 10.0.0.1', 262_144)),
  )
  t.true(all.every(count => count === once))
})

test('compile() refuses a program that is too long, with the number, before it optimises it', async t => {
  await t.throwsAsync(ringDriver().compile(hosts(200), 262_144), {
    code: 'FILTER_TOO_LONG',
    message: /it takes \d{4,} instructions, expected at most 1500/,
  })
})

test('compile() refuses a text that is too long', async t => {
  const longer = (bytes: number) => `ip ${' '.repeat(bytes)}`
  await t.throwsAsync(ringDriver().compile(longer(4_096), 262_144), {
    code: 'FILTER_TOO_LONG',
    message: /longer than 4096 bytes/,
  })
  await t.throwsAsync(ringDriver().compile(longer(16_384), 262_144, 16_384), {
    code: 'FILTER_TOO_LONG',
    message: /longer than 16384 bytes/,
  })
})

test("compile() passes libpcap's own words on", async t => {
  await t.throwsAsync(ringDriver().compile('port', 262_144), {
    code: 'BAD_FILTER',
    message: /^Cannot compile filter "port": .*syntax error/,
  })
})

test('compile() refuses a filter that holds NUL', async t => {
  await t.throwsAsync(ringDriver().compile('ip\0or', 262_144), {
    instanceOf: TypeError,
    message: /without NUL/,
  })
})

// libpcap says `unknown host`, `unknown port` and the like after it asked for a name.
const asked = /unknown (?!LLC)|not a host|nodename|resolve/i

const groups = ['0', '1', 'a', 'beef', '2001', '0db8', 'ffff', '00001', 'g', '']
const numbers = ['0', '9', '10', '255', '256', '4294967296', '08', '0x1f', '1e5']
const word = fc.oneof(
  fc.constantFrom(
    ...[
      'host',
      'net',
      'port',
      'portrange',
      'proto',
      'ether',
      'ip',
      'ip6',
      'tcp',
      'udp',
      'arp',
      'src',
      'dst',
    ],
    ...[
      'and',
      'or',
      'not',
      '&&',
      '||',
      '!',
      '(',
      ')',
      '[',
      ']',
      ':',
      '-',
      '+',
      '/',
      '&',
      '=',
      '<',
      '>',
      '.',
      '%',
    ],
    ...[
      'llc',
      'i',
      'rr',
      'ifindex',
      'mask',
      'len',
      'less',
      'vlan',
      'mpls',
      'gateway',
      'broadcast',
      'byte',
      'geneve',
    ],
    ...[
      '\\tcp',
      '\\ip',
      '\\evil',
      'evil.example',
      'localhost',
      'tcpflags',
      'tcp-syn',
      'icmp-echo',
      'icmp6-echo',
    ],
  ),
  fc.constantFrom(...numbers),
  // What looks like addresses of every kind, and nearly like them.
  fc
    .tuple(
      fc.array(fc.constantFrom(...groups), { minLength: 1, maxLength: 9 }),
      fc.constantFrom(':', '-', '.', '::', '_'),
    )
    .map(([parts, between]) => parts.join(between)),
  fc
    .tuple(
      fc.array(fc.constantFrom(...groups), { minLength: 1, maxLength: 7 }),
      fc.constantFrom(...numbers),
      fc.constantFrom('', '::', ':'),
    )
    .map(([parts, last, before]) => `${before}${parts.join(':')}:${last}.${last}.1.1`),
  fc
    .tuple(
      fc.constantFrom(...numbers),
      fc.constantFrom('-', '.', '/', ':'),
      fc.constantFrom(...numbers),
    )
    .map(parts => parts.join('')),
)
const expression = fc
  .array(fc.tuple(word, fc.constantFrom(' ', ' ', ' ', '')), { minLength: 1, maxLength: 8 })
  .map(words => words.flat().join(''))

test('compile() never asks for a name, whatever readExpression() lets through', async t => {
  const driver = ringDriver()
  const counts = { compiled: 0, refused: 0 }
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        expression,
        expression.map(each => `host ${each}`),
      ),
      async text => {
        const read = readable(text)
        if (read === undefined) return
        const message = await driver.compile(read, 262_144).then(
          () => '',
          (error: Error) => error.message.slice(error.message.indexOf('": ') + 3),
        )
        counts[message === '' ? 'compiled' : 'refused']++
        t.notRegex(message, asked, text)
      },
    ),
    { numRuns: runs(2_000) },
  )
  t.true(counts.compiled > 10, JSON.stringify(counts))
})

for (const filled of Array.from({ length: 9 }, (_, count) => count))
  test(`compile() takes every spelling of an IPv6 address with ${filled} groups as an address`, async t => {
    const driver = ringDriver()
    const all = Array.from({ length: filled }, (_, index) =>
      `${index + 1}abc`.slice(0, 1 + (index % 4)),
    )
    const spellings =
      filled === 8
        ? [all.join(':'), `${all.slice(0, 6).join(':')}:1.2.3.4`]
        : Array.from(
            { length: filled + 1 },
            (_, at) => `${all.slice(0, at).join(':')}::${all.slice(at).join(':')}`,
          )
    for (const each of [
      ...spellings,
      ...spellings.filter(text => !text.endsWith(':') && filled < 6).map(text => `${text}:1.2.3.4`),
    ]) {
      if (!isIPv6(each)) continue
      t.true((await driver.compile(readExpression(`host ${each}`), 262_144)) > 4, each)
    }
  })

for (const text of ['host evil.example', 'host 736563726574.dead.beef.de:1:2', 'host 1-2'])
  test(`compile() asks no resolver, although nobody has checked ${text}`, async t => {
    const error = await t.throwsAsync(ringDriver().compile(text, 262_144), { code: 'BAD_FILTER' })
    t.regex(error?.message ?? '', /unknown host|syntax error/)
  })

function readable(text: string): string | undefined {
  try {
    return readExpression(text)
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}

const addon = createRequire(import.meta.url)(
  '../../../../native/build/Release/selcap.node',
) as Readonly<Record<string, (...args: unknown[]) => unknown>>
const sink = { fd: 1, bytesLeft: 1, isEmpty: true, device: undefined }
const window = { fromMs: 0, untilMs: 1 }
const options = {
  call: 1,
  interfaceName: 'lo',
  index: 0,
  linkType: 1,
  netns: '',
  netnsId: '',
  filter: '',
  snapLength: 1,
  format: 'pcap',
  headersOnly: false,
  insideIsPod: false,
  ringBytes: 1,
  instructionsMax: 1500,
  group: null,
  sink,
  window,
}
const wrong: readonly (readonly [name: string, args: readonly unknown[], message?: RegExp])[] = [
  ['compile', ['x', 'ip', 2, 1500]],
  ['compile', [1, 7, 2, 1500]],
  ['compile', [1, 'ip', 'x', 1500]],
  ['compile', [1, 'ip', 2, 'x']],
  ['compile', []],
  ['open', []],
  ['open', [1], /"call" to be of an object/],
  ['open', [null], /"call" to be of an object/],
  ['open', [{ ...options, interfaceName: 'an interface name' }], /at most 15 characters/],
  ['open', [{ ...options, format: 'text' }], /pcap or pcapng/],
  ['open', [{ ...options, insideIsPod: 1 }], /"insideIsPod" to be a boolean/],
  ['open', [{ ...options, filter: 'ip\0or' }], /without NUL/],
  ['open', [{ ...options, netns: undefined }], /"netns" to be a string/],
  ['open', [{ ...options, group: undefined }], /a limit group/],
  ['open', [{ ...options, group: {} }], /a limit group/],
  ['open', [{ ...options, sink: { ...sink, fd: 'x' } }], /"fd" to be a number/],
  ['open', [{ ...options, sink: undefined }], /"fd" to be of an object/],
  ['open', [{ ...options, window: { fromMs: 0 } }], /"untilMs" to be a number/],
  ['offer', [1, { ...sink, isEmpty: 'x' }], /"isEmpty" to be a boolean/],
  ['rotate', ['x']],
  ['retry', []],
  ['setBufferBytesMax', []],
  ['setBytesLeft', [1, {}]],
  ['close', [1]],
  ['setWindow', [1, {}], /"fromMs" to be a number/],
  ['counters', [{}]],
  ['counters', [1, new Float64Array(8)], /Float64Array of 9/],
  ['setLimits', [1, 2, 3], /a limit group/],
  ['links', [1, 5]],
  ['start', [() => {}]],
]
for (const [name, args, message = /^Cannot (call|start) the addon: /] of wrong) {
  test(`the addon's ${name}() throws when it is given ${JSON.stringify(args)}`, t => {
    ringDriver() // starts the addon
    t.throws(() => addon[name]?.(...args), { instanceOf: Error, message })
  })
}
