// The PacketCaptureConfig resource as users type it: the real kubectl against a real API server
// that serves its CRD.
import { join } from 'node:path'
import test from 'ava'
import { type ApiServer, startApiServer } from '../../../support/kube/apiServer.ts'
import { root } from '../../../support/repository.ts'

const crd = 'packetcaptureconfigs.networking.packet.io'
const shared: { api?: ApiServer } = {}

test.before(async () => {
  const server = await startApiServer()
  shared.api = server
  await server.kubectl('apply', '-f', join(root, 'crds', 'packetcaptureconfig', `${crd}.yaml`))
  await server.kubectl('wait', '--for=condition=Established', `crd/${crd}`, '--timeout=60s')
})
test.after.always(() => shared.api?.stop())

function api(): ApiServer {
  if (!shared.api) throw new Error('Cannot test: no API server was started')
  return shared.api
}

const apply = (name: string, spec: unknown) =>
  api().ask(['apply', '-f', '-'], {
    input: JSON.stringify({
      apiVersion: 'networking.packet.io/v1',
      kind: 'PacketCaptureConfig',
      metadata: { name },
      spec,
    }),
  })

const read = async (name: string) =>
  JSON.parse(await api().kubectl('get', 'pcc', name, '-o', 'json'))

test.serial('kubectl apply takes the four samples', async t => {
  const out = await api().kubectl(
    'apply',
    '-f',
    join(root, 'test', 'fixtures', 'packetcaptureconfig-samples.yaml'),
  )
  const names = ['ip-capture', 'pod-capture', 'combined-capture', 'realtime-capture']
  t.is(
    out,
    names.map(name => `packetcaptureconfig.networking.packet.io/${name} created\n`).join(''),
  )
  const { spec } = await read('ip-capture')
  t.deepEqual(spec, {
    targetIPs: ['10.0.0.1', '10.0.0.2'],
    targetPorts: [80, 443],
    duration: 120,
    maxPackets: 2000,
    outputFormat: 'pcap',
    filter: 'tcp',
  })
})

test.serial('kubectl apply fills in the defaults', async t => {
  await apply('defaults', { targetIPs: ['10.0.0.1'] })
  t.like((await read('defaults')).spec, {
    duration: 60,
    maxPackets: 1000,
    outputFormat: 'pcap',
    filter: undefined,
  })
})

test.serial('kubectl get prints Status and Age, and -o wide the message', async t => {
  const status = {
    phase: 'Completed',
    message: 'Packet capture completed on all nodes',
    lastUpdateTime: '2026-11-21T10:00:00.000Z',
    captureFiles: {
      '10.0.1.100': {
        status: 'completed',
        output_file: '/var/lib/packet-captures/ip-capture-20261121-100000.pcap',
        file_size: 2048576,
      },
      'fd00::5': {
        status: 'completed',
        output_file: 'Packet capture logs are in stdout format',
        file_size: 0,
      },
    },
  }
  await api().kubectl(
    'patch',
    'pcc',
    'ip-capture',
    '--subresource=status',
    '--type=merge',
    '-p',
    JSON.stringify({ status }),
  )
  const [header = '', row = ''] = (
    await api().kubectl('get', 'packetcaptureconfigs', 'ip-capture')
  ).split('\n')
  t.deepEqual(header.trim().split(/\s+/), ['NAME', 'STATUS', 'AGE'])
  t.regex(row, /^ip-capture +Completed +\d+s$/)
  t.regex(
    await api().kubectl('get', 'pcc', 'ip-capture', '-o', 'wide'),
    /MESSAGE[\s\S]*completed on all nodes/,
  )
  t.deepEqual((await read('ip-capture')).status, status)
})

for (const alias of [
  'pcc',
  'packetcaptureconfig',
  'PacketCaptureConfig',
  'captures',
  'packetcaptureconfigs.networking.packet.io',
]) {
  test.serial(`kubectl get ${alias} finds the capture`, async t => {
    t.is(
      await api().kubectl('get', alias, 'pod-capture', '-o', 'name'),
      'packetcaptureconfig.networking.packet.io/pod-capture\n',
    )
  })
}

for (const field of [
  'targetIPs',
  'podSelector.pods.podName',
  'targetPorts',
  'duration',
  'maxPackets',
  'outputFormat',
  'filter',
]) {
  test.serial(`kubectl explain says what ${field} is`, async t => {
    t.regex(
      await api().kubectl('explain', `packetcaptureconfig.spec.${field}`),
      /DESCRIPTION:\s+\w.{20}/,
    )
  })
}

