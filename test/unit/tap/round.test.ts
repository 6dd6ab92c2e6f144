import test from 'ava'
import { Round } from '../../../src/tap/round.ts'

test('Round runs at each change, and seldom while nothing changes', t => {
  const round = new Round(10_000)
  const runs = (changes: string, ...times: readonly number[]) =>
    times.filter(atMs => round.begin(changes, atMs))
  t.deepEqual(runs('a', 1_000, 2_000, 10_999, 11_000, 12_000), [1_000, 11_000])
  t.deepEqual(runs('b', 12_001, 12_002), [12_001])
  t.deepEqual(runs('a', 12_003), [12_003])
})

test('Round runs when something is due before, and when the clock was set back', t => {
  const round = new Round(10_000)
  t.true(round.begin('a', 1_000))
  round.dueBy(Number.POSITIVE_INFINITY)
  round.dueBy(3_000)
  round.dueBy(4_000)
  t.is(round.dueAtMs, 3_000)
  t.false(round.begin('a', 2_999))
  t.true(round.begin('a', 3_000))
  t.is(round.dueAtMs, 13_000)
  t.false(round.begin('a', 4_000))
  t.true(round.begin('a', 2_000))
})
