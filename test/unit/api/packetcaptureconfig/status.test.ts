// How a PacketCaptureConfig stands on all nodes, by table.
import test from 'ava'
import {
  type ConfigInput,
  type ConfigRow,
  deleted,
  type PacketCaptureConfigStatus,
  packetCaptureConfigStatus,
  stdoutMessage,
} from '../../../../src/api/packetcaptureconfig/status.ts'
import { readCapture } from '../../../../src/api/read.ts'
import { defaultSettings } from '../../../../src/model/settings.ts'
import type {
  ArtifactStatus,
  CaptureStateName,
  EndpointStatus,
} from '../../../../src/model/status.ts'

const createdAtMs = Date.parse('2026-11-21T10:00:00Z')
const laterMs = createdAtMs + 70_000
const lateMs = createdAtMs + 1_000_000
const ofHost = { targetIPs: ['10.0.0.1'] }
const ofPods = { podSelector: { pods: [{ podName: 'a', namespace: 'b' }] } }
const addresses = new Map([1, 2, 3].map(number => [`node-${number}`, `10.0.1.${number}`]))
const path = '/var/lib/packet-captures/a-20261121-100000.pcap'

function read(spec: object, generation = 1) {
  const metadata = {
    name: 'a',
    namespace: '',
    uid: 'u',
    generation,
    creationTimestamp: '2026-11-21T10:00:00Z',
  }
  const document = {
    apiVersion: 'networking.packet.io/v1',
    kind: 'PacketCaptureConfig',
    metadata,
    spec: spec as Record<string, unknown>,
  } as const
  return readCapture(document, {
    node: '',
    settings: defaultSettings,
    nodeLabels: {},
    namespaceLabels: new Map(),
  })
}

function row(
  number: number,
  state: CaptureStateName,
  more: Partial<ConfigRow> & { endpoint?: Partial<EndpointStatus>; message?: string } = {},
): ConfigRow {
  const { endpoint, message, ...rest } = more
  const began =
    state === 'Capturing' || state === 'Finished' ? { startedAt: '2026-11-21T10:00:01Z' } : {}
  const endpoints = [
    {
      pod: 'lo',
      uid: 'lo',
      state,
      packets: 0,
      bytes: 0,
      dropped: 0,
      gaps: [],
      ...began,
      ...endpoint,
    },
  ]
  return {
    file: { node: `node-${number}`, state, endpoints, ...(message && { message }) },
    isListed: true,
    isRejected: false,
    ...rest,
  }
}

const file: ArtifactStatus = { files: [{ path, bytes: 2_048 }], attempts: 1 }
const done = (number: number) => row(number, 'Finished', { artifact: file })

function stand(
  rows: readonly ConfigRow[],
  change: Partial<ConfigInput> = {},
): PacketCaptureConfigStatus {
  return packetCaptureConfigStatus({
    read: read(ofHost),
    rows,
    addresses,
    previous: undefined,
    nowMs: laterMs,
    ...change,
  }).status
}

