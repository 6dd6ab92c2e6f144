// What goes first when a status or a report is too large, and what never does.
import test from 'ava'
import {
  boundedStatus,
  bytesOf,
  cut,
  stepCount,
  truncateMessage,
  withinBytes,
} from '../../../../src/core/status/truncate.ts'
import { at, endpoint, noonMs, row, statusOf } from '../../../support/model/observations.ts'

const gaps = ['one', 'two'].map(reason => ({ from: at(noonMs), reason }))
const endpoints = [
  endpoint('a', 'Finished', { endedAt: at(noonMs - 2_000) }),
  endpoint('b', 'Finished', { endedAt: at(noonMs - 1_000) }),
  endpoint('c', 'Error'),
  endpoint('d', 'Capturing', { gaps, message: 'm'.repeat(5_000) }),
]
const fileNames = Array.from({ length: 200 }, (_, index) => `${index}.pcap`)
const counts = { packets: 9, bytes: 900, dropped: 1 }
const { file } = row('node-0', 'Capturing', {
  file: { endpoints, fileNames, ...counts, message: '😀'.repeat(3_000) },
})

// [step, pods, names, gaps of the last pod, characters of the message]
const steps = [
  [0, 'abcd', 200, 2, 4_096],
  [1, 'bcd', 200, 2, 4_096],
  [2, 'bcd', 100, 1, 1_024],
  [3, 'bcd', 10, 1, 200],
  [4, 'd', 1, 1, 200],
  [5, '', 0, undefined, 100],
  [99, '', 0, undefined, 100],
] as const
for (const [step, pods, names, gapsLeft, characters] of steps) {
  test(`cut() leaves the pods "${pods}" and ${names} names at step ${step}, and the counts`, t => {
    const left = cut(file, step)
    t.is(left.endpoints.map(({ pod }) => pod).join(''), pods)
    t.deepEqual(left.fileNames, names === 0 ? [] : fileNames.slice(-names))
    t.is(left.endpoints.at(-1)?.gaps.length, gapsLeft)
    t.is(left.message?.length, characters)
    t.true(left.message?.isWellFormed())
    t.like(left, counts)
  })
}

test('cut() leaves what is small as it is', t => {
  const small = row('node-0', 'Capturing').file
  for (let step = 0; step < stepCount - 1; step++) t.deepEqual(cut(small, step), small)
})

test('boundedStatus() leaves what is small as it is', t => {
  t.deepEqual(boundedStatus(statusOf(100)), statusOf(100))
})

test('boundedStatus() leaves out nodes when nothing else helps, those at work last', t => {
  const directory = `/${'d'.repeat(400)}`
  const files = statusOf(5_000).files.map((each, index) => ({
    ...each,
    directory,
    state: index % 2 === 0 ? ('Finished' as const) : each.state,
  }))
  const left = boundedStatus({ ...statusOf(5_000), files })
  t.true(bytesOf(left) <= 1_000_000)
  t.is(left.nodes, 5_000)
  t.deepEqual(new Set(left.files.map(({ state }) => state)), new Set(['Capturing']))
})

test('withinBytes() keeps the lowest ranks in the order they had', t => {
  const room = (items: readonly number[]) => bytesOf(items) // brackets more than it needs
  const rank = (item: number) => -item
  t.deepEqual(withinBytes([3, 9, 1, 8], rank, room([9, 8])), [9, 8])
  t.deepEqual(withinBytes([3, 9, 1, 8], rank, room([3, 9, 1, 8])), [3, 9, 1, 8])
  t.deepEqual(withinBytes([3, 9], rank, 0), [])
})

test('truncateMessage() counts what is left out, and keeps the first message whatever its length', t => {
  const long = 'x'.repeat(600)
  t.is(truncateMessage(['a', 'b']), 'a; b')
  t.is(truncateMessage([long, long, 'c']), `${long}; and 2 more`)
  t.is(truncateMessage([long + long]), long + long)
})
