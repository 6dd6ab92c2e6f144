import test from 'ava'
import { isDeletedCaptureNeeded } from '../../../../src/core/plan/deletedCapture.ts'
import type { ActualCapture } from '../../../../src/model/actualState.ts'
import type { OtherCapture } from '../../../../src/model/world.ts'

const capture = (
  outputConfiguration: object,
  kind: OtherCapture['kind'] = 'Capture',
): OtherCapture => ({
  apiVersion: 'retina.sh/v1alpha1',
  kind,
  metadata: {
    name: 'a',
    namespace: 'shop',
    uid: 'u',
    generation: 1,
    creationTimestamp: '2026-01-02T03:04:05Z',
  },
  spec: { outputConfiguration },
})
const held = (more: Partial<ActualCapture> = {}): ActualCapture => ({
  key: 'shop.retina.sh/a',
  uid: 'u',
  firstOpenedAtMs: 1,
  fileNames: [],
  fileBytes: 0,
  endpoints: new Map(),
  ...more,
})
const made = { atMs: 2, files: [{ path: '/a.tar.gz', bytes: 1 }] }
const onNode = { hostPath: 'a' }
const sent = { s3Upload: { bucket: 'b' } }

const rows: readonly (readonly [
  when: string,
  capture: OtherCapture,
  actual: ActualCapture | undefined,
  isNeeded: boolean,
])[] = [
  ['nothing was captured', capture(onNode), undefined, false],
  ['no tap was ever open', capture(onNode), held({ firstOpenedAtMs: undefined as never }), false],
  ['the files are those of a namesake', capture(onNode), held({ uid: 'other' }), false],
  ['the archive is not made', capture(onNode), held(), true],
  [
    'the archive is made again',
    capture(onNode),
    held({ artifact: { atMs: 2, files: [], error: 'no', attempts: 1 } }),
    true,
  ],
  ['the archive is where it was asked for', capture(onNode), held({ artifact: made }), false],
  ['the archive waits for its upload', capture(sent), held({ artifact: made }), true],
  ['the archive was sent', capture(sent), held({ artifact: { ...made, isRemoved: true } }), false],
  ['there is no archive to send', capture(sent), held({ artifact: { atMs: 2, files: [] } }), false],
  ['it is of another API', capture(onNode, 'PacketCaptureConfig'), held(), false],
]
for (const [when, document, actual, isNeeded] of rows)
  test(`isDeletedCaptureNeeded() is ${isNeeded} when ${when}`, t =>
    t.is(isDeletedCaptureNeeded(document, actual), isNeeded))
