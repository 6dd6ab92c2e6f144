// docs/glossary.md holds each word once, in one line, in order, and names only what a user can
// really meet.
import test from 'ava'
import { read } from '../support/repository.ts'
import { under } from './tree.ts'

type Entry = { readonly word: string; readonly meaning: string; readonly seen: string }

function entriesOf(text: string): Entry[] {
  return Array.from(
    text.matchAll(/^\| (?!word |---)([^|]+?) \| ([^|]+?) \| ?([^|]*?) ?\|$/gm),
    ([, word = '', meaning = '', seen = '']) => ({
      word,
      meaning,
      seen,
    }),
  )
}

const entries = entriesOf(read('docs/glossary.md'))

test('entriesOf() reads a row of a table', t => {
  t.deepEqual(
    entriesOf(
      '| word | meaning | seen as |\n|---|---|---|\n| tap | A thing. | `x` |\n| sink | Another. | |\n',
    ),
    [
      { word: 'tap', meaning: 'A thing.', seen: '`x`' },
      { word: 'sink', meaning: 'Another.', seen: '' },
    ],
  )
})

test('each word stands once, in the order of the alphabet', t => {
  const words = entries.map(({ word }) => word)
  t.deepEqual(words, [...new Set(words)].toSorted())
})

// The words that house rules speak of by name: what is unusual, because users see it, and what the
// code is built of.
const needed = [
  'actual state',
  'artifact',
  'desired tap',
  'endpoint',
  'fold',
  'halted',
  'pass',
  'refused',
  'report',
  'ring',
  'silent',
  'snapshot',
  'store',
  'tap',
  'turn',
  'vantage',
]

test('the words that this project uses in its own way are all there', t => {
  t.deepEqual(
    needed.filter(word => !entries.some(entry => entry.word === word)),
    [],
  )
})

const programs = under('src', 'crds', 'daemonset', 'bin').filter(file => !file.endsWith('.md'))
const text = programs.map(read).join('\n')

for (const { word, meaning, seen } of entries) {
  test(`the glossary explains "${word}" in sentences of at most 25 words`, t => {
    for (const sentence of meaning.split(/(?<=\.) /)) {
      t.regex(sentence, /^\S.*\.$/)
      t.true(sentence.split(' ').length <= 25, sentence)
    }
  })
  const name = /^`(.+)`$/.exec(seen)?.[1]
  if (seen !== '')
    test(`a user meets "${word}" as ${seen}`, t =>
      t.true(name !== undefined && text.includes(name)))
}
