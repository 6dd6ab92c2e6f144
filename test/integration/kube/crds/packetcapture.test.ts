// The PacketCapture resource as users type it: the real kubectl against a real API server that
// serves crds/packetcapture.yaml.
import { join } from 'node:path'
import test from 'ava'
import { parseAllDocuments } from 'yaml'
import { under } from '../../../repo/tree.ts'
import { type ApiServer, startApiServer } from '../../../support/kube/apiServer.ts'
import { read, root } from '../../../support/repository.ts'

const fixture = (name: string): string => join(root, 'test', 'fixtures', name)
const namespace = 'sample-namespace'
const shared: { api?: ApiServer } = {}

test.before(async () => {
  const server = await startApiServer()
  shared.api = server
  await server.kubectl('apply', '-f', join(root, 'crds', 'packetcapture.yaml'))
  await server.kubectl(
    'wait',
    '--for=condition=Established',
    'crd/packetcaptures.projectcalico.org',
    '--timeout=30s',
  )
  await server.kubectl('create', 'namespace', namespace)
})
test.after.always(() => shared.api?.stop())

function api(): ApiServer {
  if (!shared.api) throw new Error('Cannot test: no API server was started')
  return shared.api
}

const manifest = (name: string, spec: unknown): string =>
  JSON.stringify({
    apiVersion: 'projectcalico.org/v3',
    kind: 'PacketCapture',
    metadata: { name, namespace },
    spec,
  })

const apply = (name: string, spec: unknown) =>
  api().ask(['apply', '-f', '-'], { input: manifest(name, spec) })

test.serial('kubectl apply takes the documented sample with filters', async t => {
  const out = await api().kubectl('apply', '-f', fixture('calico-filters.yaml'))
  t.is(out, 'packetcapture.projectcalico.org/sample-capture created\n')
  const { spec } = JSON.parse(
    await api().kubectl('get', 'packetcapture', 'sample-capture', '-n', namespace, '-o', 'json'),
  )
  t.like(spec, { selector: 'k8s-app == "sample-app"', filters: [{ protocol: 'TCP', ports: [80] }] })
})

test.serial(
  'kubectl apply takes the documented sample with a window, over the one with filters',
  async t => {
    const out = await api().kubectl('apply', '-f', fixture('calico-window.yaml'))
    t.is(out, 'packetcapture.projectcalico.org/sample-capture configured\n')
    const { spec } = JSON.parse(
      await api().kubectl('get', 'packetcapture', 'sample-capture', '-n', namespace, '-o', 'json'),
    )
    t.like(spec, {
      selector: 'all()',
      startTime: '2021-08-26T12:00:00Z',
      endTime: '2021-08-26T12:30:00Z',
      filters: undefined,
    })
  },
)

const status = {
  observedGeneration: 2,
  state: 'Capturing',
  nodes: 2,
  endpoints: 3,
  packets: 9_007_199_254_740_991, // 64 bits: more than an int32
  bytes: 4096,
  dropped: 7,
  files: [
    {
      node: 'node-0',
      directory: '/var/log/calico/pcap',
      fileNames: ['web-0_cali1234567890a.pcap'],
      state: 'Capturing',
      message: 'fine',
    },
  ],
}

test.serial('kubectl wait returns when the status says Capturing', async t => {
  await api().kubectl(
    'patch',
    'packetcapture',
    'sample-capture',
    '-n',
    namespace,
    '--subresource=status',
    '--type=merge',
    '-p',
    JSON.stringify({ status }),
  )
  t.regex(
    await api().kubectl(
      'wait',
      '-n',
      namespace,
      '--for=jsonpath={.status.state}=Capturing',
      'pcap/sample-capture',
      '--timeout=10s',
    ),
    /condition met/,
  )
})

