// Which difference between an open tap and the desired one makes it open again, and which one an
// open tap can take.
import test from 'ava'
import { isAdjusted, reasonToReopen } from '../../../../src/core/plan/tapDiff.ts'
import type { CloseReason } from '../../../../src/model/codes.ts'
import type { TapSpec } from '../../../../src/model/tap.ts'
import { tapSpec } from '../../../support/model/taps.ts'

const open = tapSpec('web', 'p')
const { capture, endpoint, rotation } = open
const elsewhere = { ...endpoint, addresses: ['10.0.0.9'] }

type Row = readonly [
  what: string,
  desired: Partial<TapSpec>,
  reason: CloseReason | undefined,
  isAdjusted: boolean,
]

const rows: readonly Row[] = [
  ['nothing differs', {}, undefined, false],
  ['another resource has the name', { capture: { ...capture, uid: 'other' } }, 'deleted', false],
  ['another pod has the name', { endpoint: { ...endpoint, uid: 'other' } }, 'replaced', false],
  ['the interface has another name', { interfaceName: 'caliother' }, 'replaced', false],
  ['the filter differs', { filter: 'udp' }, 'changed', false],
  ['the filter may have a longer program', { filterInstructionsMax: 16_384 }, 'changed', false],
  ['snapLength differs', { snapLength: 96 }, 'changed', false],
  ['payload differs', { payload: 'Headers' }, 'changed', false],
  ['the format differs', { format: open.format === 'pcap' ? 'pcapng' : 'pcap' }, 'changed', false],
  ['the vantage differs', { vantage: 'PodNetns' }, 'changed', false],
  ['the ring is smaller', { ringBytes: 524_288 }, 'resized', false],
  [
    'files may be larger',
    { rotation: { ...rotation, fileBytesMax: rotation.fileBytesMax + 1 } },
    undefined,
    true,
  ],
  [
    'files may be older',
    { rotation: { ...rotation, fileAgeMsMax: rotation.fileAgeMsMax + 1 } },
    undefined,
    true,
  ],
  [
    'more rotated files are kept',
    { rotation: { ...rotation, filesMax: rotation.filesMax + 1 } },
    undefined,
    true,
  ],
  ['there is a packets limit', { limits: { packets: 5 } }, undefined, true],
  ['there is a bytes limit', { limits: { bytes: 5 } }, undefined, true],
  ['there is a duration limit', { limits: { durationMs: 5 } }, undefined, true],
  ['the window has an end', { window: { untilMs: 9_000 } }, undefined, true],
  [
    'the address differs and the interface is known by name',
    { endpoint: elsewhere },
    undefined,
    true,
  ],
]
for (const [what, change, reason, isAdjustable] of rows) {
  test(`reasonToReopen() is ${reason ?? 'undefined'} and isAdjusted() ${isAdjustable} when ${what}`, t => {
    const desired = { ...open, ...change }
    t.is(reasonToReopen(open, desired), reason)
    t.is(isAdjusted(open, desired), isAdjustable)
  })
}

test('reasonToReopen() is replaced when the address differs and the interface is found by it', t => {
  const found = { ...open, interfaceName: undefined }
  t.is(reasonToReopen(found, { ...found, endpoint: elsewhere }), 'replaced')
})

test('reasonToReopen() is window when the desired window begins at the end of the open one, or later', t => {
  const [before, next] = [
    { ...open, window: { fromMs: 1_000, untilMs: 2_000 } },
    (fromMs: number) => ({ ...open, window: { fromMs } }),
  ]
  t.is(reasonToReopen(before, next(2_000)), 'window')
  t.is(reasonToReopen(before, next(1_999)), undefined)
})

test('reasonToReopen() prefers the capture, then the pod, then what is captured', t => {
  const all = {
    ...open,
    filter: 'udp',
    ringBytes: 1,
    endpoint: { ...endpoint, uid: 'other' },
    capture: { ...capture, uid: 'other' },
  }
  t.is(reasonToReopen(open, all), 'deleted')
  t.is(reasonToReopen(open, { ...all, capture }), 'replaced')
  t.is(reasonToReopen(open, { ...all, capture, endpoint }), 'changed')
})
