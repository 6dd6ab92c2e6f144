// Compiling filters in the process: limits, many at once, and what a hostile caller may hand over.
import { createRequire } from 'node:module'
import test from 'ava'
import { ringDriver } from '../../../../src/driver/ring/ringDriver.ts'

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

const addon = createRequire(import.meta.url)(
  '../../../../native/build/Release/selcap.node',
) as Readonly<Record<string, (...args: unknown[]) => unknown>>
const sink = { fd: 1, bytesLeft: 1, isEmpty: true, device: undefined }
const window = { fromMs: 0, untilMs: 1 }
const options = {
  call: 1,
  interfaceName: 'lo',
  netns: '',
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
