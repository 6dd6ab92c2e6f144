// Retina's Capture as users type it: the real kubectl against a real API server that serves
// crds/retina/captures.retina.sh.yaml.
import { join } from 'node:path'
import test from 'ava'
import { parseAllDocuments } from 'yaml'
import { under } from '../../../repo/tree.ts'
import { type ApiServer, startApiServer } from '../../../support/kube/apiServer.ts'
import { read, root } from '../../../support/repository.ts'

const shared: { api?: ApiServer } = {}
const samples = parseAllDocuments(read('test/fixtures/retina-samples.yaml')).map(document =>
  document.toJS(),
)

test.before(async () => {
  const server = await startApiServer()
  shared.api = server
  for (const file of ['packetcapture.yaml', 'retina/captures.retina.sh.yaml'])
    await server.kubectl('apply', '-f', join(root, 'crds', file))
  await server.kubectl('wait', '--for=condition=Established', 'crd', '--all', '--timeout=60s')
})
test.after.always(() => shared.api?.stop())

function api(): ApiServer {
  if (!shared.api) throw new Error('Cannot test: no API server was started')
  return shared.api
}

const captureOf = (name: string, spec: unknown): string =>
  JSON.stringify({
    apiVersion: 'retina.sh/v1alpha1',
    kind: 'Capture',
    metadata: { name, namespace: 'default' },
    spec,
  })

const apply = (name: string, spec: unknown) =>
  api().ask(['apply', '--validate=strict', '-f', '-'], { input: captureOf(name, spec) })
const got = async (name: string) =>
  JSON.parse(await api().kubectl('get', 'captures.retina.sh', name, '-o', 'json'))

/** Captures every pod of its namespace for a minute, with these fields in place of that. */
const specWith = (captureConfiguration: object = {}, more: object = {}): object => ({
  captureConfiguration: {
    captureTarget: { podSelector: {} },
    captureOption: { duration: '1m' },
    ...captureConfiguration,
  },
  outputConfiguration: { hostPath: 'captures' },
  ...more,
})
const option = (captureOption: object): object => specWith({ captureOption })

for (const [index, sample] of samples.entries()) {
  test.serial(
    `kubectl apply takes sample ${index + 1} of the manual, ${sample.metadata.name}, as it stands`,
    async t => {
      const namespace = `sample-${index}`
      await api().kubectl('create', 'namespace', namespace)
      const answer = await api().ask(['apply', '--validate=strict', '-n', namespace, '-f', '-'], {
        input: JSON.stringify(sample),
      })
      t.like(answer, {
        code: 0,
        err: '',
        out: `capture.retina.sh/${sample.metadata.name} created\n`,
      })
      const { spec } = JSON.parse(
        await api().kubectl('get', 'capture', sample.metadata.name, '-n', namespace, '-o', 'json'),
      )
      t.like(spec, {
        cleanUpAfterUpload: false,
        outputConfiguration: sample.spec.outputConfiguration,
      })
      t.like(spec.captureConfiguration, {
        includeMetadata: true,
        captureTarget: sample.spec.captureConfiguration.captureTarget,
      })
      t.deepEqual(spec.captureConfiguration.captureOption, {
        maxCaptureSize: 100,
        ...sample.spec.captureConfiguration.captureOption,
      })
    },
  )
}

test.serial('maxCaptureSize has its default only where captureOption is given', async t => {
  t.like(await apply('no-option', specWith({ captureOption: undefined })), { code: 0, err: '' })
  t.is((await got('no-option')).spec.captureConfiguration.captureOption, undefined)
  t.like(await apply('empty-option', option({})), { code: 0, err: '' })
  t.deepEqual((await got('empty-option')).spec.captureConfiguration.captureOption, {
    maxCaptureSize: 100,
  })
})

const displays = {
  booleans: {
    ...Object.fromEntries(
      ['noPromiscuous', 'packetBuffered', 'immediateMode', 'noResolveDNS', 'noResolvePort'].map(
        name => [name, true],
      ),
    ),
    ...Object.fromEntries(
      ['printLinkHeader', 'quietOutput', 'absoluteSeq', 'dontVerifyChecksum'].map(name => [
        name,
        true,
      ]),
    ),
    ...Object.fromEntries(
      ['verbose', 'printDataHexLink', 'dateTimestamp'].map(name => [name, true]),
    ),
    ...Object.fromEntries(
      ['extraVerbose', 'maxVerbose', 'printDataHex', 'printDataASCII', 'printDataASCIILink'].map(
        name => [name, false],
      ),
    ),
    ...Object.fromEntries(
      ['noTimestamp', 'unformattedTimestamp', 'deltaTimestamp', 'deltaSinceFirst'].map(name => [
        name,
        false,
      ]),
    ),
  },
  enums: {
    verbosity: 'max',
    printDataFormat: 'ascii-with-link',
    timestampFormat: 'delta-since-first',
  },
  'empty enums': { verbosity: '', printDataFormat: '', timestampFormat: '' },
}
const taken: readonly (readonly [string, unknown])[] = [
  [
    'empty objects, which the status complains of',
    { captureConfiguration: { captureTarget: {} }, outputConfiguration: {} },
  ],
  [
    'a filter with hyphens',
    option({ duration: '1m', pcapFilter: 'tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn' }),
  ],
  ['the deprecated filter, with hyphens', specWith({ tcpdumpFilter: 'portrange 80-90' })],
  ...Object.entries(displays).map(
    ([name, fields]) =>
      [`display options as ${name}`, option({ duration: '1m', ...fields })] as const,
  ),
  ...['500ms', '1h30m', '1.5s', '10us', '10µs'].map(
    duration => [`the duration ${duration}`, option({ duration })] as const,
  ),
  [
    'filters of every form',
    specWith({
      filters: { include: ['10.0.0.0/8:80-90', '[fd00::1]:53', '*:443'], exclude: ['22'] },
    }),
  ],
  [
    'rotation',
    option({
      duration: '1m',
      maxCaptureSize: 50,
      fileCount: 5,
      packetSize: 96,
      interfaces: ['eth0'],
    }),
  ],
  ['addresses', option({ duration: '1m', sourceIPs: ['10.0.0.1'], destinationIPs: ['fd00::1'] })],
  [
    'a claim to write to, without metadata',
    specWith({ includeMetadata: false }, { outputConfiguration: { persistentVolumeClaim: 'c' } }),
  ],
]
for (const [index, [what, spec]] of taken.entries()) {
  test.serial(`kubectl apply takes ${what}`, async t =>
    t.like(await apply(`taken-${index}`, spec), { code: 0, err: '' }),
  )
}

