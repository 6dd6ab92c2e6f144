import test from 'ava'
import { annotationsWith, passIn } from '../../src/intent/pass.ts'

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
  test(`passIn() finds no pass in ${what}`, t => t.is(passIn({ uid: 'u', annotations: { 'selcap.dev/pass': written } }), undefined))
}

test('passIn() finds none where there are no annotations', t => t.is(passIn({ uid: 'u' }), undefined))
