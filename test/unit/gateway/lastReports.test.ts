import test from 'ava'
import { keptMs, LastReports } from '../../../src/gateway/lastReports.ts'

const report = (name: string, port: number) => ({ metadata: { name }, port })

test('a report that is gone counts for a while, and one that is there goes before it', t => {
  const last = new LastReports<ReturnType<typeof report>>()
  last.seen(report('a', 1), 0)
  last.seen(report('b', 1), 1_000)
  t.deepEqual(last.withGone([report('a', 2)], 2_000), [report('a', 2), report('b', 1)])
  t.deepEqual(last.withGone([], keptMs + 500), [report('b', 1)])
  t.deepEqual(last.withGone([], keptMs + 1_500), [])
  t.deepEqual(last.withGone([], 0), [])
})
