import test from 'ava'
import {
  readBytes,
  readSeconds,
  readWhen,
  whenMs,
} from '../../../../src/kubectl/option/quantity.ts'

for (const [text, seconds] of [
  ['90s', 90],
  ['10m', 600],
  ['1h30m', 5_400],
  ['1.5h', 5_400],
  ['2d', 172_800],
] as const)
  test(`readSeconds() reads "${text}"`, t => t.is(readSeconds(text), seconds))

for (const text of [
  '',
  '0',
  '90',
  '0s',
  '-1',
  '-5m',
  '.5h',
  '1.5.5h',
  '0.5s',
  '10 m',
  '1w',
  'm',
  '1h30',
  '99999999999999999',
])
  test(`readSeconds() refuses "${text}"`, t =>
    t.throws(() => readSeconds(text), { message: /Expected a duration/ }))

for (const [text, bytes] of [
  ['1500', 1_500],
  ['64k', 64_000],
  ['10MB', 10_000_000],
  ['1.5GB', 1_500_000_000],
  ['1GiB', 1_073_741_824],
  ['2Mi', 2_097_152],
] as const)
  test(`readBytes() reads "${text}"`, t => t.is(readBytes(text), bytes))

for (const text of ['', '0', 'MB', '1 MB', '-1', '1e9', '1i', '9999999TB'])
  test(`readBytes() refuses "${text}"`, t =>
    t.throws(() => readBytes(text), { message: /Expected a size/ }))

test('readSeconds() asks for the unit of a number alone', t => {
  t.throws(() => readSeconds('10'), {
    message: 'Expected a duration with its unit: 10s, 10m or 10h?',
  })
})

test('readWhen() reads times of day and times from now', t => {
  const nowMs = Date.parse('2026-11-21T12:00:00Z')
  const at = (text: string) => new Date(whenMs(readWhen(text), nowMs)).toISOString()
  t.is(at('now'), '2026-11-21T12:00:00.000Z')
  t.is(at('+1h30m'), '2026-11-21T13:30:00.000Z')
  t.is(at('2026-11-21T13:00:00+02:00'), '2026-11-21T11:00:00.000Z')
  for (const text of ['', 'tomorrow', '2026-11-21', '+', '10m'])
    t.throws(() => readWhen(text), { message: /Expected a (time|duration)/ }, text)
})
