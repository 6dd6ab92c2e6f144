import test from 'ava'
import fc from 'fast-check'
import {
  addressExpression,
  allOf,
  readUserFilter,
  systemExpression,
} from '../../../../src/api/retina/filters.ts'
import { retinaEntries } from '../../../support/model/filterSamples.ts'
import { casesOf } from '../../../support/model/retinaCases.ts'
import { runs } from '../../../support/runs.ts'

type Filters = {
  readonly name: string
  readonly includes: readonly string[] | null
  readonly excludes: readonly string[] | null
}
type Case = Filters & { readonly expected?: string; readonly error?: boolean }

for (const { name, includes: include, excludes: exclude, expected, error } of casesOf<Case>(
  'includeExcludeToBpf',
)) {
  test(`includeExcludeToBpf: ${name}`, t => {
    if (error)
      t.throws(() => systemExpression({ include, exclude }), {
        instanceOf: RangeError,
        message: /^invalid filter /,
      })
    else t.is(systemExpression({ include, exclude }), expected ?? '')
  })
}

// Where it is decided otherwise than Retina does, and why.
const otherwise: Readonly<Record<string, readonly [expected: string | RegExp, reason: string]>> = {
  'any-port then specific port same IP': [
    '((host 192.168.0.1))',
    'the order does not matter; Retina writes an expression that is none',
  ],
  '*:port after ip:port': [
    '((port 80) or (host 10.0.0.1 and port 80))',
    'the order does not matter; both say the same',
  ],
  'ip:80,ip:443 then *:80': [
    '((port 80) or (host 10.0.0.1 and port 443) or (host 10.0.0.1 and port 80))',
    'the order does not matter',
  ],
  '*:*': [/invalid filter \*:\*/, 'it says nothing; Retina writes an expression that is none'],
  'colon only': [/invalid filter :/, 'it says nothing; Retina writes an expression that is none'],
  'ipv6 loopback ::1': [
    /invalid filter ::1/,
    'IPv6 stands in brackets; Retina takes the colons for those before a port',
  ],
  'ipv4-mapped v6': [/invalid filter ::ffff:10\.0\.0\.1/, 'IPv6 stands in brackets'],
  'ipv6 bracketed': ['((host fd00::1 and port 80))', 'IPv6 is supported'],
  cidr: ['((net 10.0.0.0/8))', 'networks are supported'],
  'port range': ['((portrange 80-90))', 'ranges are supported'],
  'extra colon segment': [
    /invalid filter 10\.0\.0\.1:80:90/,
    'Retina leaves out what it does not understand',
  ],
  'plus sign port': [/invalid filter \+80/, 'pcap does not take it; Retina finds out on the node'],
  'leading zero port': [
    /invalid filter 080/,
    'pcap does not take it; Retina finds out on the node',
  ],
}
type Probe = Filters & {
  readonly podIPs: readonly string[]
  readonly systemFilter: string
  readonly error: string | null
}
const probes = casesOf<Probe>('derived_filterProbes').filter(
  ({ includes, excludes }) => (includes ?? []).length + (excludes ?? []).length > 0,
)

for (const { name, includes: include, excludes: exclude, podIPs, systemFilter, error } of probes) {
  const [decided, reason] = otherwise[name] ?? [undefined, undefined]
  // Pods are taken by their interface: no address of theirs is ever ORed to what was asked for.
  const upstream =
    podIPs.length === 0 ? systemFilter : systemFilter.replace(/ or \(host [^()]*\)$/, '')
  const expected =
    decided ??
    (error === null
      ? upstream
      : new RegExp(`^${error.replaceAll(/[.*+?^$[\]]/g, String.raw`\$&`)}$`))
  test(`derived_filterProbes: ${name}${reason === undefined ? '' : `, decided otherwise: ${reason}`}`, t => {
    if (expected instanceof RegExp)
      return void t.throws(() => systemExpression({ include, exclude }), { message: expected })
    const written = systemExpression({ include, exclude })
    t.is(written, expected)
  })
}

test('every case that is decided otherwise is one of them', t => {
  const names = probes.map(({ name }) => name)
  t.deepEqual(
    Object.keys(otherwise).filter(name => !names.includes(name)),
    [],
  )
})

for (const [entry, expected] of retinaEntries) {
  test(`systemExpression() ${expected === '' ? 'refuses' : 'reads'} ${entry}`, t => {
    if (expected === '')
      return void t.throws(() => systemExpression({ include: [entry] }), {
        message: `invalid filter ${entry}`,
      })
    t.is(systemExpression({ include: [entry] }), expected)
  })
}

