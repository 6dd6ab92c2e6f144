import test from 'ava'
import { textOf, tokenize } from '../../../grammar/tokens.ts'
import { casesOf } from '../../support/grammar/fixtures.ts'

for (const { number, selector, expected } of casesOf<{
  expected: readonly (readonly [string, string])[]
}>('tokens')) {
  test(`tokenize() finds upstream's tokens when it reads case ${number}`, t => {
    t.deepEqual(
      [...tokenize(selector).map(token => [token.tokenType.name, textOf(token)]), ['TokEOF', '']],
      expected as [string, string][],
    )
  })
}
