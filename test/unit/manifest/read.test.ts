import { readdirSync, readFileSync } from 'node:fs'
import test from 'ava'
import { explainError } from '../../../src/manifest/problem.ts'
import { readDocuments } from '../../../src/manifest/read.ts'
import { kinds, otherKinds } from '../../../src/manifest/schema.ts'

const head =
  'apiVersion: projectcalico.org/v3\nkind: PacketCapture\nmetadata: {name: a, namespace: shop}\n'

function told(text: string): string[] {
  return readDocuments(text, 'file.yaml').problems.map(problem => problem.text)
}

test('readDocuments() reads many documents and fills the defaults in', t => {
  const { documents, problems } = readDocuments(
    `${head}spec: {}\n---\n---\napiVersion: projectcalico.org/v3\nkind: WorkloadEndpoint\nmetadata: {name: w}\nspec: {pod: web-0}\n`,
    'file.yaml',
  )
  t.deepEqual(problems, [])
  t.deepEqual(
    documents.map(({ kind, metadata }) => [kind, metadata.namespace]),
    [
      ['PacketCapture', 'shop'],
      ['WorkloadEndpoint', 'default'],
    ],
  )
  t.like(documents[0]?.spec, {
    selector: 'all()',
    snapLength: 262_144,
    payload: 'Full',
    format: 'pcap',
    vantage: 'Auto',
  })
})

test('readDocuments() reads JSON and lists', t => {
  const item = {
    apiVersion: 'projectcalico.org/v3',
    kind: 'PacketCapture',
    metadata: { name: 'a' },
    spec: {},
  }
  t.is(
    readDocuments(JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [item, item] }), 'f')
      .documents.length,
    2,
  )
})

test('readDocuments() leaves times as they are written', t => {
  const { documents } = readDocuments(`${head}spec: {startTime: 2021-08-26T12:00:00Z}\n`, 'f')
  t.like(documents[0]?.spec, { startTime: '2021-08-26T12:00:00Z' })
})

test('readDocuments() reports every error at once, each with file, line, column and document', t => {
  const text = `${head}spec:\n  selecter: all()\n  snapLength: 0\n---\n${head}spec:\n  filters:\n  - {protocol: tcp, ports: [http, 70000, '9:3', 80]}\n  - {}\n`
  t.deepEqual(told(text), [
    'file.yaml:5:3: document 1: spec.selecter: unknown field, did you mean "selector"?',
    'file.yaml:6:3: document 1: spec.snapLength: found 0, expected at least 1',
    'file.yaml:13:6: document 2: spec.filters[0].protocol: found "tcp", expected TCP, UDP, ICMP, ICMPv6, SCTP, UDPLite, or a number from 1 to 255',
    'file.yaml:13:29: document 2: spec.filters[0].ports[0]: found "http", expected a port from 1 to 65535 or "first:last"; named ports are not supported by PacketCapture',
    'file.yaml:13:35: document 2: spec.filters[0].ports[1]: found 70000, expected a port from 1 to 65535 or "first:last"; named ports are not supported by PacketCapture',
    'file.yaml:13:42: document 2: spec.filters[0].ports[2]: found "9:3", expected a port from 1 to 65535 or "first:last"; named ports are not supported by PacketCapture',
    'file.yaml:14:5: document 2: spec.filters[1]: a filter needs protocol, ports or both',
  ])
})

