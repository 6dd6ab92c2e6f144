// Starts of recurring windows over a year's clock changes, in three zones; Lord Howe's clock
// changes by 30 minutes. The instants are written in UTC; beside them what the wall clock shows.
import test from 'ava'
import fc from 'fast-check'
import { IANAZone } from 'luxon'
import { nextStart, previousStart } from '../../../../src/core/schedule/recurrence.ts'
import { runs } from '../../../support/runs.ts'

type Row = readonly [
  name: string,
  timeZone: string,
  cron: string,
  from: string,
  starts: readonly string[],
]

const rows: readonly Row[] = [
  [
    'spring gap',
    'Europe/Berlin',
    '30 2 * * *',
    '2026-03-28T00:00',
    ['03-28T01:30', '03-29T01:30', '03-30T00:30'],
  ], // 02:30, 03:30, 02:30
  [
    'spring, before the gap',
    'Europe/Berlin',
    '59 1 * * *',
    '2026-03-28T12:00',
    ['03-29T00:59', '03-29T23:59'],
  ],
  [
    'spring, after the gap',
    'Europe/Berlin',
    '0 3 * * *',
    '2026-03-28T12:00',
    ['03-29T01:00', '03-30T01:00'],
  ],
  [
    'spring, every half hour',
    'Europe/Berlin',
    '*/30 * * * *',
    '2026-03-29T00:00',
    ['03-29T00:30', '03-29T01:00', '03-29T01:30'],
  ], // 01:30, 03:00
  [
    'autumn, once a day',
    'Europe/Berlin',
    '30 2 * * *',
    '2026-10-24T12:00',
    ['10-25T00:30', '10-26T01:30'],
  ], // the first 02:30 only
  [
    'autumn, every half hour',
    'Europe/Berlin',
    '*/30 * * * *',
    '2026-10-24T23:45',
    ['10-25T00:00', '10-25T00:30', '10-25T01:00', '10-25T01:30', '10-25T02:00'],
  ],
  [
    'autumn, at certain hours',
    'Europe/Berlin',
    '0,30 2,3 * * *',
    '2026-10-24T12:00',
    ['10-25T00:00', '10-25T00:30', '10-25T02:00', '10-25T02:30'],
  ],
  [
    'spring gap',
    'America/New_York',
    '30 2 * * *',
    '2026-03-07T12:00',
    ['03-08T07:30', '03-09T06:30'],
  ], // 03:30, 02:30
  [
    'autumn, once a day',
    'America/New_York',
    '30 1 * * *',
    '2026-10-31T12:00',
    ['11-01T05:30', '11-02T06:30'],
  ],
  [
    'autumn, every hour',
    'America/New_York',
    '0 * * * *',
    '2026-11-01T04:30',
    ['11-01T05:00', '11-01T06:00', '11-01T07:00'],
  ],
  [
    'spring gap',
    'Australia/Lord_Howe',
    '15 2 * * *',
    '2026-10-02T16:00',
    ['10-03T15:45', '10-04T15:15'],
  ], // 02:45, 02:15
  [
    'spring, every quarter',
    'Australia/Lord_Howe',
    '*/15 * * * *',
    '2026-10-03T15:00',
    ['10-03T15:15', '10-03T15:30', '10-03T15:45', '10-03T16:00'],
  ],
  [
    'spring, every hour',
    'Australia/Lord_Howe',
    '0 * * * *',
    '2026-10-03T14:00',
    ['10-03T14:30', '10-03T16:00', '10-03T17:00'],
  ], // 01:00, 03:00
  [
    'autumn, once a day',
    'Australia/Lord_Howe',
    '45 1 * * *',
    '2026-04-03T20:00',
    ['04-04T14:45', '04-05T15:15'],
  ],
  [
    'autumn, every quarter',
    'Australia/Lord_Howe',
    '*/15 * * * *',
    '2026-04-04T14:20',
    ['04-04T14:30', '04-04T14:45', '04-04T15:00', '04-04T15:15', '04-04T15:30'],
  ],
  ['leap day', 'UTC', '0 0 29 2 *', '2026-01-01T00:00', ['2028-02-29T00:00', '2032-02-29T00:00']],
  [
    'no zone changes',
    'Asia/Kolkata',
    '0 9 * * 1',
    '2026-06-01T00:00',
    ['06-01T03:30', '06-08T03:30'],
  ],
]

