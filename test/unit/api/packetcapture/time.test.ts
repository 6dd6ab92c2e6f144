// Times of a spec: what is read, and what is refused in which words.
import test from 'ava'
import { readTime } from '../../../../src/api/packetcapture/time.ts'

for (const [text, iso] of [
  ['2026-08-26T12:00:00Z', '2026-08-26T12:00:00.000Z'],
  ['2026-08-26t12:00:00z', '2026-08-26T12:00:00.000Z'],
  ['2026-08-26T12:00:00.250+02:00', '2026-08-26T10:00:00.250Z'],
] as const)
  test(`readTime() is ${iso} when the text is ${text}`, t => t.is(readTime(text), Date.parse(iso)))

for (const value of [
  '2026-08-26',
  '2026-08-26T12:00:00',
  '2026-02-30T12:00:00Z',
  '2026-08-26T24:00:00Z',
  '2026-08-26T12:60:00Z',
  '2026-08-26T12:00:00+25:00',
  '2026-08-26T12:00:00-01:60',
  'tomorrow',
  5,
  undefined,
])
  test(`readTime() refuses ${JSON.stringify(value)}`, t => {
    t.throws(() => readTime(value), {
      instanceOf: RangeError,
      message: /expected a time as in RFC 3339/,
    })
  })

test('readTime() refuses a leap second and says why', t => {
  t.throws(() => readTime('2016-12-31T23:59:60Z'), { message: /leap seconds cannot be told$/ })
})