test.serial('kubectl get prints the columns of the specification', async t => {
  const [header = '', row = ''] = (
    await api().kubectl('get', 'packetcaptures', '-n', namespace)
  ).split('\n')
  t.deepEqual(header.trim().split(/\s+/), [
    'NAME',
    'SELECTOR',
    'STATE',
    'NODES',
    'ENDPOINTS',
    'PACKETS',
    'DROPPED',
    'AGE',
  ])
  t.regex(row, /^sample-capture +all\(\) +Capturing +2 +3 +9007199254740991 +7 +\d+s$/)
})

test.serial('kubectl get -o wide adds times, bytes and the message', async t => {
  const narrow =
    (await api().kubectl('get', 'pcap', '-n', namespace)).split('\n')[0]?.trim().split(/\s+/) ?? []
  const [header = '', row = ''] = (
    await api().kubectl('get', 'pcap', '-n', namespace, '-o', 'wide')
  ).split('\n')
  t.deepEqual(
    header
      .trim()
      .split(/\s+/)
      .filter(name => !narrow.includes(name)),
    ['START', 'END', 'BYTES', 'MESSAGE'],
  )
  t.regex(row, / 2021-08-26T12:00:00Z +2021-08-26T12:30:00Z +4096 /)
})

test.serial('kubectl apply leaves the status as it is, and status leaves the spec', async t => {
  await apply('sample-capture', { selector: 'has(app)' })
  const after = JSON.parse(
    await api().kubectl('get', 'pcap', 'sample-capture', '-n', namespace, '-o', 'json'),
  )
  t.like(after, { status: { state: 'Capturing', nodes: 2 }, spec: { selector: 'has(app)' } })
})

for (const alias of [
  'packetcapture',
  'packetcaptures',
  'PacketCapture',
  'pcap',
  'packetcapture.p',
  'packetcaptures.p',
  'captures',
  'packetcapture.projectcalico.org',
  'packetcaptures.projectcalico.org',
  'packetcaptures.v3.projectcalico.org',
]) {
  test.serial(`kubectl get ${alias} finds the capture`, async t => {
    t.is(
      await api().kubectl('get', alias, '-n', namespace, '-o', 'name'),
      'packetcapture.projectcalico.org/sample-capture\n',
    )
  })
}

for (const [path, words] of [
  ['packetcapture', /PacketCapture/],
  ['packetcapture.spec.selector', /FIELD: selector <string>[\s\S]*DESCRIPTION:\s+\S+[\s\S]*==/],
  ['packetcapture.spec.filters.ports', /FIELD: ports/],
  ['packetcapture.spec.startTime', /RFC 3339/],
  ['packetcapture.status.files', /FIELD: files/],
] as const) {
  test.serial(`kubectl explain ${path} says what it is`, async t =>
    t.regex(await api().kubectl('explain', path), words),
  )
}

const taken: readonly (readonly [string, unknown])[] = [
  ['nothing at all', {}],
  ['an empty selector', { selector: '' }],
  ['a selector that does not parse', { selector: 'has(' }],
  ['a protocol by number', { filters: [{ protocol: 6 }] }],
  ['a protocol by number in quotes', { filters: [{ protocol: '6' }] }],
  [
    'every protocol by name',
    {
      filters: ['TCP', 'UDP', 'ICMP', 'ICMPv6', 'SCTP', 'UDPLite'].map(protocol => ({ protocol })),
    },
  ],
  [
    'ports as integers, text and ranges',
    { filters: [{ protocol: 'TCP', ports: [80, '8080', '1234:5678'] }] },
  ],
  ['an end without a start', { endTime: '2030-01-01T00:00:00Z' }],
  [
    'every addition',
    {
      expression: 'tcp and not port 22',
      limits: { durationSeconds: 60, packets: 1000, bytes: 1_000_000 },
      rotation: { maxSizeBytes: 1_000_000, seconds: 60, maxFiles: 3 },
      snapLength: 128,
      payload: 'Headers',
      format: 'pcapng',
      vantage: 'PodNetns',
      schedule: { cron: '0 3 * * *', timeZone: 'Europe/Berlin', durationSeconds: 600 },
      ttlSecondsAfterFinished: 3600,
    },
  ],
]
for (const [index, [what, spec]] of taken.entries()) {
  test.serial(`kubectl apply takes ${what}`, async t =>
    t.like(await apply(`taken-${index}`, spec), { code: 0, err: '' }),
  )
}

