// Which fields of a capture reach its taps.
import test from 'ava'
import { desiredTapFor } from '../../../../src/core/plan/desiredTap.ts'
import type { PacketCaptureSpec } from '../../../../src/model/packetCaptureSpec.ts'
import { endpointOf } from '../../../support/model/taps.ts'
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
