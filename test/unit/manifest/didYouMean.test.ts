import test from 'ava'
import { didYouMean } from '../../../src/manifest/didYouMean.ts'

const known = ['selector', 'filters', 'startTime']

test('didYouMean() names the closest name, whatever its capitals', t => {
  t.is(didYouMean('selektor', known), ', did you mean "selector"?')
  t.is(didYouMean('starttime', known), ', did you mean "startTime"?')
})

test('didYouMean() names all where none is close', t => {
  t.is(didYouMean('quota', known), ', expected one of selector, filters, startTime')
})
