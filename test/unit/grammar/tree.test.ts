// Values of a set, in the canonical order.
import test from 'ava'
import { setOf } from '../../../grammar/tree.ts'

test('setOf() sorts by UTF-8 bytes and keeps each value once', t => {
  t.deepEqual(setOf(['b', 'a', 'b', '']), ['', 'a', 'b'])
  // In UTF-16 a pair of surrogates comes before U+FF5E, in UTF-8 behind it.
  t.deepEqual(setOf(['\u{1F600}', '\uFF5E', 'Z', 'a', 'é']), ['Z', 'a', 'é', '\uFF5E', '\u{1F600}'])
})
