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

test('silentSince() is undefined until three minutes have passed without a new version', t => {
  const liveness = new NodeLiveness()
  liveness.observe([report('a', '1')], noonMs, 0)
  t.is(liveness.silentSince('a', silentMs), undefined)
  t.is(liveness.silentSince('a', silentMs + 1), noonMs)
  t.is(liveness.nextSilentInMs(silentMs), 1)
  t.is(liveness.nextSilentInMs(silentMs + 1), Number.POSITIVE_INFINITY)
  liveness.observe([report('a', '2')], noonMs + silentMs + minute, silentMs + minute)
  t.is(liveness.silentSince('a', silentMs + minute), undefined)
  t.is(liveness.nextSilentInMs(silentMs + minute), silentMs + 1)
})

test('nextSilentInMs() is of the node that falls silent first', t => {
  const liveness = new NodeLiveness()
  liveness.observe([report('a', '1'), report('b', '1')], noonMs, 0)
  liveness.observe([report('a', '1'), report('b', '2')], noonMs + minute, minute)
  t.is(liveness.nextSilentInMs(minute), silentMs + 1 - minute)
  t.is(liveness.nextSilentInMs(silentMs + 1), minute)
})

test('silentNodes() names those that do not report', t => {
  const liveness = new NodeLiveness()
  liveness.observe([report('a', '1'), report('b', '1')], noonMs, 0)
  liveness.observe([report('a', '2'), report('b', '1')], noonMs + minute, minute)
  t.deepEqual(
    [
      liveness.silentNodes(silentMs),
      liveness.silentNodes(silentMs + 1),
      liveness.silentNodes(silentMs + minute + 1),
    ],
    [[], ['b'], ['a', 'b']],
  )
})

for (const hours of [-24, -1, 1, 24]) {
  test(`silentSince() makes nobody silent, and saves nobody, when the clock is set by ${hours} h`, t => {
    const liveness = new NodeLiveness()
    liveness.observe([report('a', '1'), report('b', '1')], noonMs, 0)
    const setMs = noonMs + hours * hour
    liveness.observe([report('a', '1'), report('b', '2')], setMs + minute, minute)
    t.deepEqual(
      [liveness.silentSince('a', minute), liveness.silentSince('b', minute)],
      [undefined, undefined],
    )
    t.is(liveness.silentSince('a', silentMs + 1), noonMs)
    t.is(liveness.silentSince('b', silentMs + 1), undefined)
    t.is(liveness.silentSince('b', silentMs + minute + 1), setMs + minute)
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
  test(`observe() meets nodes for the first time when ${what}`, t => {
    const liveness = new NodeLiveness()
    const reports = Object.entries(ages).map(([name, ageMs]) => report(name, '7', noonMs - ageMs))
    liveness.observe(reports, noonMs, 0)
    t.deepEqual(
      reports.map(({ name }) => name).filter(name => liveness.silentSince(name, 0) !== undefined),
      silent,
    )
    const allSilent = reports.filter(
      ({ name }) => liveness.silentSince(name, silentMs + 1) !== undefined,
    )
    t.is(allSilent.length, reports.length)
  })
}

test('observe() takes a time that cannot be read for a node long gone, and a node met later for one that reports', t => {
  const liveness = new NodeLiveness()
  liveness.observe(
    [report('a', '1'), { name: 'b', resourceVersion: '1', reportedAt: '' }],
    noonMs,
    0,
  )
  t.deepEqual([liveness.silentSince('a', 0), liveness.silentSince('b', 0)], [undefined, 0])
  liveness.observe([report('a', '1'), report('c', '5', noonMs - hour)], noonMs, 0)
  t.deepEqual([liveness.silentSince('b', 0), liveness.silentSince('c', 0)], [undefined, undefined])
})

test('silentSince() forgets a node whose report went, and meets it anew', t => {
  const liveness = new NodeLiveness()
  liveness.observe([report('a', '1')], noonMs, 0)
  liveness.observe([], noonMs, silentMs + 1)
  t.is(liveness.silentSince('a', silentMs + 1), undefined)
  liveness.observe([report('a', '1')], noonMs, silentMs + 1)
  t.is(liveness.silentSince('a', silentMs + 1), undefined)
})

test('silentSince() does not count an hour in which the reports could not be followed', t => {
  const liveness = new NodeLiveness()
  const watch = new Stopwatch()
  watch.start(0)
  liveness.observe([report('a', '1')], noonMs, watch.elapsedMs(0))
  watch.stop(minute)
  watch.start(hour)
  liveness.observe([report('a', '1')], noonMs + hour, watch.elapsedMs(hour))
  t.is(liveness.silentSince('a', watch.elapsedMs(hour)), undefined)
  t.is(liveness.silentSince('a', watch.elapsedMs(hour + silentMs - minute)), undefined)
  t.is(liveness.silentSince('a', watch.elapsedMs(hour + silentMs - minute + 1)), noonMs)
})

test('unconfirmedNodes() names those that were found with their report and sent none since', t => {
  const liveness = new NodeLiveness()
  liveness.observe([report('a', '1'), report('b', '1')], noonMs, 0)
  t.deepEqual(liveness.unconfirmedNodes(), ['a', 'b'])
  liveness.observe([report('a', '2'), report('b', '1'), report('c', '1')], noonMs, minute)
  t.deepEqual(liveness.unconfirmedNodes(), ['b'])
  liveness.observe([report('a', '2'), report('c', '1')], noonMs, minute)
  t.deepEqual(liveness.unconfirmedNodes(), [])
})
