// Expressions that captures of the three APIs become, put to libpcap: it compiles them, and they
// take the packets that they say.
import test from 'ava'
import { parsePacketCapture } from '../../../src/api/packetcapture/spec.ts'
import { readCapture } from '../../../src/api/read.ts'
import {
  addressExpression,
  type RetinaFilters,
  systemExpression,
} from '../../../src/api/retina/filters.ts'
import { ringDriver } from '../../../src/driver/ring/ringDriver.ts'
import type { Intent } from '../../../src/model/capture.ts'
import { defaultSettings } from '../../../src/model/settings.ts'
import type { OtherCapture, PacketCapture } from '../../../src/model/world.ts'
import {
  calicoFilters,
  configFilters,
  legalExpressions,
  retinaEntries,
} from '../../support/model/filterSamples.ts'
import { casesOf } from '../../support/model/retinaCases.ts'
import { compiles } from '../../support/pcap/compiles.ts'
import { takenBy } from '../../support/pcap/traffic.ts'

const metadata = {
  name: 'a',
  namespace: 'shop',
  uid: 'u',
  generation: 2,
  creationTimestamp: '2026-01-02T03:04:05Z',
}

function ofCapture(spec: PacketCapture['spec']): string {
  const intent = parsePacketCapture(
    { apiVersion: 'projectcalico.org/v3', kind: 'PacketCapture', metadata, spec },
    defaultSettings,
  )
  return intent.ok ? intent.filter : intent.message
}

function ofConfig(spec: object): Intent {
  const document = {
    apiVersion: 'networking.packet.io/v1',
    kind: 'PacketCaptureConfig',
    metadata: { ...metadata, namespace: '' },
    spec: spec as OtherCapture['spec'],
  } as const
  const intent = readCapture(document, {
    node: 'node-0',
    settings: defaultSettings,
    nodeLabels: {},
    namespaceLabels: new Map(),
  })
  if (!intent.ok) throw new Error(intent.message)
  return intent
}

for (const [rules] of calicoFilters) {
  const filters = rules as NonNullable<PacketCapture['spec']['filters']>
  test(`libpcap compiles the filters ${JSON.stringify(rules)}`, t =>
    t.true(compiles(ofCapture({ filters }))))
}

test('libpcap finds the ports of UDP-Lite where they are', t => {
  t.true(compiles(ofCapture({ filters: [{ protocol: 'UDPLite', ports: [80, '5:9'] }] })))
})

for (const expression of legalExpressions) {
  test(`libpcap compiles the expression ${expression}`, t =>
    t.true(compiles(ofCapture({ expression }))))
}

for (const [spec, filter] of configFilters) {
  test(`libpcap compiles ${filter || 'no filter'} of ${JSON.stringify(spec)}`, t =>
    t.true(compiles(ofConfig(spec).filter)))
}

for (const [entry, expected] of retinaEntries.filter(([, expression]) => expression !== '')) {
  test(`libpcap compiles ${expected} of ${entry}`, t =>
    t.true(compiles(systemExpression({ include: [entry] }))))
}

type Probe = {
  readonly name: string
  readonly includes: readonly string[] | null
  readonly excludes: readonly string[] | null
}
test('libpcap compiles every probe of Retina that is not refused', t => {
  const written = casesOf<Probe>('derived_filterProbes').flatMap(
    ({ includes: include, excludes: exclude }) => {
      try {
        return [systemExpression({ include, exclude })]
      } catch (error) {
        if (error instanceof RangeError) return []
        throw error
      }
    },
  )
  t.true(written.length > 20, `${written.length} expressions`)
  t.deepEqual(
    written.filter(expression => expression !== '' && !compiles(expression)),
    [],
  )
})

test('the longest lists that are taken compile', async t => {
  const targetIPs = Array.from({ length: 256 }, (_, index) =>
    index % 2 ? `fd00::${index.toString(16)}` : `10.9.8.${index}`,
  )
  const targetPorts = Array.from({ length: 64 }, (_, index) => 60_000 + index)
  const { filter, filterInstructionsMax } = ofConfig({ targetIPs, targetPorts, filter: 'tcp' })
  t.true((await ringDriver().compile(filter, 262_144, filterInstructionsMax)) > 4_096)
})

