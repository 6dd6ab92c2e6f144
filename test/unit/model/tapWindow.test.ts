import test from 'ava'
import { cutByLimit, isWithin, sameWindow } from '../../../src/model/tapWindow.ts'

test('isWithin() includes the beginning of a window and not its end', t => {
  const window = { fromMs: 10, untilMs: 20 }
  t.deepEqual(
    [9, 10, 19, 20].map(atMs => isWithin(window, atMs)),
    [false, true, true, false],
  )
  t.true(isWithin({}, 0) && isWithin({ fromMs: 10 }, 1_000_000) && isWithin({ untilMs: 20 }, -1))
})

test('cutByLimit() ends a window at the earlier of its end and the duration limit, once its start is known', t => {
  t.deepEqual(cutByLimit({ fromMs: 10, untilMs: 100 }, 30, 20), { fromMs: 10, untilMs: 50 })
  t.deepEqual(cutByLimit({ untilMs: 40 }, 30, 20), { untilMs: 40 })
  t.deepEqual(cutByLimit({}, 30, 20), { untilMs: 50 })
  t.deepEqual(cutByLimit({ untilMs: 40 }, undefined, 20), { untilMs: 40 })
  t.deepEqual(cutByLimit({ untilMs: 40 }, 30, undefined), { untilMs: 40 })
})

test('sameWindow() compares both ends', t => {
  t.true(sameWindow({ fromMs: 1 }, { fromMs: 1 }))
  t.false(sameWindow({ fromMs: 1 }, { fromMs: 1, untilMs: 2 }))
})