const agentless = [{ node: 'far', kind: 'Linux', pods: ['a-yet'] }] as const
const failing = { tries: 3, isGivenUp: false, message: 'not permitted' }
const table: readonly (readonly [what: string, status: PacketCaptureConfigStatus, phase: string, message: RegExp, states: string])[] = [
  ['no node has answered', stand([]), 'Starting', /^Packet capture starting on 3 nodes$/, 'starting starting starting'],
  ['no node reports', stand([], { addresses: new Map() }), 'Starting', /^No node has reported yet$/, ''],
  ['some run', stand([row(1, 'Capturing'), row(2, 'Capturing')]), 'Running', /^Packet capture running on 2 of 3 nodes$/, 'running running starting'],
  ['their files are being made', stand([1, 2, 3].map(each => row(each, 'Finished'))), 'Running', /^Packet capture running on 3/, 'running running running'],
  ['all are done', stand([done(1), done(2), done(3)]), 'Completed', /^Packet capture completed on all nodes$/, 'completed completed completed'],
  ['one has not answered', stand([done(1), done(2)]), 'Running', /^Packet capture running on 0 of 3 nodes$/, 'completed completed starting'],
  ['one never answers', stand([done(1), done(2)], { nowMs: lateMs }), 'Failed', /^Packet capture failed on node-3: it did not take part; completed on 2 nodes$/, 'completed completed failed'],
  ['one has fallen silent', stand([done(1), row(2, 'Capturing', { silentSinceMs: createdAtMs }), done(3)]), 'Failed', /failed on node-2: no report since 2026-11-21T10:00:00.000Z/, 'completed failed completed'],
  ['one fell silent when it was done', stand([done(1), done(2), { ...done(3), silentSinceMs: laterMs }]), 'Completed', /all nodes/, 'completed completed completed'],
  ['one fails and tries again', stand([done(1), done(2), row(3, 'Error', { failing })]), 'Running', /node-3: not permitted/, 'completed completed starting'],
  ['one has given up', stand([done(1), done(2), row(3, 'Error', { failing: { ...failing, isGivenUp: true } })]), 'Failed', /failed on node-3: not permitted; completed on 2 nodes/, 'completed completed failed'],
  ['all have given up', stand([1, 2, 3].map(each => row(each, 'Error', { failing: { ...failing, isGivenUp: true } }))), 'Failed', /^Packet capture failed on node-1: not permitted; node-2: not permitted; node-3/, 'failed failed failed'],
  ['a file cannot be made yet', stand([done(1), done(2), row(3, 'Finished', { artifact: { files: [], error: 'ENOSPC', attempts: 2, retried: true } })]), 'Running', /node-3: attempt 2 failed and is made again: ENOSPC/, 'completed completed running'],
  ['a file cannot be made', stand([done(1), done(2), row(3, 'Finished', { artifact: { files: [], error: 'ENOSPC', attempts: 6 } })]), 'Failed', /failed on node-3: ENOSPC; completed on 2/, 'completed completed failed'],
  ['nothing ever began', stand([row(1, 'Finished', { endpoint: { startedAt: undefined } as never, message: 'the window ended' })], { addresses: new Map([['node-1', '10.0.1.1']]) }), 'Failed', /node-1: nothing could be captured: the window ended/, 'failed'],
  ['pods are nowhere', stand([], { read: read(ofPods) }), 'Starting', /^None of the pods is on a node yet$/, ''],
  ['pods were nowhere', stand([], { read: read(ofPods), nowMs: lateMs }), 'Failed', /^Packet capture failed: None of the pods is on a node in time$/, ''],
  ["a pod's node is done", stand([done(2)], { read: read(ofPods) }), 'Completed', /all nodes/, 'completed'],
  ['the only pod is on a node without an agent', stand([], { read: read(ofPods), agentless }), 'Starting', /^Every pod that matches is on a node without an agent: far: no agent runs there, so nothing is captured of a-yet$/, 'starting'],
  ['other nodes may still answer', stand([], { read: read(ofPods), agentless, nowMs: createdAtMs + 9_999 }), 'Starting', /^far: no agent runs there, so nothing is captured of a-yet$/, 'starting'],
  ['the only pod was on a node without an agent', stand([], { read: read(ofPods), agentless, nowMs: lateMs }), 'Failed', /^Packet capture failed: Every pod .*: far: no agent runs there, so nothing is captured of a-yet$/, 'failed'],
  ['one of the pods is on a node without an agent', stand([done(2)], { read: read(ofPods), agentless }), 'Running', /^Packet capture running on 0 of 2 nodes; far: no agent runs there, so nothing is captured of a-yet$/, 'starting completed'],
  ['one of the pods was on a node without an agent', stand([done(2)], { read: read(ofPods), agentless, nowMs: lateMs }), 'Failed', /^Packet capture failed on far: no agent runs there, .*; completed on 1 node$/, 'failed completed'],
  ['a pod has no interface of its own', stand([row(2, 'WaitingForTraffic', { isListed: false, message: 'Only host-networked pods match' })], { read: read(ofPods) }), 'Failed', /node-2: Only host-networked pods match/, 'failed'],
  ['it is rejected', stand([], { read: read({ targetIPs: ['x'] }) }), 'Failed', /^Cannot capture: spec\.targetIPs\[0\]: found "x"/, ''],
] // biome-ignore format: a table
for (const [what, status, phase, message, states] of table) {
  test(`packetCaptureConfigStatus() is ${phase} when ${what}`, t => {
    t.is(status.phase, phase as never)
    t.regex(status.message, message)
    t.is(Object.values(status.captureFiles).map(each => each.status).join(' '), states) // biome-ignore format: one line
  })
}

test('packetCaptureConfigStatus() waits ten seconds for nodes that may still answer, and looks again then', t => {
  const nowMs = createdAtMs + 5_000
  const input = { read: read(ofPods), rows: [done(1)], addresses, previous: undefined, nowMs }
  t.like(packetCaptureConfigStatus(input), {
    status: { phase: 'Running' },
    wakeAtMs: createdAtMs + 10_000,
  })
  t.is(
    packetCaptureConfigStatus({ ...input, nowMs: createdAtMs + 10_000 }).status.phase,
    'Completed',
  )
})

test('packetCaptureConfigStatus() tells files by the addresses of their nodes', t => {
  const { captureFiles } = stand([done(1), row(2, 'Finished', { artifact: { files: [{ path: `${path}.gz`, bytes: 99 }], attempts: 3 } }), row(3, 'Finished', { artifact: { files: [], attempts: 1 } })]) // biome-ignore format: one line
  t.deepEqual(captureFiles, {
    '10.0.1.1': { status: 'completed', output_file: path, file_size: 2_048 },
    '10.0.1.2': { status: 'completed', output_file: `${path}.gz`, file_size: 99, attempts: 2 },
    '10.0.1.3': { status: 'completed', output_file: deleted, file_size: 0 },
  })
  const printed = stand([row(1, 'Finished', { artifact: { files: [], attempts: 1 } })], {
    read: read({ ...ofPods, outputFormat: 'stdout' }),
  })
  t.deepEqual(printed.captureFiles, {
    '10.0.1.1': { status: 'completed', output_file: stdoutMessage, file_size: 0 },
  })
  t.deepEqual(Object.keys(stand([done(1), done(2)], { read: read(ofPods), addresses: new Map([['node-1', 'x'], ['node-2', 'x']]) }).captureFiles), ['x', 'node-2']) // biome-ignore format: one line
})

test('packetCaptureConfigStatus() stays as it ended, whatever becomes of the files, until the resource is edited', t => {
  const previous = stand([done(1), done(2), done(3)])
  const gone = stand([done(1), row(2, 'Finished', { artifact: { files: [] } }), done(3)], { previous, addresses: new Map([...addresses, ['node-4', '10.0.1.4']]) }) // biome-ignore format: one line
  t.is(gone.phase, 'Completed')
  t.is(gone.captureFiles['10.0.1.2']?.output_file, deleted)
  t.is(stand([], { previous, read: read(ofHost, 2) }).phase, 'Starting')
})
