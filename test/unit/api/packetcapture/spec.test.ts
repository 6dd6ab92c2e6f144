import test from 'ava'
import fc from 'fast-check'
import { parsePacketCapture } from '../../../../src/api/packetcapture/spec.ts'
import type { Intent } from '../../../../src/model/capture.ts'
import { defaultSettings } from '../../../../src/model/settings.ts'
import type { PacketCapture } from '../../../../src/model/world.ts'
import { calicoFilters, legalExpressions } from '../../../support/model/filterSamples.ts'
import { runs } from '../../../support/runs.ts'

function capture(spec: unknown): PacketCapture {
  const metadata = {
    name: 'a',
    namespace: 'shop',
    uid: 'u',
    generation: 2,
    creationTimestamp: '2026-01-02T03:04:05Z',
  }
  return {
    apiVersion: 'projectcalico.org/v3',
    kind: 'PacketCapture',
    metadata,
    spec: spec as PacketCapture['spec'],
  }
}

function accepted(spec: unknown): Intent {
  const intent = parsePacketCapture(capture(spec), defaultSettings)
  if (!intent.ok) throw new Error(intent.message)
  return intent
}

function refusal(spec: unknown): string {
  const intent = parsePacketCapture(capture(spec), defaultSettings)
  return intent.ok ? '' : intent.message
}

test('parsePacketCapture() fills in what the capture does not say', t => {
  const { matches: _, ...intent } = accepted({})
  t.deepEqual(intent, {
    ok: true,
    capture: { api: 'PacketCapture', namespace: 'shop', name: 'a', uid: 'u' },
    key: 'shop/a',
    generation: 2,
    createdAtMs: Date.parse('2026-01-02T03:04:05Z'),
    scope: { kind: 'Namespaces', names: ['shop'] },
    selector: 'all()',
    filter: '',
    window: {},
    limits: {},
    rotation: { fileBytesMax: 10_000_000, fileAgeMsMax: 3_600_000, filesMax: 2 },
    snapLength: 262_144,
    payload: 'Full',
    format: 'pcap',
    vantage: 'Auto',
    notes: [],
  })
})

test("parsePacketCapture() takes Calico's samples", t => {
  t.is(
    accepted({ selector: 'k8s-app == "sample-app"', filters: [{ protocol: 'TCP', ports: [80] }] })
      .filter,
    '(tcp and (port 80))',
  )
  t.deepEqual(
    accepted({
      selector: 'all()',
      startTime: '2021-08-26T12:00:00Z',
      endTime: '2021-08-26T12:30:00Z',
    }).window,
    {
      startMs: Date.parse('2021-08-26T12:00:00Z'),
      endMs: Date.parse('2021-08-26T12:30:00Z'),
    },
  )
})

for (const [rules, expression] of calicoFilters) {
  test(`parsePacketCapture() compiles filters to ${expression || 'everything'}`, t => {
    t.is(accepted({ filters: rules }).filter, expression)
  })
}

test('parsePacketCapture() ANDs filters and expression', t => {
  t.is(
    accepted({ filters: [{ protocol: 'TCP' }], expression: 'host 10.0.0.1 or host 10.0.0.2' })
      .filter,
    '((tcp)) and (host 10.0.0.1 or host 10.0.0.2)',
  )
})

for (const expression of legalExpressions) {
  test(`parsePacketCapture() takes the expression ${expression}`, t => {
    t.is(refusal({ expression }), '')
  })
}

const illegal: readonly (readonly [expression: string, words: RegExp])[] = [
  ['host www.example.com', /found the name "www\.example\.com"/],
  ['host localhost', /found the name "localhost"/],
  ['port http', /found the name "http"/],
  ['net mynet', /found the name "mynet"/],
  ['gateway router', /found "gateway"/],
  ['ip protochain 6', /found "protochain"/],
  ['host \\tcp', /found "\\tcp", expected "proto"/],
  ['host 1password.com', /found the name "1password\.com"/],
  ['host a-b', /found the name "a-b"/],
  ['ip; rm -rf /', /found ";"/],
  ['$(reboot)', /found "\$"/],
  ['tcp\0', /at character 4/],
  ['10.0.0.1.example', /found the name/],
  ['host 10.0.0.1.2', /found the name/],
  ['x'.repeat(1_025), /found 1025 characters, expected at most 1024/],
  [' ', /found nothing/],
]
for (const [expression, words] of illegal) {
  test(`parsePacketCapture() refuses the expression ${JSON.stringify(expression.slice(0, 40))}`, t =>
    t.regex(refusal({ expression }), words))
}

