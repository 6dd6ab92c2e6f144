// The operator that decided a match.
import test from 'ava'
import { explain } from '../../../grammar/explain.ts'
import { treeOf } from '../../support/grammar/treeOf.ts'

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
    const { label: _, ...found } = explain(treeOf(text), name => labels[name])
    t.deepEqual(found, { match, decided, decidedAs })
  })
}
