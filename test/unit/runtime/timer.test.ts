// What a timer of Node can hold.
import test from 'ava'
import { timerMs, timerMsMax } from '../../../src/runtime/timer.ts'

test('timerMs() cuts what a timer cannot hold', t => {
  t.is(timerMs(Number.POSITIVE_INFINITY, 0), undefined)
  t.is(timerMs(1_500, 1_000), 500)
  t.is(timerMs(1_000.2, 1_000), 1)
  t.is(timerMs(500, 1_000), 0)
  t.is(timerMs(timerMsMax + 1, 0), timerMsMax)
  t.is(timerMs(Date.UTC(2999, 0), 0), 2_147_483_647)
})
