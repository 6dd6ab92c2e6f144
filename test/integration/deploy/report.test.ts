// The schema of a node's report: it takes all that an agent has to say, loses nothing of it, and
// its rows are the elements of a capture's status.files.
import test from 'ava'
import { parse } from 'yaml'
import type { EndpointStatus, FileStatus, Problem } from '../../../src/model/status.ts'
import { reportOf, useInstalled } from '../../support/kube/installManifests.ts'
import { read } from '../../support/repository.ts'

const server = useInstalled()
const at = '2026-11-21T07:00:00.000Z'

// Every field that the types know: one that the schema does not know would be pruned.
const endpoint: Required<EndpointStatus> = {
  pod: 'web-0',
  uid: '6d2e9c1e-0000-4000-8000-000000000000',
  interface: 'cali1234567890a',
  vantage: 'PodNetns',
  state: 'Capturing',
  packets: 9_007_199_254_740_991,
  bytes: 4_096,
  dropped: 7,
  lost: 5,
  startedAt: at,
  endedAt: at,
  gaps: [{ from: at, to: at, reason: 'the interface was down' }],
  message: 'fine',
}
const file: Required<Omit<FileStatus, 'uploads'>> = {
  node: 'node-a',
  directory: '/var/log/calico/pcap',
  fileNames: ['web-0_cali1234567890a.pcap'],
  stateId: '0123abcd',
  state: 'Capturing',
  message: 'fine',
  packets: 12,
  bytes: 4_096,
  dropped: 0,
  endpoints: [endpoint],
}
const problem: Required<Omit<Problem, 'wording'>> = {
  reason: 'DroppedPackets',
  message: '7 packets were dropped',
}
const row = {
  api: 'PacketCapture',
  namespace: 'shop',
  name: 'web',
  uid: '1',
  observedGeneration: 3,
  isListed: true,
  isRejected: false,
  problems: [problem],
  artifact: {
    files: [{ path: '/var/log/retina/captures/a.tar.gz', bytes: 4_096 }],
    error: 'iptables is not there',
  },
  file,
}
const report = reportOf('node-a', {
  certificateFingerprint: 'ab'.repeat(32),
  clockOffsetMilliseconds: -12,
  truncated: false,
  budgets: {
    diskBytesMax: 10_737_418_240,
    diskBytesUsed: 4_096,
    ringBytesMax: 134_217_728,
    ringBytesUsed: 0,
    bufferBytesMax: 67_108_864,
    bufferBytesUsed: 0,
    bufferHighWaterBytes: 0,
    bufferWaitMilliseconds: 0,
    diskFreePercent: 61.5,
  },
  captures: [row],
})

test.serial('a report comes back as it was written', async t => {
  const token = await server().boundToken('selcap-agent', 'node-a')
  t.is((await server().writeReport(token, 'node-a', report)).code, 201)
  const { body } = await server().as(token, {
    path: '/apis/selcap.dev/v1alpha1/nodecapturereports/node-a',
  })
  t.deepEqual(body.report, report)
})

test.serial('kubectl get ncr prints what the administrator looks for', async t => {
  const [header = '', line = ''] = (await server().api.kubectl('get', 'ncr')).split('\n')
  t.deepEqual(header.trim().split(/\s+/), ['NAME', 'AGENT', 'REPORTED', 'DISK', 'FREE', 'AGE'])
  t.regex(line, /^node-a +0\.1\.0 +\S+ +4096 +61(\.5)? +\S+$/)
})

const shortRow = { api: 'x', namespace: 'x', name: 'x', uid: 'x', file: { node: 'node-b' } }
for (const [what, wrong, words] of [
  ['no address', { address: undefined }, /report\.address: Required value/],
  ['a time that is none', { reportedAt: 'now' }, /report\.reportedAt/],
  ['a port that is none', { port: 70_000 }, /report\.port/],
  [
    'more rows than the bound',
    { captures: Array.from({ length: 5_001 }, () => shortRow) },
    /must have at most 5000 items/,
  ],
  [
    'a state that nobody knows',
    { captures: [{ ...row, file: { ...file, state: 'Idle' } }] },
    /file\.state: Unsupported value/,
  ],
] as const) {
  test.serial(`a report with ${what} is refused`, async t => {
    const token = await server().boundToken('selcap-agent', 'node-b')
    const { code, body } = await server().writeReport(token, 'node-b', reportOf('node-b', wrong))
    t.is(code, 422)
    t.regex(body.message ?? '', words)
  })
}

test('a row of the report is an element of status.files: the two schemas say the same, bounds aside', t => {
  const schema = (name: string) =>
    parse(read(`crds/${name}.yaml`)).spec.versions[0].schema.openAPIV3Schema.properties
  const inReport = schema('nodecapturereport').report.properties.captures.items.properties.file
  const inStatus = schema('packetcapture').status.properties.files.items
  const { uploads, ...reported } = inStatus.properties
  t.truthy(uploads) // the controller's
  t.deepEqual(unbounded(inReport.properties), unbounded(reported))
  t.deepEqual(inReport.required, inStatus.required)
})

function unbounded(schema: object): object {
  return JSON.parse(JSON.stringify(schema), (name, value) =>
    /^(min|max)(Length|Items|imum)$/.test(name) ? undefined : value,
  )
}
