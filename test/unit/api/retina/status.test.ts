import test from 'ava'
import {
  type RetinaInput,
  type RetinaNode,
  retinaStatus,
} from '../../../../src/api/retina/status.ts'
import type { ArtifactStatus, CaptureStateName } from '../../../../src/model/status.ts'

const nowMs = Date.parse('2026-01-02T03:04:05Z')
const packed: ArtifactStatus = { files: [{ path: '/a.tar.gz', bytes: 1 }] }
const endedAt = '2026-01-02T03:04:04.000Z'

function node(
  name: string,
  state: CaptureStateName,
  artifact?: ArtifactStatus,
  message?: string,
): RetinaNode {
  const counts = { packets: 1, bytes: 1, dropped: 0 }
  const endpoint = {
    pod: 'web',
    uid: 'u',
    state,
    ...counts,
    gaps: [],
    startedAt: '2026-01-02T03:04:00.000Z',
    endedAt,
  }
  const file = {
    node: name,
    directory: '/d',
    fileNames: [],
    state,
    ...counts,
    endpoints: [endpoint],
    ...(message && { message }),
  }
  return { file, problems: [], isSilent: false, ...(artifact && { artifact }) }
}

const statusOf = (input: Partial<RetinaInput>) =>
  retinaStatus({
    createdAtMs: nowMs - 5_000,
    generation: 1,
    refusal: undefined,
    nodes: [],
    missing: undefined,
    notes: [],
    previous: undefined,
    nowMs,
    ...input,
  })

const said = (input: Partial<RetinaInput>) => {
  const { conditions, active, succeeded, failed } = statusOf(input)
  const lines = conditions.map(
    ({ type, status, reason, message }) => `${type}=${status} ${reason}: ${message}`,
  )
  return [lines, [active, succeeded, failed]] as const
}

const fargate = { node: 'far', kind: 'Fargate', pods: ['web-9'] } as const
const missed = 'far: no agent runs on a Fargate node, so nothing is captured of web-9'

const progress = (text: string): string =>
  `complete=False JobsInProgress: ${text} Capture jobs are in progress, waiting for completion`

