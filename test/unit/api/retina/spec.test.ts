import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { parseAllDocuments } from 'yaml'
import { parseRetinaCapture } from '../../../../src/api/retina/spec.ts'
import type { Intent } from '../../../../src/model/capture.ts'
import type { Labels } from '../../../../src/model/labels.ts'
import { defaultSettings } from '../../../../src/model/settings.ts'
import type { OtherCapture } from '../../../../src/model/world.ts'
import { casesOf } from '../../../support/model/retinaCases.ts'
import { read, root } from '../../../support/repository.ts'

const createdAt = '2026-01-02T03:04:05Z'
const createdAtMs = Date.parse(createdAt)
const place = {
  settings: defaultSettings,
  nodeLabels: {} as Labels,
  namespaceLabels: new Map<string, Labels>(),
}

function capture(spec: object, more: object = {}): OtherCapture {
  const metadata = {
    name: 'a',
    namespace: 'shop',
    uid: 'u',
    generation: 2,
    creationTimestamp: createdAt,
    ...more,
  }
  return { apiVersion: 'retina.sh/v1alpha1', kind: 'Capture', metadata, spec: { ...spec } }
}

const target = (captureTarget: object): object => ({
  captureConfiguration: { captureTarget, captureOption: { duration: '10s' } },
  outputConfiguration: { hostPath: 'capture' },
})
const option = (captureOption: object | undefined, more: object = {}): object => ({
  captureConfiguration: {
    captureTarget: { podSelector: {} },
    ...(captureOption && { captureOption }),
    ...more,
  },
  outputConfiguration: { hostPath: 'capture' },
})

function accepted(
  spec: object,
  surroundings: Partial<typeof place> = {},
  more: object = {},
): Intent {
  const intent = parseRetinaCapture(capture(spec, more), { ...place, ...surroundings })
  if (!intent.ok) throw new Error(intent.message)
  return intent
}

function refusal(spec: object): string {
  const intent = parseRetinaCapture(capture(spec), place)
  return intent.ok ? '' : intent.message
}

test('parseRetinaCapture() fills in what the capture does not say', t => {
  const { matches: _, ...intent } = accepted(option({ duration: '10s', maxCaptureSize: 100 }))
  t.deepEqual(intent, {
    ok: true,
    capture: { api: 'Capture', namespace: 'shop', name: 'a', uid: 'u' },
    key: 'shop.retina.sh/a',
    generation: 2,
    createdAtMs,
    scope: { kind: 'Namespaces', names: ['shop'] },
    selector: 'pods all of namespaces shop',
    filter: '',
    window: { endMs: createdAtMs + 40_000 },
    limits: { durationMs: 10_000, bytes: 104_857_600 },
    rotation: {
      fileBytesMax: defaultSettings.captureDiskBytesMax,
      fileAgeMsMax: 3_153_600_000_000,
      filesMax: 1_000,
    },
    snapLength: 262_144,
    payload: 'Full',
    format: 'pcap',
    vantage: 'Auto',
    artifact: {
      kind: 'RetinaArchive',
      createdAtMs,
      place: { base: '/var/log/retina/captures', below: ['capture'] },
      includeMetadata: true,
      display: [],
    },
    notes: [],
  })
})

const samples = parseAllDocuments(read('test/fixtures/retina-samples.yaml')).map(
  document => document.toJS() as { spec: object },
)
const noTarget = 'neither NodeSelector, NamespaceSelector&PodSelector, nor PodNames is set'
const absolute = (path: string): string =>
  `invalid OutputConfiguration.HostPath: hostPath must be a relative subpath name, not an absolute path: "${path}"`
for (const [index, expected] of [
  noTarget,
  noTarget,
  absolute('/tmp/captures'),
  absolute('/tmp/captures'),
  absolute('/tmp/captures'),
  absolute('/tmp/retina'),
].entries()) {
  test(`parseRetinaCapture() says of sample ${index + 1} of the manual what Retina says`, t =>
    t.is(refusal(samples[index]?.spec ?? {}), expected))
}

for (const file of readdirSync(join(root, 'examples', 'retina')).filter(name =>
  name.endsWith('.yaml'),
)) {
  test(`parseRetinaCapture() takes ${file}`, t => {
    for (const document of parseAllDocuments(read(`examples/retina/${file}`)))
      t.is(refusal((document.toJS() as { spec: object }).spec), '')
  })
}

type Target = {
  readonly name: string
  readonly podNames: readonly string[]
  readonly error: string | null
} & Record<'nodeSelector' | 'namespaceSelector' | 'podSelector', boolean>
for (const { name, error, podNames, ...selectors } of casesOf<Target>('targetSelector')) {
  test(`targetSelector: ${name} is ${error ?? 'taken'}`, t => {
    const present = Object.entries(selectors)
      .filter(([, isThere]) => isThere)
      .map(([field]) => [field, {}])
    t.is(refusal(target({ ...Object.fromEntries(present), podNames })), error ?? '')
  })
}

