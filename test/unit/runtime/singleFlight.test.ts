import test from 'ava'
import { singleFlight } from '../../../src/runtime/singleFlight.ts'

test('singleFlight() makes one more turn when it is asked during a turn, however often', async t => {
  const gates: (() => void)[] = []
  let turns = 0
  const requestTurn = singleFlight(
    () =>
      new Promise(resolve => {
        turns++
        gates.push(resolve)
      }),
  )
  const done = Promise.all([requestTurn(), requestTurn(), requestTurn()])
  gates.shift()?.()
  while (gates.length === 0) await Promise.resolve()
  t.is(turns, 2)
  gates.shift()?.()
  await done
  t.is(turns, 2)
})

test('singleFlight() takes requests again after a turn that threw', async t => {
  let turns = 0
  const requestTurn = singleFlight(async () => {
    turns++
    if (turns === 1) throw new RangeError('broken turn')
  })
  await t.throwsAsync(requestTurn(), { instanceOf: RangeError, message: 'broken turn' })
  await requestTurn()
  t.is(turns, 2)
})

test('singleFlight() never runs two turns at once', async t => {
  let running = 0
  let turns = 0
  const requestTurn = singleFlight(async () => {
    t.is(++running, 1)
    await Promise.resolve()
    running--
    turns++
  })
  for (let asked = 0; asked < 50; asked++) {
    void requestTurn()
    if (asked % 7 === 0) await Promise.resolve()
  }
  await requestTurn()
  t.true(turns >= 2)
})
