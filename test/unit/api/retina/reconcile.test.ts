import test from 'ava'
import type { NodeObservation, QuotaState } from '../../../../src/api/reconcilerTypes.ts'
import { reconcileRetinaCapture } from '../../../../src/api/retina/reconcile.ts'
import { parseRetinaCapture } from '../../../../src/api/retina/spec.ts'
import { defaultSettings } from '../../../../src/model/settings.ts'
import type { ObjectMeta, OtherCapture } from '../../../../src/model/world.ts'

const createdAt = '2026-01-02T03:04:05Z'
const createdAtMs = Date.parse(createdAt)
const finalizer = 'kappio.io/capture-cleanup'

function capture(
  captureTarget: object = { podSelector: {} },
  more: Partial<ObjectMeta> = {},
): OtherCapture & { metadata: { resourceVersion: string } } {
  const metadata = {
    name: 'a',
    namespace: 'shop',
    uid: 'u',
    generation: 1,
    creationTimestamp: createdAt,
    resourceVersion: '1',
    ...more,
  }
  const captureConfiguration = { captureTarget, captureOption: { duration: '10s' } }
  return {
    apiVersion: 'retina.sh/v1alpha1',
    kind: 'Capture',
    metadata,
    spec: { captureConfiguration, outputConfiguration: { hostPath: 'a' } },
  }
}

type RowOptions = {
  readonly pod?: string
  readonly generation?: number
  readonly isPacked?: boolean
  readonly silentSinceMs?: number
}

function row({
  pod = 'web',
  generation = 1,
  isPacked = false,
  silentSinceMs,
}: RowOptions = {}): NodeObservation {
  const counts = { packets: 0, bytes: 0, dropped: 0 }
  const state = isPacked ? 'Finished' : 'Capturing'
  const endpoint = { pod, uid: pod, state, ...counts, gaps: [], startedAt: createdAt } as const
  const file = {
    node: 'n',
    directory: '/d',
    fileNames: [],
    state,
    ...counts,
    endpoints: [endpoint],
  } as const
  const artifact = isPacked && { artifact: { files: [{ path: '/x', bytes: 1 }] } }
  const names = { api: 'Capture', namespace: 'shop', name: 'a', uid: 'u' } as const
  return {
    row: {
      ...names,
      observedGeneration: generation,
      isListed: true,
      isRejected: false,
      problems: [],
      file,
      ...artifact,
    },
    ...(silentSinceMs !== undefined && { silentSinceMs }),
  }
}

function judged(
  document: ReturnType<typeof capture>,
  rows: readonly NodeObservation[],
  afterMs = 60_000,
  nodes = 2,
  quota?: QuotaState,
) {
  const read = parseRetinaCapture(document, {
    settings: defaultSettings,
    nodeLabels: {},
    namespaceLabels: new Map(),
  })
  const addresses = new Map(
    Array.from({ length: nodes }, (_, index) => [`node-${index}`, `10.0.0.${index}`]),
  )
  return reconcileRetinaCapture({
    capture: document,
    read,
    rows,
    addresses,
    previous: undefined,
    quota,
    nowMs: createdAtMs + afterMs,
  })
}

const messages = (verdict: ReturnType<typeof judged>) =>
  (verdict.status as { conditions: { message: string }[] }).conditions.map(({ message }) => message)

test('reconcileRetinaCapture() waits a while for nodes to answer before it says that nobody was selected', t => {
  const soon = judged(capture(), [], 1_000)
  t.deepEqual(messages(soon), [])
  t.is(soon.wakeAtMs, createdAtMs + 10_000)
  t.deepEqual(messages(judged(capture(), [])), [
    'no targets are selected by node selector, pod selector, or pod names',
  ])
  t.deepEqual(messages(judged(capture(), [], 60_000, 0)), []) // no node reports: nobody could know
})