type Validation = {
  readonly name: string
  readonly valid: boolean
  readonly error?: string
} & Readonly<Record<string, unknown>>
for (const {
  name,
  valid,
  error,
  target: selected,
  hostPath = 'capture',
  tcpdumpFilter,
  ...captureOption
} of casesOf<Validation>('captureValidation')) {
  test(`captureValidation: ${name}`, t => {
    const message = refusal({
      captureConfiguration: {
        captureTarget: selected === null ? {} : { nodeSelector: {} },
        captureOption,
        tcpdumpFilter,
      },
      outputConfiguration: { hostPath },
    })
    t.is(message === '', valid, message)
    if (error) t.is(message, error)
    else if (!valid) t.regex(message, /^invalid OutputConfiguration\.HostPath: hostPath must /)
  })
}

type Environment = {
  readonly name: string
  readonly spec: Record<string, unknown>
  readonly env?: Record<string, string>
  readonly error?: boolean
}
for (const { name, spec, env, error } of casesOf<Environment>('jobEnv')) {
  test(`jobEnv: ${name}`, t => {
    const {
      hostPath,
      pvc: persistentVolumeClaim,
      blobUpload,
      includeMetadata = false,
      tcpdumpFilter,
      ...captureOption
    } = spec
    const document = {
      captureConfiguration: {
        captureTarget: { podSelector: {} },
        captureOption: { duration: '1s', ...captureOption },
        includeMetadata,
        tcpdumpFilter,
      },
      outputConfiguration: { hostPath, persistentVolumeClaim, blobUpload },
    }
    if (error) return void t.not(refusal(document), '')
    const { artifact, filter, snapLength, rotation } = accepted(document, {
      settings: { ...defaultSettings, captureHostPathBaseDir: '/tmp' },
    })
    if (artifact?.kind !== 'RetinaArchive') return t.fail('expected an archive')
    t.is(artifact.place && [artifact.place.base, ...artifact.place.below].join('/'), env?.HOSTPATH)
    t.is(artifact.includeMetadata, env?.INCLUDE_METADATA === 'true')
    t.is(filter, env?.PCAP_FILTER ?? env?.TCPDUMP_RAW_FILTER ?? '')
    t.is(snapLength, Number(env?.CAPTURE_PACKET_SIZE ?? 262_144))
    if (env?.CAPTURE_FILE_COUNT)
      t.like(rotation, {
        filesMax: Number(env.CAPTURE_FILE_COUNT) - 1,
        fileBytesMax: Number(env.CAPTURE_MAX_SIZE) * 1_000_000,
      })
  })
}

type Nodes = {
  readonly name: string
  readonly nodes?: readonly { readonly labels: Labels }[]
  readonly expected?: object
} & Record<string, unknown>
for (const { name, nodeSelector, nodes = [], expected } of casesOf<Nodes>(
  'selectorToNodeTargets',
).filter(row => row.nodeSelector)) {
  test(`selectorToNodeTargets: ${name}`, t => {
    const { scope } = accepted(target({ nodeSelector }), { nodeLabels: nodes[0]?.labels ?? {} })
    t.deepEqual(scope, expected ? { kind: 'Host' } : { kind: 'Namespaces', names: [] })
  })
}

const namespaceLabels = new Map<string, Labels>([
  ['shop', { team: 'a', 'kubernetes.io/metadata.name': 'shop' }],
  ['bank', { team: 'a', 'kubernetes.io/metadata.name': 'bank' }],
  ['zoo', { team: 'b', 'kubernetes.io/metadata.name': 'zoo' }],
])

test('parseRetinaCapture() takes pods of the selected namespaces, and without a selector of its own alone', t => {
  const namesOf = (captureTarget: object): unknown =>
    accepted(target(captureTarget), { namespaceLabels }).scope
  t.deepEqual(namesOf({ podSelector: {} }), { kind: 'Namespaces', names: ['shop'] }) // Retina of that commit: "default"
  t.deepEqual(namesOf({ podSelector: {}, namespaceSelector: { matchLabels: { team: 'a' } } }), {
    kind: 'Namespaces',
    names: ['bank', 'shop'],
  })
  t.deepEqual(namesOf({ podSelector: {}, namespaceSelector: {} }), {
    kind: 'Namespaces',
    names: ['bank', 'shop', 'zoo'],
  })
  t.deepEqual(namesOf({ podSelector: {}, namespaceSelector: { matchLabels: { team: 'c' } } }), {
    kind: 'Namespaces',
    names: [],
  })
  t.deepEqual(namesOf({ podNames: ['web'] }), { kind: 'Namespaces', names: ['shop'] })
})

