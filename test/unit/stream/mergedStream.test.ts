// What needs no traffic; test/integration/node/stream/mergedStream.test.ts has the rest.
import { once } from 'node:events'
import { setImmediate as afterOthers } from 'node:timers/promises'
import test from 'ava'
import { streamAlive } from '../../../src/model/wellKnown.ts'
import { noteBlock } from '../../../src/pcap/block.ts'
import { sectionOf } from '../../../src/pcap/fileHeader.ts'
import { MergedStream } from '../../../src/stream/mergedStream.ts'

const section = sectionOf('test')

test('a stream without packets has an empty block each ten seconds', async t => {
  const slept: number[] = []
  const clock = {
    now: () => slept.length * streamAlive.seconds * 1_000,
    sleepUntil: async (atMs: number) => {
      slept.push(atMs)
      await afterOthers()
    },
  }
  const merged = new MergedStream({ section, clock, onPressure: () => {}, onClose: () => {} })
  t.teardown(() => merged.stream.destroy())
  const next = async (): Promise<Buffer> => (await once(merged.stream, 'data'))[0]
  t.deepEqual(await next(), section)
  for (let count = 0; count < 3; count++) {
    t.deepEqual(await next(), noteBlock())
  }
  t.true(slept.length > 3)
  t.deepEqual(slept.slice(0, 3), [10_000, 20_000, 30_000])
})
