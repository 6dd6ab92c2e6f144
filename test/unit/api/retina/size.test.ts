import test from 'ava'
import { parseRetinaCapture } from '../../../../src/api/retina/spec.ts'
import type { Intent } from '../../../../src/model/capture.ts'
import { defaultSettings } from '../../../../src/model/settings.ts'
import type { OtherCapture } from '../../../../src/model/world.ts'

const metadata = {
  name: 'a',
  namespace: 'shop',
  uid: 'u',
  generation: 2,
  creationTimestamp: '2026-01-02T03:04:05Z',
}

const option = (captureOption: object | undefined): OtherCapture => ({
  apiVersion: 'retina.sh/v1alpha1',
  kind: 'Capture',
  metadata,
  spec: {
    captureConfiguration: {
      captureTarget: { podSelector: {} },
      ...(captureOption && { captureOption }),
    },
    outputConfiguration: { hostPath: 'capture' },
  },
})

const read = (document: OtherCapture) =>
  parseRetinaCapture(document, {
    settings: defaultSettings,
    nodeLabels: {},
    namespaceLabels: new Map(),
  })

function accepted(document: OtherCapture): Intent {
  const intent = read(document)
  if (!intent.ok) throw new Error(intent.message)
  return intent
}

function refusal(document: OtherCapture): string {
  const intent = read(document)
  return intent.ok ? '' : intent.message
}

test('readSize() bounds what nothing bounds', t => {
  t.is(
    refusal(option({ maxCaptureSize: 0 })),
    'Neither duration nor maxCaptureSize is set to stop the capture',
  )
  t.is(refusal(option(undefined)), 'Neither duration nor maxCaptureSize is set to stop the capture')
  t.is(
    refusal(option({ duration: '1s', maxCaptureSize: 0, fileCount: 2 })),
    'fileCount requires maxCaptureSize to be set as per-file size limit',
  )
  t.deepEqual(accepted(option({ duration: '500ms', maxCaptureSize: 0 })).limits, {
    durationMs: 500,
  })
  t.deepEqual(accepted(option({ maxCaptureSize: 1 })).window, {})
  t.regex(
    refusal(option({ duration: '0s' })),
    /^captureOption\.duration: found "0s", expected a duration above zero/,
  )
  t.regex(refusal(option({ maxCaptureSize: -1 })), /^captureOption\.maxCaptureSize: found -1/)
  t.regex(
    refusal(option({ duration: '1s', packetSize: -1 })),
    /^captureOption\.packetSize: found -1/,
  )
})

test('readSize() keeps rotated files within the disk budget, and says so', t => {
  const { rotation, notes } = accepted(option({ maxCaptureSize: 5_000, fileCount: 10 }))
  t.deepEqual(rotation, {
    fileBytesMax: 1_073_741_824,
    fileAgeMsMax: 3_153_600_000_000,
    filesMax: 9,
  })
  t.regex(notes[0] ?? '', /^maxCaptureSize is 1073741824 bytes here/)
  t.is(accepted(option({ maxCaptureSize: 1, fileCount: 1 })).rotation.filesMax, 0) // the one file is written over
})
