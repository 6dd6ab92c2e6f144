// When a lost interface is looked for again.
import test from 'ava'
import { ReopenSchedule } from '../../../src/tap/reopen.ts'

const firstDue = (schedule: ReopenSchedule, fromMs: number): number => {
  let atMs = fromMs
  while (!schedule.isDue(atMs)) atMs += 100
  return atMs - fromMs
}

test('a lost interface is looked for after a second, then twice as late each time, at most after 5 seconds', t => {
  const schedule = new ReopenSchedule()
  schedule.lost(50_000)
  const waits = [firstDue(schedule, 50_000)]
  for (let tries = 1; tries <= 7; tries++) {
    schedule.trying(50_000)
    waits.push(firstDue(schedule, 50_000))
  }
  t.deepEqual(waits, [1_000, 1_000, 2_000, 4_000, 5_000, 5_000, 5_000, 5_000])
})

test('losing the interface once more begins with a second again', t => {
  const schedule = new ReopenSchedule()
  for (let tries = 1; tries <= 5; tries++) schedule.trying(0)
  schedule.lost(0)
  t.is(firstDue(schedule, 0), 1_000)
})

test('no try is due while one is queued, and every one after the clock was set back far', t => {
  const schedule = new ReopenSchedule()
  schedule.queued(100_000)
  t.false(schedule.isDue(104_999))
  t.true(schedule.isDue(105_000))
  t.true(schedule.isDue(99_000))
})
