// How often a status may be written, by how many nodes it speaks of.
import test from 'ava'
import { nextWriteAtMs } from '../../../src/controller/statusThrottle.ts'
import type { PacketCaptureStatus } from '../../../src/model/status.ts'
import { noonMs, statusOf } from '../../support/model/observations.ts'

const never = Number.POSITIVE_INFINITY
const times = { writtenAtMs: noonMs, nowMs: noonMs }

// [nodes, a change of state may follow after, counts may]
const paces = [
  [0, 0, 1_000],
  [1, 5, 1_000],
  [3, 15, 1_000],
  [100, 500, 2_000],
  [1_000, 5_000, 20_000],
  [5_000, 10_000, 60_000],
] as const
for (const [nodes, stateMs, countsMs] of paces) {
  test(`nextWriteAtMs() is ${stateMs} ms after the last write for a state and ${countsMs} ms for counts with ${nodes} nodes`, t => {
    const written = statusOf(nodes)
    t.is(nextWriteAtMs(written, { ...written, state: 'Finished' }, times), noonMs + stateMs)
    t.is(nextWriteAtMs(written, { ...written, packets: 1 }, times), noonMs + countsMs)
    t.is(nextWriteAtMs(written, statusOf(nodes), times), never)
  })
}

const before = statusOf(1)
const change = (file: object): PacketCaptureStatus => ({
  ...before,
  files: before.files.map(each => ({ ...each, ...file })),
})
const endpoints = before.files[0]?.endpoints ?? []
const changes: readonly (readonly [what: string, now: PacketCaptureStatus, wait: number])[] = [
  [
    'counts of an endpoint',
    change({ endpoints: endpoints.map(row => ({ ...row, packets: 9, bytes: 900, dropped: 1 })) }),
    1_000,
  ],
  ['names of files', change({ fileNames: ['a.pcap'] }), 1_000],
  [
    'a state of an endpoint',
    change({ endpoints: endpoints.map(row => ({ ...row, state: 'Finished' })) }),
    5,
  ],
  ['a message', change({ message: 'no interface' }), 5],
  ['a node that is gone', { ...before, files: [] }, 0],
]
for (const [what, now, waitMs] of changes)
  test(`nextWriteAtMs() waits ${waitMs} ms for ${what}`, t =>
    t.is(nextWriteAtMs(before, now, times), noonMs + waitMs))

test('nextWriteAtMs() writes a text that differs in its numbers only with the counts, and any other text as a state', t => {
  const withMessage = (count: string) =>
    change({ message: `${count} on the interfaces, none passed the filter "port 80"` })
  t.is(nextWriteAtMs(withMessage('2 packets'), withMessage('12 packets'), times), noonMs + 1_000)
  t.is(nextWriteAtMs(withMessage('2 packets'), withMessage('2 endpoints'), times), noonMs + 5)
})

test('nextWriteAtMs() is at once when nothing was written yet', t => {
  t.true(nextWriteAtMs(undefined, before, { writtenAtMs: 0, nowMs: noonMs }) <= noonMs)
})

test('nextWriteAtMs() does not mind in which order the server gives fields back', t => {
  const back = JSON.parse(JSON.stringify(before), (_, value) => {
    const isPlain = typeof value === 'object' && value !== null && !Array.isArray(value)
    return isPlain
      ? Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : value
  }) as PacketCaptureStatus
  t.notDeepEqual(JSON.stringify(back), JSON.stringify(before))
  t.is(nextWriteAtMs(back, before, times), never)
})

test('nextWriteAtMs() is now when the clock was set back behind the last write', t => {
  t.is(
    nextWriteAtMs(
      before,
      { ...before, packets: 1 },
      { writtenAtMs: noonMs + 3_600_000, nowMs: noonMs },
    ),
    noonMs,
  )
})