const takenByConfig: readonly (readonly [spec: object, numbers: readonly number[]])[] = [
  [{ targetIPs: ['10.0.0.1'] }, [0, 1, 2]],
  [{ targetIPs: ['10.1.0.0/16', '2001:db8::2'] }, [0, 1, 2, 3, 6, 7]],
  [{ targetIPs: ['10.1.0.0/16', '2001:db8::2'], targetPorts: [80, 8_000] }, [0, 1, 3, 7]],
  [{ targetIPs: ['0.0.0.0/0'], targetPorts: [53, 8_101] }, [5]],
  [{ targetIPs: ['0.0.0.0/0', '::/0'], filter: 'tcp and not port 443' }, [0, 1, 7]],
  [
    {
      targetIPs: ['10.0.0.0/24'],
      targetPorts: [80, 443],
      filter: 'tcp and (port 80 or port 443) and not icmp',
    },
    [0, 1, 2],
  ],
  [
    {
      podSelector: { pods: [{ podName: 'a', namespace: 'b' }] },
      targetPorts: [80],
      targetIPs: ['10.0.0.1'],
    },
    [0, 1, 7],
  ],
]
for (const [spec, numbers] of takenByConfig) {
  test(`parsePacketCaptureConfig() of ${JSON.stringify(spec)} takes exactly the packets that it says`, t =>
    t.deepEqual(takenBy(ofConfig(spec).filter), numbers))
}
const taken: readonly (readonly [filters: RetinaFilters, numbers: readonly number[]])[] = [
  [{}, [0, 1, 2, 3, 4, 5, 6, 7]],
  [{ include: ['10.0.0.1'] }, [0, 1, 2]],
  [{ include: ['10.0.0.1:80'] }, [0, 1]],
  [{ include: ['10.1.0.0/16'] }, [0, 1, 2, 3]],
  [{ include: ['10.1.0.0/16:443'] }, [2]],
  [{ include: ['*:80'] }, [0, 1, 7]],
  [{ include: ['443'] }, [2]],
  [{ include: ['*:8000-8100'] }, [3, 4]],
  [{ include: ['192.0.2.2:8100-8200', '53'] }, [5, 6]],
  [{ include: ['[2001:db8::1]'] }, [6, 7]],
  [{ include: ['[2001:db8::1]:53'] }, [6]],
  [{ include: ['[2001:db8::/32]:80'] }, [7]],
  [{ include: ['10.0.0.1', '[2001:db8::2]:53'] }, [0, 1, 2, 6]],
  [{ exclude: ['*:80'] }, [2, 3, 4, 5, 6]],
  [{ exclude: ['10.0.0.0/8', '[2001:db8::/64]'] }, [4, 5]],
  [{ include: ['10.0.0.0/8'], exclude: ['10.0.0.1:443'] }, [0, 1, 3]],
  [{ include: ['*:80'], exclude: ['[2001:db8::/16]'] }, [0, 1]],
]
for (const [filters, numbers] of taken) {
  test(`systemExpression() of ${JSON.stringify(filters)} takes exactly the packets that it says`, t =>
    t.deepEqual(takenBy(systemExpression(filters)), numbers))
}

const directed: readonly (readonly [
  sources: readonly string[],
  destinations: readonly string[],
  numbers: readonly number[],
])[] = [
  [['10.0.0.1'], [], [0, 2]],
  [[], ['10.0.0.1', '2001:db8::2'], [1, 6, 7]],
  [['10.1.2.3', '10.0.0.1'], ['10.0.0.1'], [1]],
  [['2001:db8::2'], [], []],
]
for (const [sources, destinations, numbers] of directed) {
  test(`addressExpression() from ${sources} to ${destinations} takes exactly the packets that it says`, t =>
    t.deepEqual(takenBy(addressExpression(sources, destinations)), numbers))
}
