// The columns of `list` for captures of other APIs, and what `describe` says before the nodes.
import test from 'ava'
import {
  artifactLines,
  type OtherApiRow,
  otherApiHead,
  otherApiTable,
} from '../../../../src/kubectl/format/otherApis.ts'

const createdMs = Date.UTC(2026, 5, 1, 12)
const capture = (kind: string, status?: object, namespace = 'shop') =>
  ({
    kind,
    metadata: { name: 'web', namespace, creationTimestamp: new Date(createdMs).toISOString() },
    spec: { duration: '1m' },
    ...(status && { status }),
  }) as unknown as OtherApiRow

const conditions = [
  { type: 'complete', status: 'False', reason: 'JobsInProgress', message: '1 of 2' },
  { type: 'error', status: 'True', reason: 'RunJobFailed', message: 'one failed' },
]

test('otherApiTable() has the columns of a Retina Capture', t => {
  const rows = [
    capture('Capture', { conditions, active: 1, succeeded: 2, failed: 0 }),
    capture('Capture'),
  ]
  t.deepEqual(otherApiTable(rows, 'Capture', createdMs + 120_000), [
    ['NAME', 'COMPLETE', 'ERROR', 'ACTIVE', 'SUCCEEDED', 'FAILED', 'AGE'],
    ['web', 'False', 'RunJobFailed', '1', '2', '0', '2m'],
    ['web', '', '', '', '', '', '2m'],
  ])
})

test('otherApiTable() has the columns of a PacketCaptureConfig, each in one line', t => {
  const rows = [capture('PacketCaptureConfig', { phase: 'Failed', message: 'one\n two' }, '')]
  t.deepEqual(otherApiTable(rows, 'PacketCaptureConfig', createdMs + 60_000), [
    ['NAME', 'PHASE', 'MESSAGE', 'AGE'],
    ['web', 'Failed', 'one two', '60s'],
  ])
})

test('otherApiHead() has the spec, the conditions in words, and no files', t => {
  const text = otherApiHead(capture('Capture', { active: 1, conditions, files: [{ node: 'a' }] }))
  t.regex(
    text,
    /^Name: web\nNamespace: shop\nKind: Capture\nCreated: 2026-06-01T12:00:00.000Z\nSpec:\n {2}duration: 1m\n/,
  )
  t.regex(
    text,
    /Status:\n {2}active: 1\nConditions:\n {2}- complete: "False, JobsInProgress: 1 of 2"\n {2}- error: "True, RunJobFailed: one failed"\n$/,
  )
  t.notRegex(
    otherApiHead(capture('PacketCaptureConfig', undefined, '')),
    /Namespace|Status|Conditions/,
  )
})

test('artifactLines() are the paths of the files, then why some are missing', t => {
  const lines = (artifact?: object) => artifactLines({ artifact } as never)
  t.deepEqual(lines({ files: [{ path: '/a.pcap' }], error: 'disk full' }), ['/a.pcap', 'disk full'])
  t.deepEqual(lines(), [])
})