for (const entry of [
  '10.0.0.0/33',
  '10.0.0.0/08',
  '10.0.0.0/',
  '[fd00::]/8',
  '[fd00::/129]',
  '[fe80::1%eth0]',
  '[10.0.0.1]',
  '90-80',
  '1-',
  '80-65536',
  '10.0.0.1 or host 10.0.0.2',
  '1) or (2',
  'host:80',
  '[fd00::1',
  '*:80:90',
  '１',
]) {
  test(`systemExpression() refuses ${entry}`, t => {
    t.throws(() => systemExpression({ exclude: [entry] }), {
      instanceOf: RangeError,
      message: `invalid filter ${entry}`,
    })
  })
}

test('systemExpression() does not depend on the order, nor on what is said twice', t => {
  const entry = fc.constantFrom(
    '10.0.0.1',
    '10.0.0.1:80',
    '*:80',
    '80-90',
    '[fd00::1]:80',
    '10.0.0.0/8',
    '10.0.0.1:443',
    '',
  )
  fc.assert(
    fc.property(
      fc.array(entry, { maxLength: 8 }),
      fc.array(entry, { maxLength: 8 }),
      (include, exclude) => {
        const expression = systemExpression({ include, exclude })
        t.is(
          systemExpression({
            include: [...include, ...include].toReversed(),
            exclude: exclude.toReversed(),
          }),
          expression,
        )
      },
    ),
  )
  t.pass()
})

test('whatever is let through is made of words that the engine wrote itself', t => {
  const characters = fc.string({ unit: fc.constantFrom(...'019.:/[]*-f (&|!)'), maxLength: 12 })
  fc.assert(
    fc.property(characters, text => {
      try {
        const expression = systemExpression({ include: [text] })
        t.regex(
          expression,
          /^$|^\(\((host|net|port|portrange) [0-9a-f.:/-]+( and (port|portrange) [0-9-]+)?\)\)$/,
        )
      } catch (error) {
        t.is((error as Error).message, `invalid filter ${text}`)
      }
    }),
    { numRuns: runs(2_000) },
  )
})

type Directed = {
  readonly name: string
  readonly sourceIPs: readonly string[]
  readonly destinationIPs: readonly string[]
  readonly expected: string
}
for (const { name, sourceIPs, destinationIPs, expected } of casesOf<Directed>(
  'sourceDestinationBpf',
)) {
  const isInvalid = name === 'invalid IP entries are skipped' // the builder skips them; no capture gets that far, as its note says
  test(`sourceDestinationBpf: ${name}${isInvalid ? ', decided otherwise: refused where they are read' : ''}`, t => {
    if (isInvalid)
      t.throws(() => addressExpression(sourceIPs, destinationIPs), {
        message: 'sourceIPs: "not-an-ip" is not a valid IP address',
      })
    else t.is(addressExpression(sourceIPs, destinationIPs), expected)
  })
}

for (const { ips, valid } of casesOf<{ readonly ips: readonly string[]; readonly valid: boolean }>(
  'ipListValidationCR',
)) {
  test(`ipListValidationCR: ${JSON.stringify(ips)} is ${valid ? 'taken' : 'refused'}`, t => {
    if (valid) t.notThrows(() => addressExpression([], ips))
    else
      t.throws(() => addressExpression([], ips), {
        message: 'destinationIPs: "not-an-ip" is not a valid IP address',
      })
  })
}

for (const { name, a, b, expected } of casesOf<Record<'name' | 'a' | 'b' | 'expected', string>>(
  'combineBpf',
)) {
  test(`combineBpf: ${name}`, t => t.is(allOf(a, b), expected))
}

type Tokens = { readonly filter: string; readonly valid: boolean }
for (const [index, { filter, valid }] of casesOf<Tokens>('userFilterTokens').entries()) {
  test(`userFilterTokens ${index}: ${JSON.stringify(filter)} is ${valid ? 'taken' : 'refused'}`, t => {
    if (valid) t.notThrows(() => readUserFilter(filter))
    else t.throws(() => readUserFilter(filter), { message: /contains flag "-n"/ })
  })
}
for (const [index, { value }] of casesOf<{ readonly value: string }>(
  'userFilterWhitespace',
).entries()) {
  test(`userFilterWhitespace ${index}: ${JSON.stringify(value)} is refused`, t => {
    t.throws(() => readUserFilter(value), {
      message: 'tcpdump filter cannot be empty or whitespace-only',
    })
  })
}

for (const text of [
  'tcp) or (udp',
  'tcp)',
  '(tcp',
  ')(',
  'host my-svc',
  '--help',
  'tcp -w/tmp/x',
]) {
  test(`readUserFilter() refuses ${JSON.stringify(text)}`, t =>
    void t.throws(() => readUserFilter(text), { instanceOf: RangeError }))
}
for (const text of [
  'portrange 80-90',
  'tcp[2:2] -1 = 5',
  'ether host 02:00:00:00:00:01',
  '((tcp) or (udp port 53))',
]) {
  test(`readUserFilter() takes ${JSON.stringify(text)}`, t =>
    void t.notThrows(() => readUserFilter(text)))
}
