// A state file may come from anywhere: what a file's statistics cannot hold is no state.
import test from 'ava'
import { hasStoredShape } from '../../../src/files/stateSchema.ts'
import { read } from '../../support/repository.ts'

const seed = read('test/fixtures/corpus/state.txt')

test('hasStoredShape() takes the state that npm run fuzz begins with', t => {
  t.true(hasStoredShape(JSON.parse(seed)))
})

for (const [field, values] of Object.entries({
  received: [-1, 1.5, 1e300, null, '5'],
  dropped: [-1, 1.5, 1e300],
  packets: [-1, 1.5],
  beganAtMs: [-1, 1e300, null],
  savedAtMs: [-1, 1e300],
}))
  for (const value of values)
    test(`hasStoredShape() refuses ${JSON.stringify(value)} for ${field}`, t => {
      const state = seed.replaceAll(
        new RegExp(`"${field}":\\d+`, 'g'),
        `"${field}":${JSON.stringify(value)}`,
      )
      t.not(state, seed)
      t.false(hasStoredShape(JSON.parse(state)))
    })
