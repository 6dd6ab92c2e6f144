// Time that counts, with pauses.
import test from 'ava'
import { Stopwatch } from '../../../src/controller/stopwatch.ts'

test('elapsedMs() counts what lies between start() and stop(), however often they are called', t => {
  const watch = new Stopwatch()
  t.is(watch.elapsedMs(100), 0)
  watch.start(100)
  watch.start(150)
  t.is(watch.elapsedMs(200), 100)
  watch.stop(300)
  watch.stop(400)
  t.is(watch.elapsedMs(1_000), 200)
  watch.start(1_000)
  t.is(watch.elapsedMs(1_010), 210)
})

test('stop() may lie in the past: what came after it was a pause', t => {
  const watch = new Stopwatch()
  watch.start(100)
  watch.stop(50)
  t.is(watch.elapsedMs(500), 0)
})
