// Link types and their numbers in capture files.
import test from 'ava'
import { linkTypeNumbers, linkTypeOf } from '../../../src/model/linkType.ts'

test('linkTypeOf() knows the number of each link type, and no other', t => {
  for (const [linkType, number] of Object.entries(linkTypeNumbers))
    t.is(String(linkTypeOf(number)), linkType)
  for (const number of [0, 12, 113, 276]) t.is(linkTypeOf(number), undefined)
})