const refusals: readonly (readonly [what: string, text: string, words: RegExp])[] = [
  [
    'an end before the start',
    `${head}spec: {startTime: '2021-08-26T12:00:00Z', endTime: '2021-08-26T12:00:00Z'}\n`,
    /spec\.endTime: endTime must be after startTime$/,
  ],
  [
    'a time that is none',
    `${head}spec: {startTime: yesterday}\n`,
    /spec\.startTime: found "yesterday", expected a time as in RFC 3339/,
  ],
  [
    'an unknown kind',
    'apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n',
    /kind: found "Pod", expected PacketCapture or WorkloadEndpoint/,
  ],
  [
    'a misspelt kind',
    'apiVersion: projectcalico.org/v3\nkind: PacketCaptur\nmetadata: {name: a}\n',
    /did you mean "PacketCapture"/,
  ],
  [
    'another version',
    'apiVersion: projectcalico.org/v4\nkind: PacketCapture\nmetadata: {name: a}\n',
    /apiVersion: found "projectcalico.org\/v4", expected projectcalico.org\/v3/,
  ],
  [
    'no name',
    'apiVersion: projectcalico.org/v3\nkind: PacketCapture\nmetadata: {}\nspec: {}\n',
    /metadata\.name: found nothing, expected this field/,
  ],
  [
    'a name with a path in it',
    'apiVersion: projectcalico.org/v3\nkind: PacketCapture\nmetadata: {name: ../../etc}\nspec: {}\n',
    /metadata\.name: found "\.\.\/\.\.\/etc", expected a DNS name/,
  ],
  [
    'a namespace with dots',
    'apiVersion: projectcalico.org/v3\nkind: PacketCapture\nmetadata: {name: a, namespace: a.b}\nspec: {}\n',
    /metadata\.namespace: found "a\.b", expected a DNS label/,
  ],
  [
    'a label that is none',
    'apiVersion: projectcalico.org/v3\nkind: WorkloadEndpoint\nmetadata: {name: a, labels: {app: "a b"}}\nspec: {}\n',
    /metadata\.labels\.app: found "a b"/,
  ],
  [
    'an interface name with a blank',
    'apiVersion: projectcalico.org/v3\nkind: WorkloadEndpoint\nmetadata: {name: a}\nspec: {interfaceName: "a b"}\n',
    /spec\.interfaceName: found "a b", expected 1 to 127 letters, digits/,
  ],
  [
    'a word in place of five fields',
    `${head}spec: {schedule: {cron: '@daily', durationSeconds: 1}}\n`,
    /spec\.schedule\.cron: found "@daily", expected five fields: minute, hour, day of month, month, day of week; for @daily write 0 0 \* \* \*$/,
  ],
  ['an hour that no day has', `${head}spec: {startTime: '2026-08-26T24:00:00Z'}\n`, /RFC 3339/],
  [
    'an offset that no place has',
    `${head}spec: {startTime: '2026-08-26T12:00:00+25:00'}\n`,
    /RFC 3339/,
  ],
  ['an alias within its own value', '&a {kind: *a}', /alias \*a lies within what it stands for$/],
  ['an alias of nothing', 'kind: *a', /alias \*a comes before its anchor &a, or without one$/],
  ['a key that is no text', '? {a: b}\n: c', /keys must be strings/],
  ['a port beyond all numbers', `${head}spec: {filters: [{ports: [1e300]}]}\n`, /expected a port/],
  ['a key twice', `${head}spec: {}\nspec: {}\n`, /unique/],
  ['YAML that is none', `${head}spec: {`, /file\.yaml:\d+:\d+: document 1/],
  ['NUL', `${head}spec: {}\0`, /found bytes that are no text/],
  ['bytes that are no UTF-8', `${head}spec: {}\uFFFD`, /found bytes that are no text/],
  [
    'a number that is too large',
    `${head}spec: {snapLength: 262145}\n`,
    /spec\.snapLength: found 262145, expected at most 262144/,
  ],
  [
    'a fraction',
    `${head}spec: {limits: {packets: 1.5}}\n`,
    /spec\.limits\.packets: found 1\.5, expected a whole number/,
  ],
  [
    'an unknown word',
    `${head}spec: {payload: None}\n`,
    /spec\.payload: found "None", expected Full or Headers/,
  ],
  ['a list in place of fields', `${head}spec: []\n`, /spec: found \[\], expected fields/],
  ['a text in place of a document', 'hello\n', /kind: found nothing, expected PacketCapture/],
  [
    'a schedule without a duration',
    `${head}spec: {schedule: {cron: '0 2 * * *'}}\n`,
    /spec\.schedule\.durationSeconds: found nothing/,
  ],
  [
    'an interface name that is too long',
    `apiVersion: projectcalico.org/v3\nkind: WorkloadEndpoint\nmetadata: {name: a}\nspec: {interfaceName: ${'a'.repeat(128)}}\n`,
    /spec\.interfaceName/,
  ],
]
for (const [what, text, words] of refusals) {
  test(`readDocuments() refuses ${what}`, t => {
    t.regex(told(text).join('\n'), words)
    t.deepEqual(readDocuments(text, 'file.yaml').documents, [])
  })
}

