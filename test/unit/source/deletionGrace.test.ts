import test from 'ava'
import type { Document } from '../../../src/manifest/read.ts'
import { graceMs, retainMissing } from '../../../src/source/deletionGrace.ts'

const document = { kind: 'PacketCapture', metadata: { name: 'a', namespace: 'b' } } as Document
const present = new Map([['a', document]])
const nothing = new Map<string, Document>()

test('retainMissing() keeps a document that vanished until it stayed away for the grace time', t => {
  const first = retainMissing(new Map(), present, 10_000)
  t.deepEqual([...first.retained.keys()], ['a'])
  t.is(first.wakeAtMs, Number.POSITIVE_INFINITY)

  const missing = retainMissing(first.retained, nothing, 20_000)
  t.deepEqual([...missing.retained.keys()], ['a'])
  t.is(missing.wakeAtMs, 20_000 + graceMs)

  const still = retainMissing(missing.retained, nothing, 20_000 + graceMs - 1)
  t.deepEqual([...still.retained.keys()], ['a'])
  t.is(still.wakeAtMs, 20_000 + graceMs)

  t.is(retainMissing(still.retained, nothing, 20_000 + graceMs).retained.size, 0)
})

test('retainMissing() forgets that a document was missing when it comes back', t => {
  const missing = retainMissing(retainMissing(new Map(), present, 0).retained, nothing, 100)
  const back = retainMissing(missing.retained, present, 200)
  t.is(back.wakeAtMs, Number.POSITIVE_INFINITY)
  t.is(retainMissing(back.retained, nothing, 200 + graceMs).retained.size, 1)
})

test('retainMissing() does not keep a document for longer when the clock was set back', t => {
  const missing = retainMissing(retainMissing(new Map(), present, 50_000).retained, nothing, 50_000)
  const setBack = retainMissing(missing.retained, nothing, 10_000)
  t.is(setBack.wakeAtMs, 10_000 + graceMs)
  t.is(retainMissing(setBack.retained, nothing, 10_000 + graceMs).retained.size, 0)
})
