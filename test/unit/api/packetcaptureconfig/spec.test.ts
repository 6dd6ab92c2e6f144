import { readFileSync } from 'node:fs'
import test from 'ava'
import fc from 'fast-check'
import { parseAllDocuments } from 'yaml'
import { readCapture } from '../../../../src/api/read.ts'
import type { Intent } from '../../../../src/model/capture.ts'
import { defaultSettings } from '../../../../src/model/settings.ts'
import type { OtherCapture } from '../../../../src/model/world.ts'
import { configFilters } from '../../../support/model/filterSamples.ts'
import { runs } from '../../../support/runs.ts'

const surroundings = {
  node: 'node-0',
  settings: defaultSettings,
  nodeLabels: {},
  namespaceLabels: new Map(),
}

function read(spec: unknown, name = 'a') {
  const metadata = {
    name,
    namespace: '',
    uid: 'u',
    generation: 2,
    creationTimestamp: '2026-01-02T03:04:05Z',
  }
  const document = {
    apiVersion: 'networking.packet.io/v1',
    kind: 'PacketCaptureConfig',
    metadata,
    spec: spec as OtherCapture['spec'],
  } as const
  return readCapture(document, surroundings)
}

function accepted(spec: unknown): Intent {
  const intent = read(spec)
  if (!intent.ok) throw new Error(intent.message)
  return intent
}

function refusal(spec: unknown): string {
  const intent = read(spec)
  return intent.ok ? '' : intent.message
}

const ip = ['10.0.0.1']
const nobody = () => undefined

test('parsePacketCaptureConfig() fills in what the resource does not say', t => {
  const { matches: _, ...intent } = accepted({ targetIPs: ip })
  t.deepEqual(intent, {
    ok: true,
    capture: { api: 'PacketCaptureConfig', namespace: '', name: 'a', uid: 'u' },
    key: 'networking.packet.io/a',
    generation: 2,
    createdAtMs: Date.parse('2026-01-02T03:04:05Z'),
    scope: { kind: 'Host' },
    selector: 'all()',
    filter: '(host 10.0.0.1)',
    filterInstructionsMax: 16_384,
    window: { endMs: Date.parse('2026-01-02T03:09:05Z') + 60_000 },
    limits: { durationMs: 60_000, packets: 1_000, bytes: 9_999_976 },
    triesMax: 6,
    rotation: { fileBytesMax: 10_000_000, fileAgeMsMax: 3_153_600_000_000, filesMax: 100 },
    snapLength: 262_144,
    payload: 'Full',
    format: 'pcap',
    vantage: 'Auto',
    artifact: {
      kind: 'SingleFile',
      form: 'pcap',
      directory: '/var/lib/packet-captures',
      bytesMax: 10_000_000,
    },
    notes: [],
  })
})

test('parsePacketCaptureConfig() takes the four samples', t => {
  const samples = parseAllDocuments(
    readFileSync(
      new URL('../../../fixtures/packetcaptureconfig-samples.yaml', import.meta.url),
      'utf8',
    ),
  )
  const [byAddress, byPod, both, live] = samples.map(document => accepted(document.toJS().spec))
  t.like(byAddress, {
    filter: '(host 10.0.0.1 or host 10.0.0.2) and (port 80 or port 443) and (tcp)',
    scope: { kind: 'Host' },
  })
  t.like(byAddress?.limits, { durationMs: 120_000, packets: 2_000 })
  t.like(byPod, {
    filter: '(port 80 or port 443)',
    scope: { kind: 'Namespaces', names: ['default', 'kube-system'] },
  })
  t.like(byPod?.artifact, { form: 'text' })
  t.like(both, {
    filter: '(port 80 or port 443)',
    scope: { kind: 'Namespaces', names: ['default'] },
  })
  t.regex(both?.notes[0] ?? '', /targetIPs/)
  t.like(live, {
    filter: '(host 192.168.1.100) and (port 80 or port 443)',
    artifact: { form: 'stdout' },
  })
})