const ip = ['10.0.0.1']
const taken: readonly (readonly [string, unknown])[] = [
  ['an IPv6 address', { targetIPs: ['fd00::5'] }],
  ['networks', { targetIPs: ['10.0.0.0/24', 'fd00::/64', '0.0.0.0/0'] }],
  ['an address within its network', { targetIPs: ['10.0.0.7/24'] }],
  [
    'no addresses, but pods',
    { targetIPs: [], podSelector: { pods: [{ podName: 'a.b-0', namespace: 'default' }] } },
  ],
  ['the first and the last port', { targetIPs: ip, targetPorts: [1, 65_535] }],
  ['an empty filter', { targetIPs: ip, filter: '' }],
]
for (const [index, [what, spec]] of taken.entries()) {
  test.serial(`kubectl apply takes ${what}`, async t =>
    t.like(await apply(`taken-${index}`, spec), { code: 0, err: '' }),
  )
}

const pod = { podName: 'a', namespace: 'default' }
const refused: readonly (readonly [string, unknown, RegExp])[] = [
  ['no spec', undefined, /spec: Required value/],
  [
    'nothing to capture',
    {},
    /spec: .*expected targetIPs with at least one address, podSelector, or both/,
  ],
  [
    'an empty list of addresses',
    { targetIPs: [] },
    /spec: .*expected targetIPs with at least one address/,
  ],
  [
    'an address beyond 255',
    { targetIPs: ['999.1.1.1'] },
    /spec\.targetIPs\[0\]: .*found 999\.1\.1\.1, expected an IPv4 or IPv6 address/,
  ],
  [
    'a host name',
    { targetIPs: ['10.0.0.1', 'example.com'] },
    /spec\.targetIPs\[1\]: .*found example\.com, expected/,
  ],
  [
    'a network longer than 32 bits',
    { targetIPs: ['10.0.0.0/33'] },
    /spec\.targetIPs\[0\]: .*found 10\.0\.0\.0\/33, expected/,
  ],
  [
    'a filter as an address',
    { targetIPs: ['10.0.0.1 or tcp'] },
    /spec\.targetIPs\[0\]: .*found 10\.0\.0\.1 or tcp, expected/,
  ],
  [
    'an IPv6 address with a zone',
    { targetIPs: ['fe80::1%eth0'] },
    /spec\.targetIPs\[0\]: .*found fe80::1%eth0, expected/,
  ],
  ['no pods', { podSelector: { pods: [] } }, /spec\.podSelector\.pods: .*at least 1/],
  [
    'a pod without its namespace',
    { podSelector: { pods: [{ podName: 'a' }] } },
    /spec\.podSelector\.pods\[0\]\.namespace: Required value/,
  ],
  [
    'a pod without its name',
    { podSelector: { pods: [{ namespace: 'a' }] } },
    /spec\.podSelector\.pods\[0\]\.podName: Required value/,
  ],
  [
    'a pod name with a slash',
    { podSelector: { pods: [{ ...pod, podName: '../x' }] } },
    /pods\[0\]\.podName: Invalid value: "\.\.\/x"/,
  ],
  [
    'port 0',
    { targetIPs: ip, targetPorts: [80, 0] },
    /spec\.targetPorts\[1\]: Invalid value: 0: .*greater than or equal to 1/,
  ],
  [
    'port 65536',
    { targetIPs: ip, targetPorts: [65_536] },
    /spec\.targetPorts\[0\]: Invalid value: 65536: .*less than or equal to 65535/,
  ],
  [
    'a port in quotes',
    { targetIPs: ip, targetPorts: ['80'] },
    /spec\.targetPorts\[0\]: .*must be of type integer/,
  ],
  [
    'no time',
    { targetIPs: ip, duration: 0 },
    /spec\.duration: Invalid value: 0: .*greater than or equal to 1/,
  ],
  [
    'no packets',
    { targetIPs: ip, maxPackets: 0 },
    /spec\.maxPackets: Invalid value: 0: .*greater than or equal to 1/,
  ],
  [
    'a format nobody knows',
    { targetIPs: ip, outputFormat: 'json' },
    /spec\.outputFormat: .*"json": supported values: "pcap", "text", "stdout"/,
  ],
  [
    'a filter of 1,025 characters',
    { targetIPs: ip, filter: 'x'.repeat(1_025) },
    /spec\.filter: Too long: .*1024/,
  ],
  [
    'a misspelt field',
    { targetIPs: ip, maxPacket: 5 },
    /strict decoding error: unknown field "spec\.maxPacket"/,
  ],
]
for (const [index, [what, spec, words]] of refused.entries()) {
  test.serial(`kubectl apply refuses ${what}`, async t => {
    const { code, err } = await apply(`refused-${index}`, spec)
    t.is(code, 1)
    t.regex(err, words)
  })
}

test.serial('kubectl apply refuses a name that is too long for a file name', async t => {
  const { code, err } = await apply('n'.repeat(201), { targetIPs: ip })
  t.is(code, 1)
  t.regex(err, /metadata\.name .*at most 200 characters/)
})
