import test from 'ava'
import { displayFlags } from '../../../../src/api/retina/tcpdumpFlags.ts'
import { casesOf } from '../../../support/model/retinaCases.ts'

type Enum = { readonly value: string; readonly flag?: string | null; readonly error?: boolean }

for (const [group, field] of [
  ['enumVerbosity', 'verbosity'],
  ['enumTimestamp', 'timestampFormat'],
  ['enumPrintData', 'printDataFormat'],
] as const) {
  for (const { value, flag, error } of casesOf<Enum>(group)) {
    test(`${group}: ${field} "${value}" is ${error ? 'refused' : (flag ?? 'no flag')}`, t => {
      if (error)
        t.throws(() => displayFlags({ [field]: value }), {
          message: new RegExp(`captureOption\\.${field}: found "${value}"`),
        })
      else t.deepEqual(displayFlags({ [field]: value }).display, flag ? [flag] : [])
    })
  }
}

type Env = {
  readonly name: string
  readonly spec: Record<string, unknown>
  readonly env?: Record<string, string>
}
for (const { name, spec, env } of casesOf<Env>('jobEnv').filter(
  row => row.env?.TCPDUMP_FLAGS !== undefined,
)) {
  test(`jobEnv: ${name} gives ${env?.TCPDUMP_FLAGS}`, t =>
    t.is(displayFlags(spec).all.join(' '), env?.TCPDUMP_FLAGS ?? ''))
}

test('displayFlags() knows every option, in one order, and which of them shape text', t => {
  const simple = [
    'dontVerifyChecksum',
    'absoluteSeq',
    'quietOutput',
    'printLinkHeader',
    'noResolvePort',
    'noResolveDNS',
  ]
  const capturing = ['immediateMode', 'packetBuffered', 'noPromiscuous']
  const options = Object.fromEntries([...simple, ...capturing].map(field => [field, true]))
  const { all, display } = displayFlags({
    ...options,
    verbosity: 'max',
    printDataFormat: 'hex-with-link',
    timestampFormat: 'date',
  })
  t.is(all.join(' '), '-p -U --immediate-mode -n -nn -e -q -S -K -vvv -xx -tttt')
  t.is(display.join(' '), '-n -nn -e -q -S -K -vvv -xx -tttt')
})

test('displayFlags() takes booleans for words, and both where they say the same', t => {
  const booleans = [
    ['verbose', '-v'],
    ['extraVerbose', '-vv'],
    ['maxVerbose', '-vvv'],
    ['printDataHex', '-x'],
    ['printDataHexLink', '-xx'],
    ['printDataASCII', '-A'],
    ['printDataASCIILink', '-AA'],
    ['noTimestamp', '-t'],
    ['unformattedTimestamp', '-tt'],
    ['deltaTimestamp', '-ttt'],
    ['dateTimestamp', '-tttt'],
    ['deltaSinceFirst', '-ttttt'],
  ] as const
  for (const [field, flag] of booleans) t.deepEqual(displayFlags({ [field]: true }).display, [flag])
  t.deepEqual(displayFlags({ verbose: true, verbosity: 'verbose' }).display, ['-v'])
  t.deepEqual(displayFlags({ verbose: false, maxVerbose: true }).display, ['-vvv'])
})

test('displayFlags() refuses what excludes each other, and words it does not know', t => {
  const message = 'captureOption: found verbose and max of verbosity, expected one of them'
  t.throws(() => displayFlags({ verbose: true, maxVerbose: true }), {
    instanceOf: RangeError,
    message,
  })
  t.throws(() => displayFlags({ verbose: true, verbosity: 'max' }), {
    instanceOf: RangeError,
    message,
  })
  t.throws(() => displayFlags({ printDataHex: true, printDataASCII: true }), {
    instanceOf: RangeError,
  })
  t.throws(() => displayFlags({ verbosity: '-w /etc/passwd' }), { instanceOf: RangeError })
})
