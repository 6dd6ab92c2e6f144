// The first item is always the least, whatever is added, removed or given another rank.
import test from 'ava'
import fc from 'fast-check'
import { Heap } from '../../../src/pcap/heap.ts'

test('Heap gives its items in order', t => {
  fc.assert(
    fc.property(fc.array(fc.integer()), numbers => {
      const heap = new Heap<number>((a, b) => a < b)
      for (const number of numbers) heap.add(number)
      const sorted = numbers.map(() => {
        const { first } = heap
        heap.removeFirst()
        return first
      })
      return (
        heap.first === undefined &&
        sorted.every((number, index) => number === numbers.toSorted((a, b) => a - b)[index])
      )
    }),
  )
  t.pass()
})

test('Heap.sinkFirst() moves a first item that has become greater to its place', t => {
  const heap = new Heap<{ rank: number }>((a, b) => a.rank < b.rank)
  for (const rank of [1, 2, 3, 4, 5]) heap.add({ rank })
  const moved = heap.first as { rank: number }
  moved.rank = 4.5
  heap.sinkFirst()
  const order: number[] = []
  for (let item = heap.first; item; item = heap.first) {
    order.push(item.rank)
    heap.removeFirst()
  }
  t.deepEqual(order, [2, 3, 4, 4.5, 5])
})
