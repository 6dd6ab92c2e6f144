// The three budgets one after another: what each of them refuses, and what stays open.
import test from 'ava'
import { type AdmissionInput, admitTaps } from '../../../../src/core/plan/admit.ts'
import { defaultSettings } from '../../../../src/model/settings.ts'
import { desiredTap, openTap, tapSpec, tapsOf } from '../../../support/model/taps.ts'

const settings = {
  ...defaultSettings,
  captureDiskBytesMax: 1_000_000,
  captureDiskFreePercentMin: 15,
} // 50,000 for each tap
const rotation = { fileBytesMax: 10_000_000, fileAgeMsMax: 3_600_000, filesMax: 2 }
const user = {
  key: 'default/web',
  generation: 1,
  taps: 3,
  openTaps: 0,
  rows: 0,
  fileBytes: 0,
  rotation,
}

function admitted(
  change: Partial<AdmissionInput> = {},
  usedBytes = 0,
): { specs: string[]; refused: string[] } {
  const { specs, refused } = admitTaps({
    desiredTaps: ['a', 'b', 'c'].map(pod => desiredTap('web', pod)),
    taps: new Map(),
    settings,
    disk: { users: [user], disk: { usedBytes, freePercent: 80 }, settings },
    ...change,
  })
  return {
    specs: [...specs.keys()],
    refused: [...refused].map(([id, { reason }]) => `${id} ${reason}`),
  }
}

test('admitTaps() admits every tap when each budget has room', t => {
  t.deepEqual(admitted(), {
    specs: ['default/web/a', 'default/web/b', 'default/web/c'],
    refused: [],
  })
})

test('admitTaps() refuses the last taps when captureEndpointsMax is less than what is desired', t => {
  t.deepEqual(admitted({ settings: { ...settings, captureEndpointsMax: 2 } }), {
    specs: ['default/web/a', 'default/web/b'],
    refused: ['default/web/c EndpointsMax'],
  })
})

test('admitTaps() refuses new taps when the disk has no room for what they may write', t => {
  t.deepEqual(admitted({}, 900_000), {
    specs: ['default/web/a', 'default/web/b'],
    refused: ['default/web/c DiskBudget'],
  })
})

test('admitTaps() refuses no open tap for want of disk', t => {
  const taps = tapsOf(...['a', 'b', 'c'].map(pod => openTap(tapSpec('web', pod))))
  t.deepEqual(admitted({ taps }, 999_999).refused, [])
})

test('admitTaps() refuses the last taps when the rings have no room', t => {
  t.deepEqual(admitted({ settings: { ...settings, captureRingBytesMax: 1_048_576 } }), {
    specs: ['default/web/a', 'default/web/b'],
    refused: ['default/web/c RingBudget'],
  })
})

test('admitTaps() admits a tap that writes little when the ones before it had no room', t => {
  const little = {
    ...user,
    key: 'default/little',
    taps: 1,
    rotation: { ...rotation, fileBytesMax: 1_000 },
  }
  const disk = { users: [user, little], disk: { usedBytes: 970_000, freePercent: 80 }, settings }
  t.deepEqual(
    admitted({ desiredTaps: [desiredTap('web', 'a'), desiredTap('little', 'a')], disk }),
    {
      specs: ['default/little/a'],
      refused: ['default/web/a DiskBudget'],
    },
  )
})
