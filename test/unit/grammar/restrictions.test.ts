// What a selector says of the values of each label.
import test from 'ava'
import { isSatisfiable, restrictionsOf } from '../../../grammar/restrictions.ts'
import { casesOf } from '../../support/grammar/fixtures.ts'
import { treeOf } from '../../support/grammar/treeOf.ts'

type Restricted = Readonly<Record<string, object>> | null

for (const { number, selector, expected, alsoHoldsFor } of casesOf<{
  expected: Restricted
  alsoHoldsFor?: string
}>('restrictions')) {
  for (const text of [selector, ...(alsoHoldsFor ? [alsoHoldsFor] : [])]) {
    test(`restrictionsOf() bounds the labels when it reads ${text || 'nothing'} (case ${number})`, t => {
      const found = [...restrictionsOf(treeOf(text))].map(([label, restriction]) => [
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
    t.is([...restrictionsOf(treeOf(text)).values()].every(isSatisfiable), expected)
  })
}
