import test from 'ava'
import { earlierCounts, isOfOtherState } from '../../../../src/core/status/earlier.ts'
import type { FileStatus, PacketCaptureStatus } from '../../../../src/model/status.ts'

const counted = (packets: number) => ({ packets, bytes: packets * 100, dropped: 0 })
const file = (node: string, stateId: string | undefined, packets: number): FileStatus => ({
  node,
  directory: '/d',
  fileNames: [],
  state: 'Capturing',
  endpoints: [],
  ...(stateId !== undefined && { stateId }),
  ...counted(packets),
})
const before = (
  files: readonly FileStatus[],
  earlier?: PacketCaptureStatus['earlier'],
): PacketCaptureStatus => ({
  observedGeneration: 1,
  state: 'Capturing',
  nodes: files.length,
  endpoints: 0,
  conditions: [],
  files,
  ...counted(0),
  ...(earlier && { earlier }),
})
const left = (node: string, stateId: string, packets: number) => ({
  node,
  stateId,
  ...counted(packets),
})

const rows: readonly (readonly [
  when: string,
  now: readonly FileStatus[],
  previous: PacketCaptureStatus | undefined,
  expected: ReturnType<typeof earlierCounts>,
])[] = [
  ['nothing was before', [file('a', 'x', 5)], undefined, []],
  ['the state file is the same', [file('a', 'x', 5)], before([file('a', 'x', 3)]), []],
  [
    'the node has another disk',
    [file('a', 'y', 5)],
    before([file('a', 'x', 3)]),
    [left('a', 'x', 3)],
  ],
  ['the node is gone', [], before([file('a', 'x', 3)]), [left('a', 'x', 3)]],
  ['the node comes back', [file('a', 'x', 3)], before([], [left('a', 'x', 3)]), []],
  [
    'the disk is replaced again',
    [file('a', 'z', 1)],
    before([file('a', 'y', 2)], [left('a', 'x', 3)]),
    [left('a', 'x', 3), left('a', 'y', 2)],
  ],
  [
    'the node came back and has no state file yet',
    [file('a', undefined, 0)],
    before([], [left('a', 'x', 3)]),
    [left('a', 'x', 3)],
  ],
  [
    'the node came back with an earlier version',
    [file('a', undefined, 4)],
    before([], [left('a', 'x', 3)]),
    [],
  ],
  ['an earlier version counted', [], before([file('a', undefined, 3)]), []],
  ['nothing was counted', [], before([file('a', 'x', 0)]), []],
]
for (const [when, now, previous, expected] of rows)
  test(`earlierCounts() has ${expected.length} when ${when}`, t =>
    t.deepEqual(earlierCounts(now, previous), expected))

test('earlierCounts() keeps a hundred, and the sum of the others', t => {
  const many = Array.from({ length: 150 }, (_, index) => left(`n${index}`, 'x', 1))
  const kept = earlierCounts([], before([], many))
  t.is(kept.length, 100)
  t.deepEqual(kept[0], left('', '', 51))
  t.is(
    kept.reduce((sum, { packets }) => sum + packets, 0),
    150,
  )
})

test('earlierCounts() counts one of a hundred that comes back once, and one of the sum twice', t => {
  const many = Array.from({ length: 101 }, (_, index) => left(`n${index}`, 'x', 1))
  const folded = earlierCounts([], before([], many))
  const total = (back: FileStatus) =>
    [back, ...earlierCounts([back], before([], folded))].reduce(
      (sum, each) => sum + each.packets,
      0,
    )
  t.is(total(file('n100', 'x', 1)), 101)
  t.is(total(file('n0', 'x', 1)), 102) // the description of status.earlier says so
})

test('isOfOtherState() knows only what both say', t => {
  t.true(isOfOtherState({ stateId: 'a' }, { stateId: 'b' }))
  t.false(isOfOtherState({ stateId: 'a' }, { stateId: 'a' }))
  t.false(isOfOtherState({ stateId: 'a' }, {}))
  t.false(isOfOtherState({}, { stateId: 'a' }))
})
