// Windows: [start, end), recurring ones cut to it, overlapping ones as one.
import test from 'ava'
import fc from 'fast-check'
import { type WindowState, windowAt } from '../../../../src/core/schedule/window.ts'
import type { Window } from '../../../../src/model/capture.ts'
import { runs } from '../../../support/runs.ts'

const at = (time: string) => Date.parse(`2026-06-01T${time}Z`)
const never = Number.POSITIVE_INFINITY
const hourly = (minutes: number) => ({
  cron: '0 * * * *',
  timeZone: 'UTC',
  durationMs: minutes * 60_000,
})
const minutely = (seconds: number) => ({
  cron: '* * * * *',
  timeZone: 'UTC',
  durationMs: seconds * 1_000,
})
const opens = (time: string): WindowState => ({ kind: 'before', opensAtMs: at(time) })
const open = (time: string): WindowState => ({ kind: 'open', untilMs: at(time) })
const closed = (time: string): WindowState => ({ kind: 'after', closedAtMs: at(time) })

const rows: readonly (readonly [name: string, window: Window, now: string, state: WindowState])[] =
  [
    ['there is no window', {}, '12:00', { kind: 'open', untilMs: never }],
    ['before the start', { startMs: at('12:00') }, '11:59:59.999', opens('12:00')],
    ['at the start', { startMs: at('12:00') }, '12:00', { kind: 'open', untilMs: never }],
    ['just before the end', { endMs: at('12:00') }, '11:59:59.999', open('12:00')],
    ['at the end', { endMs: at('12:00') }, '12:00', closed('12:00')],
    ['recurring: before the first of the day', { schedule: hourly(10) }, '11:10', opens('12:00')],
    ['recurring: at a start', { schedule: hourly(10) }, '12:00', open('12:10')],
    ['recurring: just before an end', { schedule: hourly(10) }, '12:09:59.999', open('12:10')],
    ['recurring: at an end', { schedule: hourly(10) }, '12:10', opens('13:00')],
    ['recurring windows touch', { schedule: hourly(60) }, '12:59:59.999', open('13:00')],
    ['recurring windows touch, at the seam', { schedule: hourly(60) }, '13:00', open('14:00')],
    ['recurring windows overlap', { schedule: hourly(90) }, '12:15', open('13:30')],
    [
      'the start cuts a recurring window',
      { startMs: at('12:05'), schedule: hourly(10) },
      '12:03',
      opens('12:05'),
    ],
    [
      'the start lies between recurring windows',
      { startMs: at('12:15'), schedule: hourly(10) },
      '11:00',
      opens('13:00'),
    ],
    [
      'the end cuts a recurring window',
      { endMs: at('12:05'), schedule: hourly(10) },
      '12:03',
      open('12:05'),
    ],
    ['the end has passed', { endMs: at('12:05'), schedule: hourly(10) }, '15:00', closed('12:05')],
    [
      'the end has passed between recurring windows',
      { endMs: at('12:30'), schedule: hourly(10) },
      '15:00',
      closed('12:10'),
    ],
    [
      'no recurring window is left before the end',
      { endMs: at('13:00'), schedule: hourly(10) },
      '12:20',
      closed('12:10'),
    ],
    [
      'no recurring window lies inside',
      { startMs: at('12:20'), endMs: at('12:40'), schedule: hourly(10) },
      '12:00',
      { kind: 'after', closedAtMs: -never },
    ],
  ]

for (const [name, window, now, expected] of rows) {
  test(`windowAt() tells the state when ${name}`, t =>
    t.deepEqual(windowAt(window, at(now)), expected))
}

test('windowAt() does not walk from the beginning when windows recur every minute for years', t => {
  const window: Window = {
    startMs: Date.UTC(1990, 0),
    endMs: Date.UTC(2090, 0),
    schedule: minutely(30),
  }
  // From the beginning each takes 20 million steps: this would not end before the test's limit.
  for (let n = 0; n < 200; n++) {
    const secondOfMinute = (n * 60 + 7 * n) % 60
    const state = windowAt(window, at('12:00') + (n * 60 + 7 * n) * 1_000)
    t.is(state.kind, secondOfMinute < 30 ? 'open' : 'before')
  }
  const long: Window = { startMs: Date.UTC(1990, 0), schedule: minutely(10 * 365 * 86_400) }
  t.is(windowAt(long, at('12:00')).kind, 'open')
})

test('windowAt() opens a recurring window across the clock changes for as long as it says', t => {
  const berlin = {
    schedule: { cron: '30 1 * * *', timeZone: 'Europe/Berlin', durationMs: 7_200_000 },
  }
  t.deepEqual(windowAt(berlin, Date.parse('2026-03-29T00:30Z')), {
    kind: 'open',
    untilMs: Date.parse('2026-03-29T02:30Z'),
  }) // 01:30 to 04:30
  t.deepEqual(windowAt(berlin, Date.parse('2026-10-24T23:30Z')), {
    kind: 'open',
    untilMs: Date.parse('2026-10-25T01:30Z'),
  }) // 01:30 to 02:30
})

test('windowAt() changes its state exactly at the times it names', t => {
  const instant = fc
    .integer({ min: at('00:00') / 1_000, max: at('23:59') / 1_000 })
    .map(seconds => seconds * 1_000)
  const schedule = fc.record({
    cron: fc.constantFrom('* * * * *', '*/7 * * * *', '0 */2 * * *'),
    timeZone: fc.constant('Europe/Berlin'),
    durationMs: fc.integer({ min: 1, max: 9_000_000 }),
  })
  const options = fc.record({ startMs: instant, endMs: instant, schedule }, { requiredKeys: [] })
  fc.assert(
    fc.property(options, instant, (given, nowMs) => {
      const window =
        given.endMs !== undefined && given.startMs !== undefined && given.endMs <= given.startMs
          ? { ...given, endMs: given.startMs + 1 }
          : given
      const state = windowAt(window as Window, nowMs)
      if (state.kind !== 'before') return
      t.is(windowAt(window as Window, state.opensAtMs - 1).kind, 'before')
      t.is(windowAt(window as Window, state.opensAtMs).kind, 'open')
      t.true(state.opensAtMs > nowMs)
    }),
    { numRuns: runs(500) },
  )
})