const refused: readonly (readonly [string, unknown, RegExp])[] = [
  [
    'a misspelt field',
    { selectr: 'all()' },
    /strict decoding error: unknown field "spec\.selectr"/,
  ],
  [
    'a misspelt field of a filter',
    { filters: [{ protcol: 'TCP' }] },
    /unknown field "spec\.filters\[0\]\.protcol"/,
  ],
  [
    'an end before the start',
    { startTime: '2030-01-02T00:00:00Z', endTime: '2030-01-01T00:00:00Z' },
    /endTime must be after startTime/,
  ],
  [
    'an end that is the start',
    { startTime: '2030-01-01T00:00:00Z', endTime: '2030-01-01T00:00:00Z' },
    /endTime must be after startTime/,
  ],
  ['a time that is none', { startTime: 'tomorrow' }, /spec\.startTime/],
  ['a protocol in lower case', { filters: [{ protocol: 'tcp' }] }, /spec\.filters\[0\]\.protocol/],
  ['protocol 0', { filters: [{ protocol: 0 }] }, /spec\.filters\[0\]\.protocol/],
  ['protocol 256', { filters: [{ protocol: 256 }] }, /spec\.filters\[0\]\.protocol/],
  [
    'a named port',
    { filters: [{ protocol: 'TCP', ports: ['http'] }] },
    /named ports are not supported/i,
  ],
  ['port 0', { filters: [{ protocol: 'TCP', ports: [0] }] }, /spec\.filters\[0\]\.ports\[0\]/],
  [
    'port 65536',
    { filters: [{ protocol: 'TCP', ports: [65_536] }] },
    /spec\.filters\[0\]\.ports\[0\]/,
  ],
  [
    'a port range backwards',
    { filters: [{ protocol: 'TCP', ports: ['90:80'] }] },
    /spec\.filters\[0\]\.ports/,
  ],
  ['an expression of 1,025 characters', { expression: 'x'.repeat(1_025) }, /spec\.expression/],
  ['an interface with a space', { interfaces: ['eth0', 'a b'] }, /spec\.interfaces\[1\].*expected the name of an interface/], // biome-ignore format: one line
  ['an interface named ..', { interfaces: ['..'] }, /spec\.interfaces\[0\].*expected the name/],
  [
    'a network with a wildcard',
    { interfaces: ['shop/*'] },
    /spec\.interfaces\[0\].*namespace\/name/,
  ],
  ['17 interfaces', { interfaces: Array.from({ length: 17 }, (_, at) => `net${at}`) }, /spec\.interfaces.*at most 16/], // biome-ignore format: one line
  ['a format nobody knows', { format: 'erf' }, /spec\.format/],
]
for (const [index, [what, spec, words]] of refused.entries()) {
  test.serial(`kubectl apply refuses ${what}`, async t => {
    const { code, err } = await apply(`refused-${index}`, spec)
    t.is(code, 1)
    t.regex(err, words)
  })
}

test.serial("kubectl apply takes the schema's defaults where a field is missing", async t => {
  await apply('defaults', {})
  const { spec } = JSON.parse(
    await api().kubectl('get', 'pcap', 'defaults', '-n', namespace, '-o', 'json'),
  )
  t.is(spec.selector, 'all()')
})

for (const file of under('examples').filter(name => name.endsWith('.yaml'))) {
  const documents = parseAllDocuments(read(file)).map(document => document.toJS())
  for (const capture of documents.filter(document => document?.kind === 'PacketCapture')) {
    test.serial(`kubectl apply takes ${capture.metadata.name} of ${file}`, async t => {
      const { namespace: own = 'default' } = capture.metadata
      await api().ask(['create', 'namespace', own]) // there already, perhaps
      t.like(
        await api().ask(['apply', '--dry-run=server', '-f', '-'], {
          input: JSON.stringify(capture),
        }),
        { code: 0, err: '' },
      )
    })
  }
}
