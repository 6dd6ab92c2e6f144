// A tree drawn line by line, as upstream draws it.
import test from 'ava'
import { printTree } from '../../../grammar/printTree.ts'
import { casesOf } from '../../support/grammar/fixtures.ts'
import { treeOf } from '../../support/grammar/treeOf.ts'

for (const { number, selector, expected } of casesOf<{ expected: string }>('printTree')) {
  test(`printTree() draws as upstream when it reads case ${number}`, t =>
    t.is(printTree(treeOf(selector)), expected))
}