const refusals: readonly (readonly [spec: unknown, words: RegExp])[] = [
  [{ selector: 'a == b' }, /^Cannot capture: spec\.selector: expected string\n {2}a == b\n {7}\^$/],
  [{ selector: 7 }, /spec\.selector: found 7/],
  [{ filters: 'tcp' }, /spec\.filters: found "tcp"/],
  [{ filters: [null] }, /spec\.filters\[0\]: found null/],
  [{ filters: [{ protocol: 'tcp' }] }, /spec\.filters\[0\]\.protocol: found "tcp"/],
  [{ filters: [{ protocol: 256 }] }, /found 256/],
  [{ filters: [{ protocol: 'constructor' }] }, /found "constructor"/],
  [
    { filters: [{ protocol: 'ICMP', ports: [80] }] },
    /spec\.filters\[0\]\.ports: found ports with protocol "ICMP"/,
  ],
  [
    { filters: [{ ports: ['http'] }] },
    /spec\.filters\[0\]\.ports\[0\]: found "http".*named ports are not supported/,
  ],
  [{ filters: [{ ports: ['9:3'] }] }, /found "9:3"/],
  [{ filters: [{ ports: [0] }] }, /found 0/],
  [{ filters: [{}] }, /found neither/],
  [{ startTime: 'soon' }, /spec\.startTime: found "soon"/],
  [{ startTime: '2021-08-26' }, /spec\.startTime/],
  [{ startTime: '2021-13-26T12:00:00Z' }, /spec\.startTime/],
  [{ startTime: '2016-12-31T23:59:60Z' }, /leap seconds/],
  [
    { startTime: '2021-08-26T12:00:00Z', endTime: '2021-08-26T11:00:00Z' },
    /endTime must be after startTime/,
  ],
  [{ limits: { packets: 0 } }, /spec\.limits\.packets: found 0/],
  [{ snapLength: 1e9 }, /spec\.snapLength: found 1000000000/],
  [{ format: 'pcapNG' }, /spec\.format: found "pcapNG", expected pcap or pcapng/],
  [{ schedule: { cron: '0 2 * * *' } }, /spec\.schedule\.durationSeconds: found nothing/],
  [
    { schedule: { cron: '99 2 * * *', durationSeconds: 5 } },
    /spec\.schedule\.cron: found "99 2 \* \* \*"/,
  ],
  [
    { schedule: { cron: '0 0 2 * * *', durationSeconds: 5 } },
    /spec\.schedule\.cron: .*five fields/,
  ],
  [
    { schedule: { cron: '0 2 * * *', timeZone: 'Mars/Olympus', durationSeconds: 5 } },
    /spec\.schedule\.timeZone: found "Mars\/Olympus"/,
  ],
]
for (const [spec, words] of refusals) {
  test(`parsePacketCapture() refuses ${JSON.stringify(spec)}`, t => t.regex(refusal(spec), words))
}

test('parsePacketCapture() reads times with offsets and fractions', t => {
  t.is(
    accepted({ startTime: '2021-08-26T14:00:00.250+02:00' }).window.startMs,
    Date.parse('2021-08-26T12:00:00.250Z'),
  )
})

test("parsePacketCapture() keeps rotation within the node's disk budget, and says so", t => {
  const settings = { ...defaultSettings, captureDiskBytesMax: 30_000 }
  const intent = parsePacketCapture(
    capture({ rotation: { maxSizeBytes: 50_000, maxFiles: 2 } }),
    settings,
  )
  t.like(intent, { ok: true, rotation: { fileBytesMax: 10_000, filesMax: 2 } })
  t.regex(intent.ok ? (intent.notes[0] ?? '') : '', /rotation\.maxSizeBytes is 10000 here/)
})

test('parsePacketCapture() never throws, whatever the spec', t => {
  const field = fc.constantFrom(
    'selector',
    'filters',
    'startTime',
    'endTime',
    'expression',
    'limits',
    'rotation',
    'snapLength',
    'payload',
    'format',
    'vantage',
    'schedule',
    'ttlSecondsAfterFinished',
  )
  const spec = fc.oneof(
    fc.jsonValue(),
    fc.dictionary(
      field,
      fc.oneof(
        fc.jsonValue(),
        fc.array(fc.dictionary(fc.constantFrom('protocol', 'ports'), fc.jsonValue())),
      ),
    ),
  )
  fc.assert(
    fc.property(spec, value =>
      t.is(typeof parsePacketCapture(capture(value), defaultSettings).ok, 'boolean'),
    ),
    { numRuns: runs(2_000) },
  )
})
