// Spans: the exact stretch of time that packets are wanted from, recurring windows that touch or
// overlap being one.
import test from 'ava'
import fc from 'fast-check'
import { spanAt } from '../../../../src/core/schedule/activeSpan.ts'
import { windowAt } from '../../../../src/core/schedule/window.ts'
import type { Window } from '../../../../src/model/capture.ts'
import { isWithin } from '../../../../src/model/tapWindow.ts'
import { runs } from '../../../support/runs.ts'

const at = (time: string) => Date.parse(`2026-06-01T${time}Z`)
const never = Number.POSITIVE_INFINITY
const every = (cron: string, seconds: number) => ({
  cron,
  timeZone: 'UTC',
  durationMs: seconds * 1_000,
})

const rows: readonly (readonly [
  name: string,
  window: Window,
  now: string,
  expected: ReturnType<typeof spanAt>,
])[] = [
  ['there is no window', {}, '12:00', { window: {}, wakeAtMs: never }],
  [
    'the window has both ends',
    { startMs: at('12:00'), endMs: at('13:00') },
    '12:30',
    { window: { fromMs: at('12:00'), untilMs: at('13:00') }, wakeAtMs: never },
  ],
  [
    'windows recur',
    { schedule: every('0 * * * *', 600) },
    '12:05',
    { window: { fromMs: at('12:00'), untilMs: at('12:10') }, wakeAtMs: never },
  ],
  [
    'start and end cut a recurring window',
    { startMs: at('12:02'), endMs: at('12:08'), schedule: every('0 * * * *', 600) },
    '12:05',
    { window: { fromMs: at('12:02'), untilMs: at('12:08') }, wakeAtMs: never },
  ],
  [
    'recurring windows touch, with hours to go',
    { schedule: every('0 * * * *', 3_600) },
    '12:05',
    { window: {}, wakeAtMs: at('12:59:55') },
  ],
  [
    'recurring windows overlap for two hours of the day: the first hour',
    { schedule: every('0 12,13 * * *', 4_000) },
    '12:05',
    { window: { fromMs: at('12:00') }, wakeAtMs: at('13:06:35') },
  ],
  [
    'recurring windows overlap for two hours of the day: the second hour',
    { schedule: every('0 12,13 * * *', 4_000) },
    '13:05',
    { window: { untilMs: at('14:06:40') }, wakeAtMs: never },
  ],
]

for (const [name, window, now, expected] of rows) {
  test(`spanAt() tells from when to when when ${name}`, t =>
    t.deepEqual(spanAt(window, at(now)), expected))
}

test('spanAt() holds every instant at which the window is open without a break, and none at which it is not', t => {
  const instant = fc
    .integer({ min: at('00:00') / 1_000, max: at('23:59') / 1_000 })
    .map(seconds => seconds * 1_000)
  const schedule = fc.record({
    cron: fc.constantFrom('* * * * *', '*/7 * * * *', '0 */2 * * *', '58,59 * * * *'),
    timeZone: fc.constant('Europe/Berlin'),
    durationMs: fc.oneof(
      fc.integer({ min: 1, max: 130_000 }),
      fc.constantFrom(1_000, 59_999, 60_000, 60_001, 420_000, 7_200_000),
    ),
  })
  fc.assert(
    fc.property(
      schedule,
      instant,
      fc.integer({ min: -20_000, max: 20_000 }),
      (given, nowMs, offMs) => {
        const window: Window = { schedule: given }
        if (windowAt(window, nowMs).kind !== 'open') return
        const { window: span, wakeAtMs } = spanAt(window, nowMs)
        t.true(isWithin(span, nowMs))
        t.true(wakeAtMs > nowMs)
        if (span.fromMs !== undefined) t.not(windowAt(window, span.fromMs - 1).kind, 'open')
        if (span.untilMs !== undefined) t.not(windowAt(window, span.untilMs).kind, 'open')
        // Near by, and before another look is due, an instant is open exactly if it is within, unless
        // it is of another stretch.
        const thenMs = nowMs + offMs
        if (thenMs < wakeAtMs && isWithin(span, thenMs) && offMs > -10_000)
          t.is(windowAt(window, thenMs).kind, 'open')
      },
    ),
    { numRuns: runs(500) },
  )
})