const refused: readonly (readonly [string, unknown, RegExp])[] = [
  ['no spec', undefined, /spec: Required value/],
  [
    'no target',
    { captureConfiguration: {}, outputConfiguration: {} },
    /captureTarget: Required value/,
  ],
  [
    'no output',
    { captureConfiguration: { captureTarget: {} } },
    /outputConfiguration: Required value/,
  ],
  [
    'a misspelt field',
    option({ durations: '1m' }),
    /unknown field "spec\.captureConfiguration\.captureOption\.durations"/,
  ],
  ['a duration without a unit', option({ duration: '60' }), /captureOption\.duration/],
  ['a negative duration', option({ duration: '-1s' }), /captureOption\.duration/],
  ['a negative size', option({ maxCaptureSize: -1 }), /captureOption\.maxCaptureSize/],
  ['no file at all', option({ fileCount: 0 }), /captureOption\.fileCount/],
  ['a word that no verbosity is', option({ verbosity: 'vvv' }), /captureOption\.verbosity/],
  [
    '101 source addresses',
    option({ sourceIPs: Array(101).fill('10.0.0.1') }),
    /captureOption\.sourceIPs/,
  ],
  [
    'a filter of 1,025 characters',
    option({ pcapFilter: 'x'.repeat(1_025) }),
    /captureOption\.pcapFilter/,
  ],
  [
    'a bucket without a Secret',
    specWith({}, { outputConfiguration: { s3Upload: { bucket: 'b' } } }),
    /secretName: Required value/,
  ],
]
for (const [index, [what, spec, words]] of refused.entries()) {
  test.serial(`kubectl apply refuses ${what}`, async t => {
    const { code, err } = await apply(`refused-${index}`, spec)
    t.is(code, 1)
    t.regex(err, words)
  })
}

test.serial('kubectl get shows how the capture stands, and wait returns', async t => {
  await apply('seen', specWith())
  const at = '2026-11-21T12:00:00Z'
  const condition = {
    type: 'complete',
    status: 'True',
    reason: 'JobsCompleted',
    message: 'All 2 Capture jobs are completed',
  }
  const status = {
    conditions: [{ ...condition, lastTransitionTime: at }],
    startTime: at,
    completionTime: at,
    succeeded: 2,
  }
  await api().kubectl(
    'patch',
    'capture',
    'seen',
    '--subresource=status',
    '--type=merge',
    '-p',
    JSON.stringify({ status }),
  )
  await api().kubectl('wait', '--for=condition=complete', 'capture/seen', '--timeout=60s')
  const [header = '', row = ''] = (await api().kubectl('get', 'capture', 'seen')).split('\n')
  t.deepEqual(header.trim().split(/\s+/), [
    'NAME',
    'COMPLETE',
    'ERROR',
    'ACTIVE',
    'SUCCEEDED',
    'FAILED',
    'AGE',
  ])
  t.regex(row, /^seen +True +2 +\d+s$/)
  await apply('seen', specWith({ includeMetadata: false }))
  t.like(await got('seen'), { status, spec: { captureConfiguration: { includeMetadata: false } } })
})

test.serial(
  'kubectl get captures and kubectl get retina list it, beside any PacketCapture',
  async t => {
    const packetCapture = {
      apiVersion: 'projectcalico.org/v3',
      kind: 'PacketCapture',
      metadata: { name: 'other' },
      spec: {},
    }
    await api().ask(['apply', '-f', '-'], { input: JSON.stringify(packetCapture) })
    await apply('listed', specWith())
    const names = async (...words: string[]) =>
      (await api().kubectl('get', ...words, '-o', 'name')).trim().split('\n')
    const all = await names('captures')
    t.true(
      ['packetcapture.projectcalico.org/other', 'capture.retina.sh/listed'].every(name =>
        all.includes(name),
      ),
      all.join(' '),
    )
    t.false((await names('retina')).includes('packetcapture.projectcalico.org/other'))
    t.deepEqual(await names('capture', 'listed'), ['capture.retina.sh/listed'])
  },
)

for (const [path, words] of [
  ['spec.captureConfiguration.captureTarget.namespaceSelector', /right to create captures/],
  ['spec.captureConfiguration.captureTarget.nodeSelector', /captures\/host/],
  ['spec.captureConfiguration.filters', /not excluded/],
  ['spec.captureConfiguration.captureOption.pcapFilter', /Example: tcp\[tcpflags\]/],
  ['spec.outputConfiguration.hostPath', /relative/],
] as const) {
  test.serial(`kubectl explain capture.${path} says what it is`, async t => {
    t.regex(await api().kubectl('explain', `capture.${path}`), words)
  })
}

for (const file of under('examples').filter(name => name.endsWith('.yaml'))) {
  const documents = parseAllDocuments(read(file)).map(document => document.toJS())
  for (const capture of documents.filter(
    document => document?.apiVersion === 'retina.sh/v1alpha1',
  )) {
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
