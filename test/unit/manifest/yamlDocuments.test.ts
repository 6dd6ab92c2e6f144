// Documents come one at a time, and no text makes the work more than its length.
import test from 'ava'
import { LineCounter } from 'yaml'
import { depthMax, tokensMax, yamlDocuments } from '../../../src/manifest/yamlDocuments.ts'

function cut(text: string): (string | number)[] {
  return [...yamlDocuments(text, new LineCounter())].map(document =>
    'message' in document ? `${document.offset}: ${document.message}` : document.errors.length,
  )
}

test('yamlDocuments() gives each document, an empty one too', t => {
  t.deepEqual(cut('a: 1\n---\n---\n{"b": [2]}\n'), [0, 0, 0])
  t.deepEqual(cut(''), [])
})

for (const [what, open] of Object.entries({ flows: '[', fields: '{a: ', items: '- ' })) {
  test(`yamlDocuments() refuses ${what} that nest too deeply, and takes what does not`, t => {
    const close = { '[': ']', '{a: ': '}', '- ': '' }[open] ?? ''
    t.deepEqual(cut(`${open.repeat(depthMax)}x${close.repeat(depthMax)}`), [0])
    const [refused, ...rest] = cut(open.repeat(1_000_000))
    t.regex(`${refused}`, /^\d{2,3}: nested too deeply, expected at most 64 levels$/)
    t.deepEqual(rest, [])
  })
}

test('yamlDocuments() refuses the rest of a text after a document of too many tokens', t => {
  const long = `[${'a,'.repeat(tokensMax / 2)}]`
  const [first, refused, ...rest] = cut(`a: 1\n--- ${long}\n--- {}\n`)
  t.is(first, 0)
  t.regex(`${refused}`, /found more than 250000 tokens in one document/)
  t.deepEqual(rest, [])
})
