import test from 'ava'
import { makeBlock, option } from '../../../src/pcap/block.ts'
import { blockTypes } from '../../../src/pcap/format.ts'
import { at, Merging } from '../../support/pcap/merging.ts'
import { header, interfaceBlockFor } from '../../support/pcap/pcapng.ts'

test('Merge gives one section, an interface block for each input, and their packets in time order', t => {
  const merging = new Merging()
  const [a, b] = [merging.join('cali1'), merging.join('cali2')]
  merging.push(a, at(1), at(4), at(5))
  merging.push(b, at(2), at(3), at(6))
  merging.take()
  t.deepEqual(merging.order, ['0:1', '1:2', '1:3', '0:4', '0:5'])
  const { sections, interfaces } = merging.read
  t.is(sections, 1)
  t.deepEqual(interfaces, [
    { name: 'cali1', description: 'shop/web-0', comment: 'node node-0', filter: 'udp' },
    { name: 'cali2', description: 'shop/web-0', comment: 'node node-0', filter: 'udp' },
  ])
})

test('Merge gives the packets of a single input at once', t => {
  const merging = new Merging()
  merging.push(merging.join('cali1'), at(1), at(2))
  merging.take()
  t.deepEqual(merging.order, ['0:1', '0:2'])
  t.true(merging.merge.isEmpty)
})

test('Merge waits for an input that is silent, for windowMs and no longer', t => {
  const merging = new Merging({ windowMs: 500 })
  const [a, b] = [merging.join('cali1'), merging.join('cali2')]
  merging.push(a, at(5))
  merging.take()
  t.deepEqual(merging.order, [])
  t.is(merging.merge.dueAtMs, merging.nowMs + 500)
  merging.nowMs += 499
  merging.push(b, at(3))
  merging.take()
  t.deepEqual(merging.order, ['1:3'])
  merging.nowMs += 1
  merging.push(b, at(4), at(9))
  merging.take()
  t.deepEqual(merging.order, ['1:3', '1:4', '0:5'])
  t.is(merging.merge.dueAtMs, merging.nowMs + 500)
})

test('Merge gives what is earlier than an overdue packet before it, though it came later', t => {
  const merging = new Merging({ windowMs: 500 })
  const [a, b, c] = [merging.join('cali1'), merging.join('cali2'), merging.join('cali3')]
  merging.push(a, at(10))
  merging.nowMs += 400
  merging.push(b, at(8), at(12))
  merging.nowMs += 100
  merging.take()
  t.deepEqual(merging.order, ['1:8', '0:10'])
  merging.end(c)
  merging.end(a)
  merging.take()
  t.deepEqual(merging.order, ['1:8', '0:10', '1:12'])
})

test('Merge does not wait for a clock that was set back', t => {
  const merging = new Merging({ windowMs: 500 })
  const a = merging.join('cali1')
  merging.join('cali2')
  merging.push(a, at(1))
  merging.nowMs -= 3_600_000
  merging.take()
  t.deepEqual(merging.order, ['0:1'])
})

test('Merge gives the earliest before their time when more than windowBytes wait', t => {
  const size = at(1).length
  const merging = new Merging({ windowBytes: 3 * size })
  const a = merging.join('cali1')
  merging.join('cali2')
  merging.push(a, at(1), at(2), at(3))
  merging.take()
  t.deepEqual(merging.order, [])
  merging.push(a, at(4), at(5))
  merging.take()
  t.deepEqual(merging.order, ['0:1', '0:2'])
  t.is(merging.merge.heldBytes, 3 * size)
})

test('Merge takes an input that joins while the stream runs, and tells of its interface before its first packet', t => {
  const merging = new Merging()
  const a = merging.join('cali1')
  merging.push(a, at(1))
  merging.take()
  merging.push(merging.join('cali2'), at(2))
  merging.push(a, at(3))
  merging.take()
  t.deepEqual(merging.order, ['0:1', '1:2'])
  t.deepEqual(merging.read.interfaces.map(({ name }) => name), ['cali1', 'cali2']) // biome-ignore format: one line
})

test('Merge numbers the interfaces of inputs that have several, also new ones in the middle', t => {
  const merging = new Merging()
  const [a, b] = [merging.merge.join(), merging.join('cali9')]
  merging.push(a, header('cali1'), interfaceBlockFor('cali2', 'shop/web-1'), at(1, 1), at(2, 0))
  merging.push(a, interfaceBlockFor('cali3', 'shop/web-2'), at(4, 2))
  merging.push(b, at(3), at(5))
  merging.end(a)
  merging.end(b)
  merging.take()
  t.deepEqual(merging.order, ['2:1', '1:2', '0:3', '3:4', '0:5'])
  t.deepEqual(merging.read.interfaces.map(({ name, description }) => `${name} ${description}`), ['cali9 shop/web-0', 'cali1 shop/web-0', 'cali2 shop/web-1', 'cali3 shop/web-2']) // biome-ignore format: one line
})

