// Counters add up over the taps of an endpoint, and the time between two taps is a gap where the
// capture was wanted.
import test from 'ava'
import type { ActualEndpoint } from '../../../src/model/actualState.ts'
import {
  addGap,
  closeGap,
  cutGap,
  ended,
  endedWithInterface,
  insertGap,
  isInGap,
  noCounters,
  opened,
  withCounters,
  withoutMessage,
  writtenUntilMs,
} from '../../../src/tap/endpointCounters.ts'

const identity = { name: 'web-0', uid: 'u', interfaceName: 'cali1', vantage: 'HostVeth' } as const
const first = opened(undefined, identity, 1_000, undefined)

test('opened() begins an endpoint with zero counters and no gap', t => {
  const zero = { packets: 0, bytes: 0, received: 0, dropped: 0, refused: 0, truncated: 0 }
  t.deepEqual(first, { ...identity, ...zero, startedAtMs: 1_000, gaps: [] })
})

test('writtenUntilMs() leaves out the time of packets that may still wait in the ring or for the disk', t => {
  const last = (lastPacketMs: number) => ({ ...noCounters, lastPacketMs })
  t.is(writtenUntilMs(last(99_944), 0, 100_000), 99_944) // 56 ms of packets are in the ring
  t.is(writtenUntilMs(last(90_000), 0, 100_000), 99_000) // none came for long
  t.is(writtenUntilMs(last(90_000), 4_000, 100_000), 95_000)
  t.is(writtenUntilMs(noCounters, 0, 100_000), 99_000)
  t.is(writtenUntilMs(last(100_300), 0, 100_000), 100_000) // the clock was set back
})

test('withCounters() adds what the driver counts to what was counted before', t => {
  const more = {
    ...noCounters,
    received: 5,
    packets: 3,
    bytes: 300,
    refused: 1,
    dropped: 1,
    truncated: 2,
  }
  const twice = withCounters(withCounters(first, more), more)
  t.deepEqual(
    [twice.received, twice.packets, twice.bytes, twice.refused, twice.dropped, twice.truncated],
    [10, 6, 600, 2, 2, 4],
  )
})

test('opened() after a close that the capture did not want is a gap, with the reason', t => {
  const again = opened(
    ended(first, 2_000),
    { ...identity, interfaceName: 'cali2' },
    5_000,
    'replaced',
  )
  t.deepEqual(again.gaps, [
    { fromMs: 2_000, toMs: 5_000, reason: 'the pod or its interface was replaced' },
  ])
  t.deepEqual(
    [again.interfaceName, again.startedAtMs, again.endedAtMs],
    ['cali2', 1_000, undefined],
  )
})

test('opened() after the window ended is no gap', t => {
  t.deepEqual(opened(ended(first, 2_000), identity, 5_000, 'window').gaps, [])
})

test('opened() after the pod ended is a gap: a pod of its name was made again', t => {
  const reason = 'no pod of that name ran on this node'
  const again = { ...identity, uid: 'other', interfaceName: 'cali2' }
  const gapsOf = (windowFromMs?: number) =>
    opened(ended(first, 2_000), again, 5_000, 'finished', windowFromMs).gaps
  t.deepEqual(gapsOf(), [{ fromMs: 2_000, toMs: 5_000, reason }])
  t.deepEqual(gapsOf(3_000), [{ fromMs: 3_000, toMs: 5_000, reason }]) // its window opened meanwhile
  t.deepEqual(gapsOf(5_000), [])
})

test('endedWithInterface() ends without a gap when the interface goes with its pod', t => {
  const down = { ...first, gaps: [{ fromMs: 2_000, reason: 'interface cali1 is down' }] }
  t.deepEqual(endedWithInterface(down, 2_100), { ...first, endedAtMs: 2_000 })
  t.deepEqual(endedWithInterface(first, 2_100), { ...first, endedAtMs: 2_100 })
  // It was down for long before.
  t.deepEqual(endedWithInterface(down, 60_000).gaps, [
    { fromMs: 2_000, toMs: 60_000, reason: 'interface cali1 is down' },
  ])
})

test('a gap never ends before it began, even if the clock was set back', t => {
  t.deepEqual(opened(ended(first, 2_000), identity, 500, 'changed').gaps.map(({ fromMs, toMs }) => [fromMs, toMs]), [[2_000, 2_000]]) // biome-ignore format: one line
  t.deepEqual(closeGap([{ fromMs: 9, reason: 'down' }], 5), [
    { fromMs: 9, toMs: 9, reason: 'down' },
  ])
})

test('addGap() closes the gap before and keeps the last hundred', t => {
  const gaps = Array.from({ length: 150 }, (_, at) => at).reduce(
    (all, at) => addGap(all, { fromMs: at, reason: 'down' }),
    first.gaps,
  )
  t.is(gaps.length, 100)
  t.deepEqual(
    [gaps[0], gaps.at(-1)],
    [
      { fromMs: 50, toMs: 51, reason: 'down' },
      { fromMs: 149, reason: 'down' },
    ],
  )
  t.true(isInGap({ ...first, gaps }))
  t.false(isInGap(ended({ ...first, gaps }, 200)))
})

test('addGap() goes on with a gap of the same reason that ended at that time', t => {
  const removed = { fromMs: 20, toMs: 30, reason: 'removed' }
  t.deepEqual(addGap([removed], { fromMs: 30, reason: 'removed' }), [{ fromMs: 20, reason: 'removed' }]) // biome-ignore format: one line
  for (const next of [
    { fromMs: 30, reason: 'down' },
    { fromMs: 31, reason: 'removed' },
  ])
    t.deepEqual(addGap([removed], next), [removed, next])
})

test('withoutMessage() leaves everything else', t => {
  const message: ActualEndpoint = { ...first, message: 'down' }
  t.deepEqual(withoutMessage(message), first)
})

test('cutGap() ends the last gap with a packet that was taken in it, and changes no other', t => {
  const [old, last] = [
    { fromMs: 1, toMs: 9, reason: 'down' },
    { fromMs: 20, toMs: 30, reason: 'gone' },
  ]
  t.deepEqual(cutGap([old, last], 25), [old, { ...last, toMs: 25 }])
  for (const atMs of [5, 19, 30, 31]) t.deepEqual(cutGap([old, last], atMs), [old, last])
  const open = { fromMs: 20, reason: 'gone' }
  t.deepEqual(cutGap([old, open], 25), [old, open])
  t.deepEqual(cutGap([], 25), [])
})

test('insertGap() adds one that is over before one that lasts', t => {
  const [old, open] = [
    { fromMs: 1, toMs: 9, reason: 'down' },
    { fromMs: 20, reason: 'gone' },
  ]
  const lost = { fromMs: 15, toMs: 21, reason: 'removed' }
  t.deepEqual(insertGap([old, open], lost), [old, lost, open])
  t.deepEqual(insertGap([old], lost), [old, lost])
})
