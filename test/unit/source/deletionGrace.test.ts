import test from 'ava'
import type { Document } from '../../../src/manifest/read.ts'
import { graceMs, retainMissing } from '../../../src/source/deletionGrace.ts'

const document = { kind: 'PacketCapture', metadata: { name: 'a', namespace: 'b' } } as Document
const present = new Map([['a', document]])
const nothing = new Map<string, Document>()

test('settle() keeps a document that vanished until it stayed away for the grace time', t => {
  const first = retainMissing(new Map(), present, 10_000)
  t.deepEqual([...first.standing.keys()], ['a'])
  t.is(first.wakeAtMs, Number.POSITIVE_INFINITY)

  const missing = retainMissing(first.standing, nothing, 20_000)
  t.deepEqual([...missing.standing.keys()], ['a'])
  t.is(missing.wakeAtMs, 20_000 + graceMs)

  const still = retainMissing(missing.standing, nothing, 20_000 + graceMs - 1)
  t.deepEqual([...still.standing.keys()], ['a'])
  t.is(still.wakeAtMs, 20_000 + graceMs)

  t.is(retainMissing(still.standing, nothing, 20_000 + graceMs).standing.size, 0)
})

test('settle() forgets that a document was missing when it comes back', t => {
  const missing = retainMissing(retainMissing(new Map(), present, 0).standing, nothing, 100)
  const back = retainMissing(missing.standing, present, 200)
  t.is(back.wakeAtMs, Number.POSITIVE_INFINITY)
  t.is(retainMissing(back.standing, nothing, 200 + graceMs).standing.size, 1)
})

test('settle() does not keep a document for longer when the clock was set back', t => {
  const missing = retainMissing(retainMissing(new Map(), present, 50_000).standing, nothing, 50_000)
  const setBack = retainMissing(missing.standing, nothing, 10_000)
  t.is(setBack.wakeAtMs, 10_000 + graceMs)
  t.is(retainMissing(setBack.standing, nothing, 10_000 + graceMs).standing.size, 0)
})