test('reconcileRetinaCapture() does not call a young capture complete before every node had time to begin', t => {
  const packed = row({ isPacked: true })
  const progress = '0/1 Capture jobs are in progress, waiting for completion'
  const young = judged(capture(), [packed], 9_999)
  t.deepEqual(messages(young), [progress])
  t.is((young.status as { completionTime?: string }).completionTime, undefined)
  t.is(young.wakeAtMs, createdAtMs + 10_000)
  t.deepEqual(messages(judged(capture(), [packed], 10_000)), ['All 1 Capture jobs are completed'])
  t.deepEqual(messages(judged(capture(), [packed], 1_000, 1)), ['All 1 Capture jobs are completed']) // nobody is left to answer
})

test('reconcileRetinaCapture() names the first pod that no node has', t => {
  const document = capture({ podNames: ['web', 'db'] })
  t.deepEqual(messages(judged(document, [])), [
    'failed to get pod web in namespace shop: no node has a running pod of that name',
  ])
  t.true(
    messages(judged(document, [row()])).includes(
      'failed to get pod db in namespace shop: no node has a running pod of that name',
    ),
  )
  t.deepEqual(messages(judged(document, [row(), row({ pod: 'db' })])), [
    '2/2 Capture jobs are in progress, waiting for completion',
  ])
})

test('reconcileRetinaCapture() holds no capture, and takes away the finalizer of earlier versions alone', t => {
  t.is(judged(capture(), []).finalizers, undefined)
  t.is(judged(capture({}, { finalizers: ['other/one'] }), []).finalizers, undefined)
  for (const more of [{}, deleted])
    t.deepEqual(
      judged(capture({ podSelector: {} }, { ...more, finalizers: ['other/one', finalizer] }), [])
        .finalizers,
      ['other/one'],
    )
})

const deleted = { generation: 2, deletionTimestamp: '2026-01-02T03:05:05Z' }
const deletedRows: readonly (readonly [
  what: string,
  rows: readonly NodeObservation[],
  isFlushed: boolean,
])[] = [
  ['nobody captured', [], true],
  ['a node packs', [row({ generation: 2 }), row({ generation: 2, isPacked: true })], false],
  ['all have packed', [row({ generation: 2, isPacked: true })], true],
  [
    'the one that packs is silent',
    [row({ silentSinceMs: createdAtMs }), row({ generation: 2, isPacked: true })],
    true,
  ],
]
for (const [what, rows, isFlushed] of deletedRows) {
  test(`reconcileRetinaCapture() says that ${isFlushed ? 'nothing' : 'something'} is left to do when ${what}`, t => {
    t.is(judged(capture({ podSelector: {} }, deleted), rows, 61_000).isFlushed, isFlushed)
  })
}

/** A row of a node that was not let through. */
function waits(): NodeObservation {
  const { row: all } = row()
  const endpoints = all.file.endpoints.map(({ startedAt: _, ...each }) => ({
    ...each,
    state: 'Scheduled' as const,
  }))
  return { row: { ...all, file: { ...all.file, state: 'Scheduled', endpoints } } }
}

test('reconcileRetinaCapture() says that a limit is exceeded, counts nobody who waits, and has nothing left to do for that', t => {
  const quota = { through: new Set<string>(), exceeded: { count: 2, limit: 1, leftOut: [] } }
  const verdict = judged(capture(), [waits()], 60_000, 2, quota)
  t.deepEqual(messages(verdict), ['the number of capture jobs 2 exceeds the limit 1'])
  t.like(verdict.status, { files: [], active: undefined })
  t.true(verdict.isFlushed)
  t.deepEqual(verdict.events, [
    {
      reason: 'ExceedJobNumLimit',
      type: 'Warning',
      message: 'the number of capture jobs 2 exceeds the limit 1',
    },
  ])
})

