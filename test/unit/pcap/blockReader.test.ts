// Whole blocks come out of a stream however it is cut, and bytes that cannot be a block are a
// problem.
import test from 'ava'
import fc from 'fast-check'
import { makeBlock } from '../../../src/pcap/block.ts'
import { BlockReader } from '../../../src/pcap/blockReader.ts'

const blocks = [
  makeBlock(6, Buffer.alloc(4, 1), []),
  makeBlock(5, Buffer.alloc(64, 2), []),
  makeBlock(1, Buffer.alloc(0), []),
]
const stream = Buffer.concat(blocks)

test('BlockReader gives each block once, whatever the chunks', t => {
  const cuts = fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 60 })
  fc.assert(
    fc.property(cuts, sizes => {
      const reader = new BlockReader()
      const found: string[] = []
      let at = 0
      for (const size of [...sizes, stream.length]) {
        const read = reader.read(Buffer.from(stream.subarray(at, at + size)))
        found.push(...read.blocks.map(block => block.toString('hex')))
        if (read.problem !== undefined) return false
        at = Math.min(stream.length, at + size)
      }
      return (
        reader.rest.length === 0 &&
        found.join() === blocks.map(block => block.toString('hex')).join()
      )
    }),
  )
  t.pass()
})

test('BlockReader keeps what has arrived of a block that is not complete', t => {
  const reader = new BlockReader()
  t.deepEqual(reader.read(stream.subarray(0, 10)).blocks, [])
  t.deepEqual(reader.rest, stream.subarray(0, 10))
})

for (const [what, bytes] of [
  ['that is too short', '06000000' + '08000000'],
  ['whose length is no multiple of four', '06000000' + '0d000000'],
  ['longer than any', '06000000' + 'fcffffff'],
  ['whose two lengths differ', '06000000' + '0c000000' + '10000000'],
] as const) {
  test(`BlockReader reports a block ${what}, in one piece or byte by byte, after the blocks before it`, t => {
    const bad = Buffer.concat([stream, Buffer.from(bytes, 'hex')])
    const whole = new BlockReader().read(bad)
    t.is(whole.blocks.length, blocks.length)
    t.truthy(whole.problem)
    const reader = new BlockReader()
    const problems = [...bad]
      .map(byte => reader.read(Buffer.of(byte)).problem)
      .filter(problem => problem !== undefined)
    t.is(problems[0], whole.problem)
  })
}
