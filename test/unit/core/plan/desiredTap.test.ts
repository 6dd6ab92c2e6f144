// Which taps a capture needs, and which of its fields reach them.
import test from 'ava'
import {
  type DesiredTapInput,
  desiredTapFor,
  desiredTapsOf,
  wantsTaps,
} from '../../../../src/core/plan/desiredTap.ts'
import type { PacketCaptureSpec } from '../../../../src/model/packetCaptureSpec.ts'
import { decisionOf, endpointOf } from '../../../support/model/taps.ts'
import { capture } from '../../../support/worlds/documents.ts'
import { readIntent } from '../../../support/worlds/reader.ts'

const spec: PacketCaptureSpec = {
  expression: 'tcp port 80',
  snapLength: 96,
  payload: 'Headers',
  format: 'pcap',
  vantage: 'PodNetns',
  rotation: { maxSizeBytes: 1_000_000, seconds: 60, maxFiles: 3 },
  limits: { packets: 10, bytes: 2_000, durationSeconds: 30 },
}

test('desiredTapFor() hands every field of the capture that a tap needs to its spec', t => {
  const window = { fromMs: 1_000, untilMs: 2_000 }
  const { spec: tap, isEarly } = desiredTapFor(readIntent(capture('web', spec)), endpointOf('p'), {
    window,
    isEarly: true,
  })
  t.true(isEarly)
  t.deepEqual(tap, {
    id: 'default/web/p',
    capture: { api: 'PacketCapture', namespace: 'default', name: 'web', uid: 'uid-web' },
    captureKey: 'default/web',
    endpoint: {
      namespace: 'default',
      name: 'p',
      uid: 'uid-p',
      addresses: ['10.0.0.1'],
      isInterfaceGiven: true,
    },
    interfaceName: 'calip',
    vantage: 'PodNetns',
    filter: tap.filter,
    snapLength: 96,
    payload: 'Headers',
    format: 'pcap',
    rotation: { fileBytesMax: 1_000_000, fileAgeMsMax: 60_000, filesMax: 3 },
    limits: { packets: 10, bytes: 2_000, durationMs: 30_000 },
    window,
  })
  t.regex(tap.filter, /tcp port 80/)
})

test('desiredTapFor() has the longest program and the tries of the capture, if it has them', t => {
  const intent = { ...readIntent(capture('web')), filterInstructionsMax: 16_384, triesMax: 3 }
  t.like(desiredTapFor(intent, endpointOf('p'), { window: {}, isEarly: false }).spec, {
    filterInstructionsMax: 16_384,
    triesMax: 3,
  })
})

function input(change: Partial<DesiredTapInput> = {}): DesiredTapInput {
  const { matches, phase } = decisionOf('web', ['a', 'b'])
  return {
    intent: readIntent(capture('web')),
    matches,
    phase,
    window: { untilMs: 9_000 },
    ...change,
  }
}

test('desiredTapsOf() is a tap for each matched endpoint, and none when the capture needs none', t => {
  t.deepEqual(
    desiredTapsOf([input()]).map(({ spec, isEarly }) => [spec.id, spec.window, isEarly]),
    [
      ['default/web/a', { untilMs: 9_000 }, false],
      ['default/web/b', { untilMs: 9_000 }, false],
    ],
  )
  t.deepEqual(desiredTapsOf([input({ window: undefined })]), [])
})

test('wantsTaps() is whether the capture has a window for taps', t => {
  t.deepEqual([wantsTaps(input()), wantsTaps(input({ window: undefined }))], [true, false])
})

test('desiredTapsOf() are early taps when the window is not open yet', t => {
  const phase = { kind: 'Scheduled', opensAtMs: 8_000, isPreparing: true } as const
  t.true(desiredTapsOf([input({ phase })]).every(({ isEarly }) => isEarly))
})
