// The disk budget and the free-space floor: who is halted, when that ends, who may not begin.
import test from 'ava'
import { changeHalts, type DiskUser, refuseNew } from '../../../../src/core/plan/diskBudget.ts'
import type { Halt } from '../../../../src/model/actualState.ts'
import { defaultSettings } from '../../../../src/model/settings.ts'

const settings = {
  ...defaultSettings,
  captureDiskBytesMax: 1_000_000,
  captureDiskFreePercentMin: 15,
} // reserve: 50,000 for each tap
const rotation = { fileBytesMax: 10_000_000, fileAgeMsMax: 3_600_000, filesMax: 2 }
const nowMs = 5_000

function user(key: string, change: Partial<DiskUser> = {}): DiskUser {
  return { key, generation: 1, taps: 1, openTaps: 1, rows: 1, fileBytes: 0, rotation, ...change }
}

function halt(reason: Halt['reason']): Halt {
  return { generation: 1, reason, message: 'stopped', atMs: 1 }
}

const users = [user('old'), user('mid'), user('new')]
const halted = (reason: Halt['reason']) => [
  user('old', { openTaps: 0, halt: halt(reason) }),
  user('mid'),
  user('new'),
]

type Row = readonly [
  name: string,
  users: readonly DiskUser[],
  usedBytes: number,
  freePercent: number,
  halts: readonly string[],
]

const rows: readonly Row[] = [
  ['there is room for what all may write', users, 850_000, 80, []],
  ['there is room for two', users, 850_001, 80, ['old DiskBudget']],
  ['there is room for one', users, 900_001, 80, ['old DiskBudget', 'mid DiskBudget']],
  [
    'there is room for none',
    users,
    950_001,
    80,
    ['old DiskBudget', 'mid DiskBudget', 'new DiskBudget'],
  ],
  [
    'the oldest has no open tap',
    [user('old', { openTaps: 0 }), user('mid'), user('new')],
    925_000,
    80,
    ['mid DiskBudget'],
  ],
  ['it was enough to halt one', halted('DiskBudget'), 900_000, 80, []],
  [
    'retention keeps all within the budget',
    [user('old', { rotation: { ...rotation, fileBytesMax: 330_000 }, fileBytes: 989_999 })],
    989_999,
    80,
    [],
  ],
  [
    'files of pods that are gone leave no doubt about the growth',
    [
      user('old', {
        rows: 9,
        rotation: { ...rotation, fileBytesMax: 100_000 },
        fileBytes: 980_000,
      }),
    ],
    980_000,
    80,
    ['old DiskBudget'],
  ],
  ['free space is at the floor', users, 0, 15, []],
  ['free space is just below the floor', users, 0, 14.9, ['old DiskFloor']],
  [
    'free space is a point and more below the floor',
    users,
    0,
    13.9,
    ['old DiskFloor', 'mid DiskFloor'],
  ],
  ['free space is below the floor and one was halted for it', halted('DiskFloor'), 0, 14.1, []],
  ['free space went on falling', halted('DiskFloor'), 0, 13.5, ['mid DiskFloor']],
  [
    'free space is below half of the floor',
    users,
    0,
    7.5,
    ['old DiskFloor', 'mid DiskFloor', 'new DiskFloor'],
  ],
  ['a deletion made room', halted('DiskBudget'), 700_000, 80, ['old lifted']],
  ['there is room, but not clearly', halted('DiskBudget'), 800_000, 80, []],
  ['free space is back, clearly', halted('DiskFloor'), 0, 20, ['old lifted']],
  ['free space is back, but not clearly', halted('DiskFloor'), 0, 19.9, []],
]

for (const [name, given, usedBytes, freePercent, expected] of rows) {
  test(`changeHalts() halts ${expected.length === 0 ? 'nothing' : expected.join(', ')} when ${name}`, t => {
    const halts = changeHalts({ users: given, disk: { usedBytes, freePercent }, settings, nowMs })
    t.deepEqual(
      [...halts].map(([key, now]) => `${key} ${now?.reason ?? 'lifted'}`),
      expected,
    )
  })
}

test('changeHalts() states the numbers', t => {
  t.deepEqual(
    changeHalts({ users, disk: { usedBytes: 875_000, freePercent: 80 }, settings, nowMs }).get(
      'old',
    ),
    {
      generation: 1,
      reason: 'DiskBudget',
      message:
        'Stopped by the node, the oldest capture first: capture files take 875000 bytes and captureDiskBytesMax is 1000000',
      atMs: nowMs,
    },
  )
  const floor = changeHalts({
    users,
    disk: { usedBytes: 0, freePercent: 14.87 },
    settings,
    nowMs,
  }).get('old')
  t.is(
    floor?.message,
    'Stopped by the node, the oldest capture first: 14.8 % of the disk is free and captureDiskFreePercentMin is 15',
  )
})

test('changeHalts() lifts as many halts as there is room for', t => {
  const two = [
    user('a', { openTaps: 0, halt: halt('DiskBudget') }),
    user('b', { openTaps: 0, halt: halt('DiskBudget') }),
  ]
  t.deepEqual(
    [
      ...changeHalts({
        users: two,
        disk: { usedBytes: 800_000, freePercent: 80 },
        settings,
        nowMs,
      }).keys(),
    ],
    ['a', 'b'],
  )
  t.deepEqual(
    [
      ...changeHalts({
        users: two,
        disk: { usedBytes: 840_000, freePercent: 80 },
        settings,
        nowMs,
      }).keys(),
    ],
    ['a'],
  )
})

test('refuseNew() admits new taps while what they may write fits beside what is open', t => {
  const input = { users: [user('old')], disk: { usedBytes: 850_000, freePercent: 80 }, settings }
  const fresh = (count: number) => new Map([['old', count]])
  t.is(refuseNew(input, fresh(2)), undefined)
  t.deepEqual(refuseNew(input, fresh(3)), {
    reason: 'DiskBudget',
    message: 'capture files take 850000 bytes and captureDiskBytesMax is 1000000',
  })
  t.is(
    refuseNew({ ...input, disk: { usedBytes: 0, freePercent: 14 } }, fresh(1))?.reason,
    'DiskFloor',
  )
})

test('refuseNew() lets a capture that retention keeps within the budget go on after a restart', t => {
  const kept = user('old', {
    openTaps: 0,
    rotation: { ...rotation, fileBytesMax: 330_000 },
    fileBytes: 989_999,
  })
  const disk = { usedBytes: 989_999, freePercent: 80 }
  t.is(refuseNew({ users: [kept], disk, settings }, new Map([['old', 1]])), undefined)
})
