// The stages that walk a tree: restrictions, other label names, drawing, explaining.
import test from 'ava'
import { explain } from '../../../grammar/explain.ts'
import { print } from '../../../grammar/print.ts'
import { printTree } from '../../../grammar/printTree.ts'
import { isSatisfiable, restrictionsOf } from '../../../grammar/restrictions.ts'
import { parseSelector } from '../../../grammar/selector.ts'
import type { Tree } from '../../../grammar/tree.ts'
import { labelsOf, prefixLabels } from '../../../grammar/visit.ts'
import { casesOf } from '../../support/grammar/fixtures.ts'

function tree(text: string): Tree {
  const parsed = parseSelector(text)
  if (!parsed.ok) throw parsed.error
  return parsed.selector.tree
}

type Restricted = Readonly<Record<string, object>> | null

for (const { number, selector, expected, alsoHoldsFor } of casesOf<{
  expected: Restricted
  alsoHoldsFor?: string
}>('restrictions')) {
  for (const text of [selector, ...(alsoHoldsFor ? [alsoHoldsFor] : [])]) {
    test(`restrictionsOf() bounds the labels when it reads ${text || 'nothing'} (case ${number})`, t => {
      const found = [...restrictionsOf(tree(text))].map(([label, restriction]) => [
        label,
        { ...restriction, mustHaveOneOfValues: restriction.mustHaveOneOfValues ?? null },
      ])
      t.deepEqual(found.length === 0 ? null : Object.fromEntries(found), expected)
    })
  }
}

for (const [text, expected] of [
  ['a == "b"', true],
  ['a == "b" && a == "c"', false],
  ['has(a) && !has(a)', false],
  ['!has(a)', true],
  ['a in {}', true],
] as const) {
  test(`isSatisfiable() says ${expected} when the selector is ${text}`, t => {
    t.is([...restrictionsOf(tree(text)).values()].every(isSatisfiable), expected)
  })
}

for (const { number, selector, expected } of casesOf<{ expected: string }>('visitor')) {
  test(`prefixLabels() renames every label when it reads case ${number}`, t =>
    t.is(print(prefixLabels(tree(selector), 'visited/')), expected))
}

test('labelsOf() names every label in order', t => {
  t.deepEqual(labelsOf(tree('has(a) && (b == "x" || !c in {"d"}) && all()')), ['a', 'b', 'c'])
})

for (const { number, selector, expected } of casesOf<{ expected: string }>('printTree')) {
  test(`printTree() draws as upstream when it reads case ${number}`, t =>
    t.is(printTree(tree(selector)), expected))
}

type Row = readonly [
  text: string,
  labels: Readonly<Record<string, string>>,
  match: boolean,
  decided: string,
  decidedAs: boolean,
]
const explanations: readonly Row[] = [
  ['a == "x" && b == "y"', { a: 'x', b: 'z' }, false, 'b == "y"', false],
  ['a == "x" && b == "y"', { a: 'x', b: 'y' }, true, '(a == "x" && b == "y")', true],
  ['a == "x" || has(b)', { b: '' }, true, 'has(b)', true],
  ['a == "x" || has(b)', {}, false, '(a == "x" || has(b))', false],
  ['!(a == "x" || has(b))', { b: '1' }, false, 'has(b)', true],
  ['all()', {}, true, 'all()', true],
]
for (const [text, labels, match, decided, decidedAs] of explanations) {
  test(`explain() names what decided when ${text} meets ${JSON.stringify(labels)}`, t => {
    const { label: _, ...found } = explain(tree(text), name => labels[name])
    t.deepEqual(found, { match, decided, decidedAs })
  })
}