const rows: readonly (readonly [
  what: string,
  input: Partial<RetinaInput>,
  lines: readonly string[],
  counts: readonly (number | undefined)[],
])[] = [
  ['new', {}, [], [undefined, undefined, undefined]],
  [
    'more than a limit lets through',
    { exceeded: { count: 3, limit: 2, leftOut: [] }, missing: 'failed to get pod x' },
    ['error=True ExceedJobNumLimit: the number of capture jobs 3 exceeds the limit 2'],
    [undefined, undefined, undefined],
  ],
  [
    'let through, but not on all nodes',
    { nodes: [node('a', 'Capturing')], exceeded: { count: 3, limit: 1, leftOut: ['b', 'c'] } },
    [
      'complete=False JobsInProgress: 1/1 Capture jobs are in progress, waiting for completion; the number of capture jobs 3 exceeds the limit 1: nothing is captured on b, c',
    ],
    [1, undefined, undefined],
  ],
  [
    'refused',
    { refusal: 'At least one output configuration should be set' },
    ['error=True OtherError: At least one output configuration should be set'],
    [undefined, undefined, undefined],
  ],
  [
    'of nobody',
    { missing: 'no targets are selected' },
    ['error=True OtherError: no targets are selected'],
    [undefined, undefined, undefined],
  ],
  [
    'of pods on a node without an agent only',
    { agentless: [fargate], missing: 'no targets are selected' },
    [`error=True NoAgent: Every pod that matches is on a node without an agent: ${missed}`],
    [undefined, undefined, undefined],
  ],
  [
    'of pods on a node without an agent, before other nodes could answer',
    { agentless: [fargate], isAwaited: true },
    [`error=True NoAgent: ${missed}`],
    [undefined, undefined, undefined],
  ],
  [
    'begun, with pods on a node without an agent',
    { agentless: [fargate], nodes: [node('a', 'Capturing')] },
    [progress('1/1'), `error=True NoAgent: ${missed}`],
    [1, undefined, undefined],
  ],
  [
    'complete, with pods on a node without an agent',
    { agentless: [fargate], nodes: [node('a', 'Finished', packed)] },
    [
      'complete=True JobsCompleted: All 1 Capture jobs are completed',
      `error=True NoAgent: ${missed}`,
    ],
    [undefined, 1, undefined],
  ],
  [
    'begun',
    { nodes: [node('a', 'Capturing'), node('b', 'WaitingForTraffic')] },
    [progress('2/2')],
    [2, undefined, undefined],
  ],
  [
    'packing',
    { nodes: [node('a', 'Finished', packed), node('b', 'Finished')] },
    [progress('1/2')],
    [1, 1, undefined],
  ],
  [
    'done',
    { nodes: [node('a', 'Finished', packed), node('b', 'Finished', packed)] },
    ['complete=True JobsCompleted: All 2 Capture jobs are completed'],
    [undefined, 2, undefined],
  ],
  [
    'failed on one of two nodes',
    {
      nodes: [
        node('a', 'Finished', packed),
        node('b', 'Finished', { files: [], error: 'the disk is full' }),
      ],
    },
    ['error=True RunJobFailed: 1 Capture jobs are in failed state; b: the disk is full'],
    [undefined, 1, 1],
  ],
  [
    'failed on one while another goes on',
    { nodes: [node('a', 'Capturing'), node('b', 'Error', undefined, 'Cannot open a tap')] },
    [
      `${progress('1/2')}; b: Cannot open a tap`,
      'error=True RunJobFailed: 1 Capture jobs are in failed state; b: Cannot open a tap',
    ],
    [1, undefined, 1],
  ],
  [
    'done, with something missing beside the packets',
    { nodes: [node('a', 'Finished', { ...packed, note: 'metadata is not whole' })] },
    ['complete=True JobsCompleted: All 1 Capture jobs are completed; a: metadata is not whole'],
    [undefined, 1, undefined],
  ],
  [
    'done, without one of the pods it names',
    { nodes: [node('a', 'Finished', packed)], missing: 'failed to get pod db in namespace shop' },
    ['error=True OtherError: failed to get pod db in namespace shop'],
    [undefined, 1, undefined],
  ],
  [
    'packed, without the Secret of its bucket',
    {
      nodes: [{ ...node('a', 'Finished', packed), uploadFailure: 'Cannot read Secret "keys"' }],
      outputs: ['s3Upload'],
      missingSecrets: ['keys'],
      namespace: 'shop',
    },
    [
      progress('1/1'),
      'error=True FindSecretFailed: secret of Capture is not found when blobupload is enabled, secretName: keys/shop; Cannot read Secret "keys"',
    ],
    [1, undefined, undefined],
  ],
  [
    'failed on one node, and not uploaded from another: one condition tells both',
    {
      nodes: [
        { ...node('a', 'Finished', packed), uploadFailure: 'refused' },
        node('b', 'Error', undefined, 'Cannot open a tap'),
      ],
      outputs: ['s3Upload'],
    },
    [
      `${progress('1/2')}; b: Cannot open a tap`,
      'error=True RunJobFailed: 1 Capture jobs are in failed state; b: Cannot open a tap; refused',
    ],
    [1, undefined, 1],
  ],
  [
    'noted upon',
    {
      nodes: [node('a', 'Capturing')],
      notes: ['tcpdumpFilter is deprecated, use captureOption.pcapFilter'],
    },
    [`${progress('1/1')}; tcpdumpFilter is deprecated, use captureOption.pcapFilter`],
    [1, undefined, undefined],
  ],
]
for (const [what, input, lines, counts] of rows) {
  test(`retinaStatus() says of a capture that is ${what}: ${lines.join(' | ') || 'nothing'}`, t =>
    t.deepEqual(said(input), [lines, counts]))
}

test('a node that is over without ever having captured has failed: nobody waits for its archive', t => {
  const { file, ...rest } = node('a', 'Finished', undefined, 'Cannot open a tap')
  const {
    startedAt: _,
    endedAt: __,
    ...never
  } = file.endpoints[0] as (typeof file.endpoints)[number]
  t.deepEqual(said({ nodes: [{ ...rest, file: { ...file, endpoints: [never] } }] })[1], [
    undefined,
    undefined,
    1,
  ])
})

test('times stand as they were: the start, the first completion, and since when a condition holds', t => {
  const first = statusOf({ nodes: [node('a', 'Finished', packed)] })
  t.is(first.startTime, '2026-01-02T03:04:00.000Z')
  t.is(first.completionTime, endedAt)
  const again = statusOf({
    nodes: [node('a', 'Finished', packed)],
    previous: first,
    nowMs: nowMs + 60_000,
    createdAtMs: nowMs,
  })
  t.deepEqual(again, first)
  const resumed = statusOf({
    nodes: [node('a', 'Capturing')],
    previous: first,
    nowMs: nowMs + 60_000,
  })
  t.is(resumed.completionTime, endedAt)
  t.is(resumed.conditions[0]?.lastTransitionTime, '2026-01-02T03:05:05.000Z')
})

test('a failure is no completion, and an error that is over stands no longer', t => {
  const failed = statusOf({ nodes: [node('a', 'Error')] })
  t.is(failed.completionTime, undefined)
  const recovered = statusOf({ nodes: [node('a', 'Finished', packed)], previous: failed })
  t.deepEqual(
    recovered.conditions.map(({ type }) => type),
    ['complete'],
  )
})

test('a status of very many nodes stays within what an API server takes, with its counts', t => {
  const many = Array.from({ length: 5_000 }, (_, index) => node(`node-${index}`, 'Capturing'))
  const { active, files, ...status } = statusOf({ nodes: many })
  t.is(active, 5_000)
  t.true(files.length > 1_000)
  t.true(JSON.stringify({ ...status, files }).length < 1_000_000)
})
