// Schedules of a spec: what is read, and what is refused in which words.
import test from 'ava'
import { readSchedule } from '../../../../src/api/packetcapture/schedule.ts'

test('readSchedule() is in UTC when no time zone is given', t => {
  t.deepEqual(readSchedule('0 2 * * *', undefined, 600), {
    cron: '0 2 * * *',
    timeZone: 'UTC',
    durationMs: 600_000,
  })
  t.is(readSchedule('0 2 * * *', 'Europe/Berlin', 600).timeZone, 'Europe/Berlin')
})

for (const [cron, timeZone, message] of [
  [
    '0 2 * * *',
    'Europe/Bern',
    /^timeZone: found "Europe\/Bern", expected a name of the IANA database/,
  ],
  ['0 0 2 * * *', 'UTC', /^cron: found "0 0 2 \* \* \*", expected five fields/],
  ['@daily', 'UTC', /expected five fields/],
  [7, 'UTC', /^cron: found 7, expected five fields/],
  ['61 2 * * *', 'UTC', /^cron: found "61 2 \* \* \*", which is no schedule/],
] as const)
  test(`readSchedule() refuses ${cron} in ${timeZone}`, t => {
    t.throws(() => readSchedule(cron, timeZone, 600), { instanceOf: RangeError, message })
  })