test('parseRetinaCapture() matches pods by labels, or by name', t => {
  const labels: Labels = { app: 'web' }
  const label = (name: string): string | undefined => labels[name]
  t.true(
    accepted(target({ podSelector: { matchLabels: { app: 'web' } } })).matches(label, {
      namespace: 'shop',
      name: 'web-0',
    }),
  )
  t.false(
    accepted(target({ podSelector: { matchLabels: { app: 'db' } } })).matches(label, {
      namespace: 'shop',
      name: 'web-0',
    }),
  )
  t.true(
    accepted(target({ podNames: ['db-0', 'web-0'] })).matches(label, {
      namespace: 'shop',
      name: 'web-0',
    }),
  )
  t.false(
    accepted(target({ podNames: ['db-0', 'web-0'] })).matches(label, {
      namespace: 'shop',
      name: 'web-1',
    }),
  )
})

test("parseRetinaCapture() takes the node's interfaces by name, a file each; of pods it says that it does not", t => {
  const spec = (captureTarget: object, interfaces: readonly string[]): object => ({
    captureConfiguration: { captureTarget, captureOption: { duration: '1s', interfaces } },
    outputConfiguration: { hostPath: 'x' },
  })
  const scopeOf = (interfaces: readonly string[]): unknown =>
    accepted(spec({ nodeSelector: {} }, interfaces)).scope
  t.deepEqual(scopeOf([]), { kind: 'Host' })
  t.deepEqual(scopeOf(['eth0', ' ', 'eth1', '', ' eth2 ']), {
    kind: 'Host',
    interfaces: ['eth0', 'eth1', 'eth2'],
  })
  t.deepEqual(scopeOf(['any']), { kind: 'Host' })
  t.is(accepted(spec({ nodeSelector: {} }, [])).vantage, 'HostVeth')
  t.deepEqual(accepted(spec({ podSelector: {} }, ['eth1'])).notes, [
    'captureOption.interfaces (eth1) are those of nodes; pods are captured on their own',
  ])
})

test('parseRetinaCapture() ANDs everything that narrows, whatever the target', t => {
  const filters = { include: ['10.0.0.9:80'], exclude: ['*:22'] }
  const pcapFilter = 'tcp or udp'
  t.is(
    accepted(option({ duration: '1s', pcapFilter, sourceIPs: ['10.0.0.1'] }, { filters })).filter,
    '((tcp or udp) and (src host 10.0.0.1)) and (((host 10.0.0.9 and port 80)) and not ((port 22)))',
  )
})

type Precedence = {
  readonly pcapFilter: string
  readonly tcpdumpFilter: string
  readonly used?: string
  readonly error?: string
}
for (const { pcapFilter, tcpdumpFilter, used, error } of casesOf<Precedence>(
  'userFilterPrecedence',
)) {
  test(`userFilterPrecedence: pcapFilter "${pcapFilter}" over tcpdumpFilter "${tcpdumpFilter}"`, t => {
    const spec = option({ duration: '1s', pcapFilter }, { tcpdumpFilter })
    if (error) return void t.regex(refusal(spec), /^pcapFilter: .*contains flag "-n"/)
    const { filter, notes } = accepted(spec)
    t.is(filter, used ?? '')
    t.is(
      notes.some(note => note.startsWith('tcpdumpFilter is deprecated')),
      tcpdumpFilter !== '',
    )
  })
}

test('a capture that is being deleted is over since then, whatever its duration', t => {
  const deleted = { deletionTimestamp: '2026-01-02T03:04:10Z' }
  t.deepEqual(accepted(option({ duration: '1h' }), {}, deleted).window, {
    endMs: createdAtMs + 5_000,
  })
  t.deepEqual(accepted(option({ maxCaptureSize: 1 }), {}, deleted).window, {
    endMs: createdAtMs + 5_000,
  })
})

test('parseRetinaCapture() takes any of the outputs', t => {
  const s3Upload = { bucket: 'b', secretName: 's', region: 'eu-central-1' }
  const output = (outputConfiguration: object): object => ({
    captureConfiguration: { captureTarget: { podSelector: {} }, captureOption: { duration: '1s' } },
    outputConfiguration,
    cleanUpAfterUpload: true,
  })
  const stores = [{ kind: 's3', ...s3Upload } as const]
  t.deepEqual(accepted(output({ s3Upload, persistentVolumeClaim: 'c' })).output, {
    stores,
    claim: 'c',
    isCleanedUp: true,
  })
  t.like(accepted(output({ blobUpload: 'sas' })).artifact, { place: undefined })
  t.is(refusal(output({})), 'At least one output configuration should be set')
  t.is(refusal(output({ hostPath: '' })), 'invalid OutputConfiguration.HostPath: hostPath is empty')
})