test('Merge ends an interface with statistics, after its last packet', t => {
  const merging = new Merging()
  const [a, b] = [merging.join('cali1'), merging.join('cali2')]
  merging.push(a, at(1), at(3))
  merging.merge.count(a, 0, { received: 7, lost: 5 })
  merging.end(a)
  merging.push(b, at(2))
  merging.take()
  t.deepEqual(merging.order, ['0:1', '1:2'])
  t.deepEqual(merging.read.statistics, new Map([[0, [{ received: 7, dropped: 5, delivered: 1 }]]])) // lost, told as soon as known
  merging.end(b)
  merging.take()
  t.deepEqual(merging.order, ['0:1', '1:2', '0:3'])
  t.deepEqual(merging.read.statistics.get(0)?.at(-1), { received: 7, dropped: 5, delivered: 2 })
  t.deepEqual(merging.read.statistics.get(1), [{ received: 1, dropped: 0, delivered: 1 }])
  t.true(merging.merge.isEmpty)
  t.is(merging.take(), 0)
})

test('Merge drops what comes while bytesMax wait, counts it, and says so when something is taken again', t => {
  const size = at(1).length
  const merging = new Merging({ windowBytes: 2 * size, bytesMax: 4 * size })
  const [a, b] = [merging.join('cali1'), merging.join('cali2')]
  merging.push(a, ...[1, 2, 3].map(each => at(each)))
  merging.push(b, ...[4, 5, 6].map(each => at(each)))
  merging.push(a, at(7))
  t.is(merging.merge.heldBytes, 4 * size)
  merging.take()
  t.deepEqual(merging.order, ['0:1', '0:2', '0:3'])
  t.deepEqual(merging.read.statistics.get(0), [{ received: 4, dropped: 1, delivered: 3 }])
  t.deepEqual(merging.read.statistics.get(1), [{ received: 3, dropped: 2, delivered: 0 }])
  merging.push(a, at(8))
  merging.take()
  t.is(merging.read.statistics.get(0)?.length, 1) // nothing new
  for (const lane of [a, b]) merging.end(lane)
  merging.take()
  t.deepEqual(merging.order, ['0:1', '0:2', '0:3', '1:4', '0:8'])
  t.deepEqual(merging.read.statistics.get(0)?.at(-1), { received: 5, dropped: 1, delivered: 4 })
  t.deepEqual(merging.read.statistics.get(1)?.at(-1), { received: 3, dropped: 2, delivered: 1 })
})

test('Merge passes on what the statistics of an input say', t => {
  const node = new Merging()
  const lane = node.join('cali1')
  node.merge.count(lane, 0, { received: 10, lost: 8 })
  node.push(lane, at(1), at(2))
  node.end(lane)
  while (node.take() > 0) {}
  const all = new Merging()
  const [first, input] = [all.join('cali0'), all.merge.join()]
  all.push(input, ...node.taken)
  all.end(first)
  all.end(input)
  while (all.take() > 0) {}
  t.deepEqual(all.order, ['1:1', '1:2'])
  t.deepEqual(all.read.statistics.get(1)?.at(-1), { received: 10, dropped: 8, delivered: 2 })
})

test('Merge counts a packet that came in part, when its input ends, as lost', t => {
  for (const bytes of [1, 5, 12, 40]) {
    const merging = new Merging()
    const a = merging.join('cali1')
    merging.push(a, at(1), at(2).subarray(0, bytes))
    merging.end(a)
    merging.take()
    t.deepEqual(
      merging.read.statistics.get(0),
      [{ received: 2, dropped: 1, delivered: 1 }],
      `${bytes} bytes`,
    )
  }
})

for (const code of [4, 5, 7]) {
  test(`Merge ends an input whose statistics block counts beyond any number of packets in option ${code}`, t => {
    for (const [count, isBelieved] of [
      [2n ** 53n - 1n, true],
      [2n ** 53n, false],
      [2n ** 64n - 1n, false],
    ] as const) {
      const merging = new Merging()
      const [liar, honest] = [merging.join('cali1'), merging.join('cali2')]
      merging.push(honest, at(1))
      const problem = merging.push(liar, countBlock(code, count))
      t.is(problem?.includes(`a count of ${count} packets`), isBelieved ? undefined : true)
      merging.end(liar)
      merging.end(honest)
      while (merging.take() > 0) {}
      t.deepEqual(merging.order, ['1:1'])
    }
  })
}

function countBlock(code: number, count: bigint): Buffer {
  const value = Buffer.alloc(8)
  value.writeBigUInt64LE(count)
  return makeBlock(blockTypes.statistics, Buffer.alloc(12), [option(code, value)])
}