for (const [name, timeZone, cron, from, starts] of rows) {
  const instants = starts.map(start =>
    Date.parse(`${start.length > 11 ? start : `2026-${start}`}Z`),
  )

  test(`nextStart() walks forwards through ${timeZone}, ${cron}: ${name}`, t => {
    const walked = instants.reduce<number[]>(
      found => [
        ...found,
        nextStart({ cron, timeZone }, found.at(-1) ?? Date.parse(`${from}Z`)) ?? 0,
      ],
      [],
    )
    t.deepEqual(walked.map(iso), instants.map(iso))
  })

  test(`previousStart() walks backwards through ${timeZone}, ${cron}: ${name}`, t => {
    const backwards = instants.toReversed()
    const walked = backwards.reduce<number[]>(
      found => [
        ...found,
        previousStart({ cron, timeZone }, (found.at(-1) ?? (instants.at(-1) ?? 0) + 1) - 1) ?? 0,
      ],
      [],
    )
    t.deepEqual(walked.map(iso), backwards.map(iso))
  })
}

const zones = ['UTC', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe']
const aYear = fc
  .integer({ min: Date.UTC(2026, 0, 1) / 60_000, max: Date.UTC(2027, 0, 1) / 60_000 })
  .map(minutes => minutes * 60_000)
const nearChanges = fc.constantFrom(
  '2026-03-29T01:00Z',
  '2026-10-25T01:00Z',
  '2026-03-08T07:00Z',
  '2026-11-01T06:00Z',
  '2026-10-03T15:30Z',
  '2026-04-04T15:00Z',
)
const near = fc
  .tuple(nearChanges, fc.integer({ min: -200, max: 200 }))
  .map(([change, minutes]) => Date.parse(change) + minutes * 60_000)
const crons = fc.constantFrom(
  '* * * * *',
  '*/15 * * * *',
  '0 * * * *',
  '30 2 * * *',
  '15,45 1-3 * * *',
  '0 0 * * 0',
  '0 12 1 * *',
)

test('nextStart() and previousStart() agree with each other at every minute', t => {
  fc.assert(
    fc.property(
      fc.constantFrom(...zones),
      crons,
      fc.oneof(aYear, near),
      (timeZone, cron, nowMs) => {
        const next = nextStart({ cron, timeZone }, nowMs) ?? 0
        t.true(next > nowMs)
        t.is(previousStart({ cron, timeZone }, next), next, 'a start is its own latest one')
        t.true(
          (previousStart({ cron, timeZone }, next - 1) ?? 0) <= nowMs,
          'there is none between now and the next',
        )
      },
    ),
    { numRuns: runs(1_000) },
  )
})

test('nextStart() finds every minute for a cron of every minute, across every change', t => {
  fc.assert(
    fc.property(fc.constantFrom(...zones), near, (timeZone, nowMs) =>
      t.is(nextStart({ cron: '* * * * *', timeZone }, nowMs), nowMs + 60_000),
    ),
  )
})

test('nextStart() shows the wall clock that cron asks for, except after a gap', t => {
  fc.assert(
    fc.property(fc.constantFrom(...zones), aYear, (timeZone, nowMs) => {
      const next = nextStart({ cron: '30 2 * * *', timeZone }, nowMs) ?? 0
      const wall = new Date(next + IANAZone.create(timeZone).offset(next) * 60_000)
        .toISOString()
        .slice(11, 16)
      t.true(['02:30', '03:30'].includes(wall), `${iso(next)} is ${wall}`)
      if (wall === '03:30') t.true(['2026-03-29', '2026-03-08'].includes(iso(next).slice(0, 10)))
    }),
  )
})

test('nextStart() and previousStart() are undefined when cron names no time', t => {
  // Parses, and never comes: cron-parser gives up walking. 29 February on a leap year only, years
  // ago or ahead.
  t.not(nextStart({ cron: '0 0 29 2 *', timeZone: 'UTC' }, Date.UTC(2026, 0, 1)), undefined)
  t.throws(
    () => nextStart({ cron: '0 0 30 2 *', timeZone: 'UTC' }, 0),
    undefined,
    'what cannot be parsed is refused before it comes here',
  )
})

function iso(atMs: number): string {
  return new Date(atMs).toISOString()
}
