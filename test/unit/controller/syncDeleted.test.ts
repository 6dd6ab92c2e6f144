import test from 'ava'
import { readCapture } from '../../../src/api/read.ts'
import type { NodeObservation } from '../../../src/api/reconcilerTypes.ts'
import type { CachedCapture } from '../../../src/controller/cachedCapture.ts'
import type { SyncDeps } from '../../../src/controller/syncCapture.ts'
import { syncDeleted } from '../../../src/controller/syncDeleted.ts'
import { WriteCache } from '../../../src/controller/writeCache.ts'
import { defaultSettings } from '../../../src/model/settings.ts'

const deletedAt = '2026-01-02T03:04:05Z'
const deletedAtMs = Date.parse(deletedAt)
const s3Upload = { bucket: 'b', secretName: 'keys', region: 'eu-central-1' }
const context = {
  node: '',
  settings: defaultSettings,
  nodeLabels: {},
  namespaceLabels: new Map<string, never>(),
}

const capture = (outputConfiguration: object): CachedCapture => ({
  apiVersion: 'retina.sh/v1alpha1',
  kind: 'Capture',
  metadata: {
    name: 'a',
    namespace: 'shop',
    uid: 'u',
    generation: 1,
    resourceVersion: '1',
    creationTimestamp: '2026-01-02T03:00:00Z',
    deletionTimestamp: deletedAt,
  },
  spec: {
    captureConfiguration: { captureTarget: { podSelector: {} }, captureOption: { duration: '1h' } },
    outputConfiguration,
  },
})

function observation(artifact?: NodeObservation['row']['artifact']): NodeObservation {
  const counts = { packets: 0, bytes: 0, dropped: 0 }
  const state = artifact ? 'Finished' : 'Capturing'
  const file = { node: 'n', directory: '/d', fileNames: [], state, ...counts, endpoints: [] }
  const names = { api: 'Capture', namespace: 'shop', name: 'a', uid: 'u' } as const
  const told = { observedGeneration: 1, isListed: true, isRejected: false, problems: [] }
  return { row: { ...names, ...told, file, ...(artifact && { artifact }) } } as NodeObservation
}

async function dueAfter(
  document: CachedCapture,
  rows: readonly NodeObservation[],
  afterMs: number,
): Promise<number | undefined> {
  const nowMs = deletedAtMs + afterMs
  const deps = {
    clock: { now: () => nowMs },
    specs: { read: async (read: CachedCapture) => readCapture(read, context) },
    uploads: undefined,
    writer: { term: { signal: new AbortController().signal } },
    writes: new WriteCache(),
  } as unknown as SyncDeps
  const snapshot = {
    observations: new Map([['u', rows]]),
    addresses: new Map([['n', '10.0.0.1']]),
    reports: [],
    nodes: [],
  }
  const wakeAtMs = await syncDeleted(deps, document, snapshot)
  return wakeAtMs && wakeAtMs - deletedAtMs
}

const packed = { files: [{ path: '/a.tar.gz', bytes: 1 }] }
const rows: readonly (readonly [
  when: string,
  output: object,
  observed: readonly NodeObservation[],
  afterMs: number,
  dueMs: number | undefined,
])[] = [
  ['it goes nowhere', { hostPath: 'a' }, [observation()], 0, undefined],
  ['it goes into a claim', { persistentVolumeClaim: 'c' }, [observation()], 0, undefined],
  ['a node captures still', { s3Upload }, [observation()], 20_000, 35_000],
  ['its archive is not sent', { s3Upload }, [observation(packed)], 20_000, 35_000],
  ['a node may not have reported yet', { s3Upload }, [], 1_000, 15_000],
  ['no node had it', { s3Upload }, [], 15_000, undefined],
]
for (const [when, output, observed, afterMs, dueMs] of rows)
  test(`syncDeleted() ${dueMs === undefined ? 'is done' : 'goes on'} when ${when}`, async t =>
    t.is(await dueAfter(capture(output), observed, afterMs), dueMs))

test('syncDeleted() is done when what was sent is removed from the node, and not before', async t => {
  const document = capture({ s3Upload })
  const uploads = [{ file: 'a.tar.gz', output: 's3Upload', uploaded: 's3://b/a', at: deletedAt }]
  const status = { files: [{ node: 'n', uploads }] }
  const sent = { ...document, status } as CachedCapture
  t.is(await dueAfter(sent, [observation(packed)], 20_000), 35_000)
  t.is(await dueAfter(sent, [observation({ ...packed, removed: true })], 20_000), undefined)
})
