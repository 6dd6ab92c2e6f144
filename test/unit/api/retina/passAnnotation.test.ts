import test from 'ava'
import { annotationsWith, passIn } from '../../../../src/api/retina/passAnnotation.ts'
import { parseRetinaCapture } from '../../../../src/api/retina/spec.ts'
import { defaultSettings } from '../../../../src/model/settings.ts'

const pass = { uid: 'u', generation: 3, sinceMs: 1_000, nodes: ['a', 'b'] }
const text = JSON.stringify(pass)

test('passIn() reads what annotationsWith() wrote, and the other annotations stay', t => {
  const annotations = annotationsWith({ mine: 'too', 'selcap.dev/pass': 'old' }, pass)
  t.deepEqual(annotations, { mine: 'too', 'selcap.dev/pass': text })
  t.deepEqual(passIn({ uid: 'u', annotations }), pass)
})

const others: readonly (readonly [what: string, text: string])[] = [
  ['nothing', ''],
  ['no JSON', '{'],
  ['null', 'null'],
  ['a list', '["a"]'],
  ['nodes that are no list', JSON.stringify({ ...pass, nodes: 'a' })],
  ['no generation', JSON.stringify({ ...pass, generation: undefined })],
  ['a time that is none', JSON.stringify({ ...pass, sinceMs: 'now' })],
  ["another resource's", JSON.stringify({ ...pass, uid: 'v' })],
]
for (const [what, written] of others) {
  test(`passIn() finds no pass in ${what}`, t =>
    t.is(passIn({ uid: 'u', annotations: { 'selcap.dev/pass': written } }), undefined))
}

test('passIn() finds none where there are no annotations', t =>
  t.is(passIn({ uid: 'u' }), undefined))

function readWith(captureJobNumLimit: number, annotations: Readonly<Record<string, string>> = {}) {
  const createdAt = '2026-01-02T03:04:05Z'
  const metadata = {
    name: 'a',
    namespace: 'shop',
    uid: 'u',
    generation: 3,
    creationTimestamp: createdAt,
    annotations,
  }
  const captureConfiguration = {
    captureTarget: { podSelector: {} },
    captureOption: { duration: '10s' },
  }
  const spec = { captureConfiguration, outputConfiguration: { hostPath: 'capture' } }
  const settings = { ...defaultSettings, captureJobNumLimit }
  const place = { settings, nodeLabels: {}, namespaceLabels: new Map() }
  const read = parseRetinaCapture(
    { apiVersion: 'retina.sh/v1alpha1', kind: 'Capture', metadata, spec },
    place,
  )
  if (!read.ok) throw new Error(read.message)
  return { quota: read.quota, window: read.window }
}

test('without a limit there is no quota; with one the time runs since the capture was let through', t => {
  const createdAtMs = Date.parse('2026-01-02T03:04:05Z')
  const annotations = { 'selcap.dev/pass': text }
  t.deepEqual(readWith(0, annotations), {
    quota: undefined,
    window: { endMs: createdAtMs + 40_000 },
  })
  t.deepEqual(readWith(4), { quota: { nodesMax: 4 }, window: {} })
  t.deepEqual(readWith(2, annotations), { quota: { nodesMax: 2, pass }, window: { endMs: 41_000 } })
  t.deepEqual(readWith(1, annotations), { quota: { nodesMax: 1 }, window: {} }) // the limit was lowered
})
