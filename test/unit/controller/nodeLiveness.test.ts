// Which nodes still report: clocks that are set, restarts, servers that were away. Times are told,
// so each case is a list of looks.
import test from 'ava'
import { NodeLiveness, type ReportTime, silentMs } from '../../../src/controller/nodeLiveness.ts'
import { Stopwatch } from '../../../src/controller/stopwatch.ts'
import { at, noonMs } from '../../support/model/observations.ts'

const minute = 60_000
const hour = 60 * minute

function report(name: string, resourceVersion: string, writtenMs = noonMs): ReportTime {
  return { name, resourceVersion, reportedAt: at(writtenMs) }
}

test('since() is undefined until three minutes have passed without a new version', t => {
  const silence = new NodeLiveness()
  silence.observe([report('a', '1')], noonMs, 0)
  t.is(silence.silentSince('a', silentMs), undefined)
  t.is(silence.silentSince('a', silentMs + 1), noonMs)
  t.is(silence.nextSilentInMs(silentMs), 1)
  t.is(silence.nextSilentInMs(silentMs + 1), Number.POSITIVE_INFINITY)
  silence.observe([report('a', '2')], noonMs + silentMs + minute, silentMs + minute)
  t.is(silence.silentSince('a', silentMs + minute), undefined)
  t.is(silence.nextSilentInMs(silentMs + minute), silentMs + 1)
})

test('nextSilentInMs() is of the node that falls silent first', t => {
  const silence = new NodeLiveness()
  silence.observe([report('a', '1'), report('b', '1')], noonMs, 0)
  silence.observe([report('a', '1'), report('b', '2')], noonMs + minute, minute)
  t.is(silence.nextSilentInMs(minute), silentMs + 1 - minute)
  t.is(silence.nextSilentInMs(silentMs + 1), minute)
})

test('silent() names those that do not report', t => {
  const silence = new NodeLiveness()
  silence.observe([report('a', '1'), report('b', '1')], noonMs, 0)
  silence.observe([report('a', '2'), report('b', '1')], noonMs + minute, minute)
  t.deepEqual(
    [
      silence.silentNodes(silentMs),
      silence.silentNodes(silentMs + 1),
      silence.silentNodes(silentMs + minute + 1),
    ],
    [[], ['b'], ['a', 'b']],
  )
})

for (const hours of [-24, -1, 1, 24]) {
  test(`since() makes nobody silent, and saves nobody, when the clock is set by ${hours} h`, t => {
    const silence = new NodeLiveness()
    silence.observe([report('a', '1'), report('b', '1')], noonMs, 0)
    const setMs = noonMs + hours * hour
    silence.observe([report('a', '1'), report('b', '2')], setMs + minute, minute)
    t.deepEqual(
      [silence.silentSince('a', minute), silence.silentSince('b', minute)],
      [undefined, undefined],
    )
    t.is(silence.silentSince('a', silentMs + 1), noonMs)
    t.is(silence.silentSince('b', silentMs + 1), undefined)
    t.is(silence.silentSince('b', silentMs + minute + 1), setMs + minute)
  })
}

// After a restart the times in the reports are all there is: [what, written how long ago, whose
// node is silent at once]
const restarts: readonly (readonly [
  what: string,
  agesMs: Readonly<Record<string, number>>,
  silent: readonly string[],
])[] = [
  ['one node is long gone', { a: 10_000, b: 4 * minute, c: 50_000 }, ['b']],
  [
    'all were cut off from the server for an hour',
    { a: hour, b: hour + 30_000, c: hour + minute },
    [],
  ],
  ['one was gone before all were cut off', { a: hour, b: hour + 5 * minute }, ['b']],
  ["this machine's clock is ten minutes ahead", { a: 10 * minute, b: 11 * minute }, []],
  ["this machine's clock is ten minutes behind", { a: -10 * minute, b: -9 * minute }, []],
  ['nobody reports', {}, []],
]
for (const [what, ages, silent] of restarts) {
  test(`look() meets nodes for the first time when ${what}`, t => {
    const silence = new NodeLiveness()
    const reports = Object.entries(ages).map(([name, ageMs]) => report(name, '7', noonMs - ageMs))
    silence.observe(reports, noonMs, 0)
    t.deepEqual(
      reports.map(({ name }) => name).filter(name => silence.silentSince(name, 0) !== undefined),
      silent,
    )
    const allSilent = reports.filter(
      ({ name }) => silence.silentSince(name, silentMs + 1) !== undefined,
    )
    t.is(allSilent.length, reports.length)
  })
}

test('look() takes a time that cannot be read for a node long gone, and a node met later for one that reports', t => {
  const silence = new NodeLiveness()
  silence.observe(
    [report('a', '1'), { name: 'b', resourceVersion: '1', reportedAt: '' }],
    noonMs,
    0,
  )
  t.deepEqual([silence.silentSince('a', 0), silence.silentSince('b', 0)], [undefined, 0])
  silence.observe([report('a', '1'), report('c', '5', noonMs - hour)], noonMs, 0)
  t.deepEqual([silence.silentSince('b', 0), silence.silentSince('c', 0)], [undefined, undefined])
})

test('since() forgets a node whose report went, and meets it anew', t => {
  const silence = new NodeLiveness()
  silence.observe([report('a', '1')], noonMs, 0)
  silence.observe([], noonMs, silentMs + 1)
  t.is(silence.silentSince('a', silentMs + 1), undefined)
  silence.observe([report('a', '1')], noonMs, silentMs + 1)
  t.is(silence.silentSince('a', silentMs + 1), undefined)
})

test('elapsedMs() counts what lies between start() and stop(), however often they are called', t => {
  const watch = new Stopwatch()
  t.is(watch.elapsedMs(100), 0)
  watch.start(100)
  watch.start(150)
  t.is(watch.elapsedMs(200), 100)
  watch.stop(300)
  watch.stop(400)
  t.is(watch.elapsedMs(1_000), 200)
  watch.start(1_000)
  t.is(watch.elapsedMs(1_010), 210)
})

test('stop() may lie in the past: what came after it was a pause', t => {
  const watch = new Stopwatch()
  watch.start(100)
  watch.stop(50)
  t.is(watch.elapsedMs(500), 0)
})

test('since() does not count an hour in which the reports could not be followed', t => {
  const silence = new NodeLiveness()
  const watch = new Stopwatch()
  watch.start(0)
  silence.observe([report('a', '1')], noonMs, watch.elapsedMs(0))
  watch.stop(minute)
  watch.start(hour)
  silence.observe([report('a', '1')], noonMs + hour, watch.elapsedMs(hour))
  t.is(silence.silentSince('a', watch.elapsedMs(hour)), undefined)
  t.is(silence.silentSince('a', watch.elapsedMs(hour + silentMs - minute)), undefined)
  t.is(silence.silentSince('a', watch.elapsedMs(hour + silentMs - minute + 1)), noonMs)
})
