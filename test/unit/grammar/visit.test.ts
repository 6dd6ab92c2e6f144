// Every label of a tree, in order, and under another name.
import test from 'ava'
import { print } from '../../../grammar/print.ts'
import { labelsOf, prefixLabels } from '../../../grammar/visit.ts'
import { casesOf } from '../../support/grammar/fixtures.ts'
import { treeOf } from '../../support/grammar/treeOf.ts'

for (const { number, selector, expected } of casesOf<{ expected: string }>('visitor')) {
  test(`prefixLabels() renames every label when it reads case ${number}`, t =>
    t.is(print(prefixLabels(treeOf(selector), 'visited/')), expected))
}

test('labelsOf() names every label in order', t => {
  t.deepEqual(labelsOf(treeOf('has(a) && (b == "x" || !c in {"d"}) && all()')), ['a', 'b', 'c'])
})