test('readDocuments() refuses a bomb of aliases, quickly', t => {
  const levels = Array.from(
    { length: 9 },
    (_, level) => `a${level + 1}: &a${level + 1} [${Array(9).fill(`*a${level}`).join(',')}]`,
  )
  t.regex(told(`a0: &a0 [x]\n${levels.join('\n')}\n`).join(), /alias/i)
})

test('readDocuments() merges << and takes null for nothing, as a cluster does', t => {
  const { documents, problems } = readDocuments(
    `${head}spec: {<<: {format: pcapng, payload: Headers}, payload: Full, selector: null, filters: null}\n`,
    'f',
  )
  t.deepEqual(problems, [])
  const { filters, ...spec } = (documents[0]?.spec ?? {}) as Record<string, unknown>
  t.like(spec, { format: 'pcapng', payload: 'Full', selector: 'all()' })
  t.is(filters, undefined)
})

test('readDocuments() tells the first hundred problems and that there are more', t => {
  const fields = Array.from({ length: 20_000 }, (_, index) => `  k${index}: v`).join('\n')
  const problems = told(`${head}spec:\n${fields}\n`)
  t.is(problems.length, 101)
  t.regex(problems[99] ?? '', /^file\.yaml:104:3: document 1: spec\.k99: unknown field/)
  t.regex(problems[100] ?? '', /found 100 problems, the rest of the file was not read$/)
})

test('readDocuments() takes as many labels as anybody writes', t => {
  const labels = Array.from({ length: 5_000 }, (_, index) => `    k${index}: v`).join('\n')
  const { documents, problems } = readDocuments(
    `apiVersion: projectcalico.org/v3\nkind: WorkloadEndpoint\nmetadata:\n  name: w\n  labels:\n${labels}\nspec: {}\n`,
    'f',
  )
  t.deepEqual(problems, [])
  t.is(Object.keys(documents[0]?.metadata.labels ?? {}).length, 5_000)
})

test('explainError() has words for every pattern of the schemas', t => {
  const patterns = [
    ...JSON.stringify([...kinds, ...otherKinds()].map(({ schema }) => schema)).matchAll(
      /(?<!"propertyNames":\{)"pattern":("(?:[^"\\]|\\.)*")/g,
    ),
  ].map(([, pattern = '']) => JSON.parse(pattern) as string)
  t.true(patterns.length >= 6)
  for (const schema of new Set(patterns)) {
    const error = { keyword: 'pattern', instancePath: '', schemaPath: '', params: {}, schema }
    t.notRegex(explainError({ ...error, parentSchema: {}, data: '' }).message, /what fits/, schema)
  }
})

test('readDocuments() lets no document change what all objects have', t => {
  readDocuments(
    `${head}spec: {__proto__: {polluted: true}, constructor: {prototype: {polluted: true}}}\n`,
    'f',
  )
  t.is(({} as { polluted?: boolean }).polluted, undefined)
})

test('readDocuments() refuses a text that is too large', t => {
  t.regex(told(`# ${'x'.repeat(5_000_000)}`).join(), /found 5000002 bytes, expected at most/)
})

for (const file of readdirSync(new URL('../../../examples', import.meta.url)).filter(name =>
  name.endsWith('.yaml'),
)) {
  test(`readDocuments() takes examples/${file}`, t => {
    const { documents, problems } = readDocuments(
      readFileSync(new URL(`../../../examples/${file}`, import.meta.url), 'utf8'),
      file,
      [...kinds, ...otherKinds()],
    )
    t.deepEqual(problems, [])
    t.true(documents.length > 0)
  })
}
