// Which taps are opened before they are closed, and how many at once.
import test from 'ava'
import type { Action, TapSpec } from '../../../src/model/tap.ts'
import { editedTaps, inPortions } from '../../../src/tap/tapAhead.ts'

const spec = (id: string, ringBytes = 4_194_304) => ({ id, ringBytes }) as TapSpec
const closed = (id: string, reason: Extract<Action, { kind: 'close' }>['reason']): Action => ({ kind: 'close', id, reason }) // biome-ignore format: one line
const opened = (id: string): Action => ({ kind: 'open', spec: spec(id) })

test('editedTaps() are those that are closed for an edit and opened again', t => {
  const actions = [
    ...[closed('a', 'changed'), closed('b', 'changed'), closed('c', 'replaced'), closed('d', 'resized')], // biome-ignore format: one line
    ...[opened('a'), opened('c'), opened('d'), opened('e')],
  ]
  t.deepEqual(editedTaps(actions), [['a', 'changed'], ['d', 'resized']]) // biome-ignore format: one line
})

test('inPortions() keeps the rings of a portion within 16 MiB, but for one that is larger', t => {
  const specs = [...'abcdef'].map(id => spec(id))
  const sizes = (portions: readonly TapSpec[][]) => portions.map(({ length }) => length)
  t.deepEqual(sizes(inPortions(specs)), [4, 2])
  t.deepEqual(sizes(inPortions([spec('a', 2 ** 26), spec('b'), spec('c')])), [1, 2])
  t.deepEqual(inPortions([]), [])
})