test('reconcileRetinaCapture() says nothing of nodes that wait to be counted, and why they could not be', t => {
  const through = new Set<string>()
  t.deepEqual(messages(judged(capture(), [waits()], 60_000, 2, { through })), [])
  t.deepEqual(
    messages(judged(capture(), [waits()], 60_000, 2, { through, failure: 'Cannot count' })),
    ['Cannot count'],
  )
  t.deepEqual(messages(judged(capture(), [], 60_000, 2, { through })), [
    'no targets are selected by node selector, pod selector, or pod names',
  ])
})

test('reconcileRetinaCapture() packs and tells of what had begun before it was no longer let through', t => {
  const quota = { through: new Set<string>(), exceeded: { count: 2, limit: 1, leftOut: [] } }
  t.like(judged(capture(), [row()], 60_000, 2, quota).status, { active: 1 })
  t.false(
    judged(capture({ podSelector: {} }, deleted), [row({ generation: 2 })], 61_000, 2, quota)
      .isFlushed,
  )
})

test('reconcileRetinaCapture() tells each condition once', t => {
  const document = capture()
  const read = parseRetinaCapture(document, {
    settings: defaultSettings,
    nodeLabels: {},
    namespaceLabels: new Map(),
  })
  const input = {
    capture: document,
    read,
    rows: [row({ isPacked: true })],
    addresses: new Map([['node-1', '10.0.0.1']]),
    nowMs: createdAtMs,
  }
  const first = reconcileRetinaCapture({ ...input, previous: undefined })
  t.deepEqual(first.events, [
    { reason: 'JobsCompleted', type: 'Normal', message: 'All 1 Capture jobs are completed' },
  ])
  t.deepEqual(reconcileRetinaCapture({ ...input, previous: first.status }).events, [])
})

const uploaded = { file: 'x', output: 's3Upload', uploaded: 'https://s3.test/x', at: createdAt }
const stored = (more: object = {}, node = 'n'): NodeObservation => {
  const { row: each } = row({ isPacked: true })
  return {
    row: {
      ...each,
      file: { ...each.file, node, uploads: [uploaded] },
      artifact: { files: [{ path: '/x', bytes: 1 }], ...more },
    },
  }
}
const s3Upload = { bucket: 'b', secretName: 's', region: 'us-east-1' }
const removals: readonly (readonly [
  what: string,
  rows: readonly NodeObservation[],
  spec: object,
  isRemoved: boolean,
])[] = [
  [
    'all is stored and nothing left on the nodes',
    [stored({ removed: true }), stored({ removed: true }, 'm')],
    {},
    true,
  ],
  ['a node has its archive still', [stored({ removed: true }), stored({}, 'm')], {}, false],
  [
    'a node has failed',
    [stored({ removed: true }), stored({ files: [], error: 'no' }, 'm')],
    {},
    false,
  ],
  ['nobody asked for it', [stored({ removed: true })], { cleanUpAfterUpload: false }, false],
  [
    'it goes nowhere',
    [stored({ removed: true })],
    { outputConfiguration: { hostPath: 'a' } },
    false,
  ],
]
for (const [what, rows, spec, isRemoved] of removals) {
  test(`reconcileRetinaCapture() ${isRemoved ? 'removes' : 'keeps'} a capture when ${what}`, t => {
    const asked = capture()
    const document = {
      ...asked,
      spec: { ...asked.spec, outputConfiguration: { s3Upload }, cleanUpAfterUpload: true, ...spec },
    }
    const read = parseRetinaCapture(document, {
      settings: defaultSettings,
      nodeLabels: {},
      namespaceLabels: new Map(),
    })
    const input = {
      capture: document,
      read,
      rows,
      addresses: new Map([['n', '10.0.0.1']]),
      nowMs: createdAtMs,
    }
    const first = reconcileRetinaCapture({ ...input, previous: undefined })
    t.is(first.expiresAtMs, Number.POSITIVE_INFINITY) // that it is complete is told first
    t.is(
      reconcileRetinaCapture({ ...input, previous: first.status }).expiresAtMs <= createdAtMs,
      isRemoved,
    )
  })
}
