// Aliases and merged fields come out as plain values, and neither makes a text endless.
import test from 'ava'
import { LineCounter } from 'yaml'
import { plainValue } from '../../../src/manifest/plainValue.ts'
import { yamlDocuments } from '../../../src/manifest/yamlDocuments.ts'

function read(text: string): unknown {
  const [document] = yamlDocuments(text, new LineCounter())
  if (!document || 'message' in document) return document
  const plain = plainValue(document)
  return 'message' in plain ? `${plain.offset}: ${plain.message}` : plain.value
}

test('plainValue() replaces aliases and merges <<', t => {
  t.deepEqual(read('{a: &x {b: 1, c: 2}, d: *x, e: {<<: *x, c: 3}}'), {
    a: { b: 1, c: 2 },
    d: { b: 1, c: 2 },
    e: { b: 1, c: 3 },
  })
})

const refusals: Readonly<Record<string, readonly [text: string, refusal: RegExp]>> = {
  'an alias within its own value': ['&a {kind: *a}', /^10: alias \*a lies within/],
  'a merge with itself': ['&a {<<: *a}', /^8: alias \*a lies within/],
  'a merge in a circle': ['&a {x: &b {<<: *a}, <<: *b}', /alias \*a lies within/],
  'an alias before its anchor': ['[*a, &a 1]', /^1: alias \*a comes before its anchor/],
  'a key twice': ['{a: 1, b: 2, a: 3}', /^13: Map keys must be unique/],
  'a key twice, deep inside': ['{a: [{b: 1, "b": 2}]}', /^12: Map keys must be unique/],
  'more than a hundred aliases': [`[&a 1${', *a'.repeat(101)}]`, /found more than 100 aliases/],
  'aliases that stand for much more than the text': [
    `[&a [${'x,'.repeat(9_999)}], &b [*a, *a, *a, *a, *a], *b, *b, *b, *b, *b, *b]`,
    /found aliases that stand for too much/,
  ],
}
for (const [what, [text, refusal]] of Object.entries(refusals)) {
  test(`plainValue() refuses ${what}`, t => t.regex(`${read(text)}`, refusal))
}
