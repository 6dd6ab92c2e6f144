import test from 'ava'
import { compareText, pluralize, truncateText } from '../../../src/model/text.ts'

test('pluralize() adds an s to all counts but one', t => {
  t.deepEqual(
    [0, 1, 2].map(count => pluralize(count, 'packet')),
    ['0 packets', '1 packet', '2 packets'],
  )
})

test('truncateText() leaves a text that fits, cuts a longer one, and splits no surrogate pair', t => {
  t.is(truncateText('packets', 7), 'packets')
  t.is(truncateText('packets', 6), 'packe…')
  const cut = truncateText('ab😀cd', 4)
  t.true(cut.isWellFormed() && cut.length <= 4, cut)
})

test('compareText() orders by code units, capitals before small letters', t => {
  t.deepEqual(['b', 'a', 'B', 'a'].toSorted(compareText), ['B', 'a', 'a', 'b'])
})