test('parsePacketCaptureConfig() matches the named pods and no other', t => {
  const { matches } = accepted({
    podSelector: {
      pods: [
        { podName: 'a', namespace: 'one' },
        { podName: 'b', namespace: 'two' },
      ],
    },
  })
  t.true(matches(nobody, { namespace: 'one', name: 'a' }))
  t.true(matches(nobody, { namespace: 'two', name: 'b' }))
  t.false(matches(nobody, { namespace: 'one', name: 'b' }))
  t.false(matches(nobody, { namespace: '', name: 'a' }))
})

for (const [spec, filter] of configFilters) {
  test(`parsePacketCaptureConfig() makes ${filter || 'no filter'} of ${JSON.stringify(spec)}`, t => {
    t.is(accepted(spec).filter, filter)
  })
}

const pod = { podName: 'a', namespace: 'b' }
const refused: readonly (readonly [spec: unknown, words: RegExp])[] = [
  [
    {},
    /^Cannot capture: spec\.targetIPs: found none, expected at least one address, or podSelector$/,
  ],
  [
    { targetIPs: ['999.1.1.1'] },
    /spec\.targetIPs\[0\]: found "999\.1\.1\.1", expected an IPv4 or IPv6 address/,
  ],
  [
    { targetIPs: ['10.0.0.1', '10.0.0.0/33'] },
    /spec\.targetIPs\[1\]: found "10\.0\.0\.0\/33", expected/,
  ],
  [{ targetIPs: ['10.0.0.1 or tcp'] }, /spec\.targetIPs\[0\]: found/],
  [{ targetIPs: ['fe80::1%eth0'] }, /spec\.targetIPs\[0\]: found/],
  [{ targetIPs: 'all' }, /spec\.targetIPs: found "all", expected a list/],
  [
    { targetIPs: Array(257).fill('10.0.0.1') },
    /spec\.targetIPs: found 257 entries, expected at most 256/,
  ],
  [
    { targetIPs: ip, targetPorts: [80, 0] },
    /spec\.targetPorts\[1\]: found 0, expected a whole number from 1 to 65535/,
  ],
  [
    { targetIPs: ip, targetPorts: [null] },
    /spec\.targetPorts\[0\]: found nothing, expected a port/,
  ],
  [
    { targetIPs: ip, maxPackets: 0 },
    /spec\.maxPackets: found 0, expected a whole number of at least 1/,
  ],
  [{ targetIPs: ip, duration: 1.5 }, /spec\.duration: found 1\.5/],
  [
    { targetIPs: ip, outputFormat: 'json' },
    /spec\.outputFormat: found "json", expected pcap or text or stdout/,
  ],
  [{ targetIPs: ip, filter: 'host example.com' }, /spec\.filter: found the name "example\.com"/],
  [{ targetIPs: ip, filter: 'tcp) or (udp' }, /spec\.filter: found brackets that do not match/],
  [{ podSelector: {} }, /spec\.podSelector\.pods: found none/],
  [
    { podSelector: { pods: [{ podName: 'a' }] } },
    /spec\.podSelector\.pods\[0\]\.namespace: found undefined, expected the name/,
  ],
  [
    { podSelector: { pods: [{ ...pod, podName: '../x' }] } },
    /spec\.podSelector\.pods\[0\]\.podName: found "\.\.\/x"/,
  ],
]
for (const [spec, words] of refused) {
  test(`parsePacketCaptureConfig() refuses ${JSON.stringify(spec).slice(0, 80)}`, t =>
    t.regex(refusal(spec), words))
}

test('parsePacketCaptureConfig() refuses a name that is too long for a file name', t => {
  const intent = read({ targetIPs: ip }, 'n'.repeat(201))
  t.regex(
    intent.ok ? '' : intent.message,
    /metadata\.name: found 201 characters, expected at most 200/,
  )
})

test('parsePacketCaptureConfig() never throws, and admits only addresses into its filter', t => {
  const value = fc.oneof(
    fc.string(),
    fc.ipV4(),
    fc.ipV6(),
    fc.string({ unit: fc.constantFrom(...'0123456789.:/() ortcp') }),
  )
  const property = fc.property(fc.array(value, { minLength: 1 }), targetIPs => {
    const intent = read({ targetIPs })
    return (
      !intent.ok ||
      /^\((host|net) [0-9a-fA-F.:/]+( or (host|net) [0-9a-fA-F.:/]+)*\)$/.test(intent.filter)
    )
  })
  fc.assert(property, { numRuns: runs(500) })
  t.pass()
})
