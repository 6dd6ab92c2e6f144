import test from 'ava'
import fc from 'fast-check'
import { type ByteRange, rangeOf } from '../../../../src/agentapi/server/range.ts'

const rows: readonly (readonly [
  header: string | undefined,
  bytes: number,
  expected: ByteRange | 'whole' | 'none',
])[] = [
  [undefined, 10, 'whole'],
  ['bytes=0-', 10, { start: 0, end: 10 }],
  ['bytes=0-0', 10, { start: 0, end: 1 }],
  ['bytes=9-9', 10, { start: 9, end: 10 }],
  ['bytes=5-99', 10, { start: 5, end: 10 }],
  ['bytes=10-', 10, 'none'],
  ['bytes=10-20', 10, 'none'],
  ['bytes=-3', 10, { start: 7, end: 10 }],
  ['bytes=-30', 10, { start: 0, end: 10 }],
  ['bytes=-0', 10, 'none'],
  ['bytes=0-', 0, 'none'],
  ['bytes=-5', 0, 'none'],
  ['bytes=5-2', 10, 'whole'],
  ['bytes=-', 10, 'whole'],
  ['bytes=0-1,4-5', 10, 'whole'],
  ['lines=0-1', 10, 'whole'],
  ['bytes=0-1; x', 10, 'whole'],
  ['bytes=--1', 10, 'whole'],
  ['bytes=1e3-', 10, 'whole'],
  [`bytes=${'9'.repeat(16)}-`, 10, 'whole'],
]
for (const [header, bytes, expected] of rows) {
  test(`rangeOf() of ${header} in ${bytes} bytes is ${JSON.stringify(expected)}`, t =>
    t.deepEqual(rangeOf(header, bytes), expected))
}

test('rangeOf() never leaves the file, whatever is asked for', t => {
  const number = fc.oneof(
    fc.constant(''),
    fc.nat(2_000).map(String),
    fc.constant('999999999999999'),
  )
  const asked = fc.oneof(
    fc.tuple(number, number).map(([first, last]) => `bytes=${first}-${last}`),
    fc.string(),
  )
  fc.assert(
    fc.property(asked, fc.nat(1_000), (header, bytes) => {
      const range = rangeOf(header, bytes)
      return (
        typeof range === 'string' ||
        (range.start >= 0 && range.start < range.end && range.end <= bytes)
      )
    }),
  )
  t.pass()
})
