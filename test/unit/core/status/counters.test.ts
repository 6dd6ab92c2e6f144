// Sums, texts with counts, and when two statuses differ in counts alone.
import test from 'ava'
import {
  addCounts,
  joinTexts,
  maxCounts,
  packetsText,
  plainText,
  sameButCounts,
} from '../../../../src/core/status/counters.ts'

test('addCounts() stays an exact integer', t => {
  t.deepEqual(
    addCounts([
      { packets: 1, bytes: Number.MAX_SAFE_INTEGER, dropped: 0 },
      { packets: 2, bytes: 1, dropped: -1 },
    ]),
    {
      packets: 3,
      bytes: Number.MAX_SAFE_INTEGER,
      dropped: 0,
    },
  )
})

test('maxCounts() keeps the larger of two counts', t => {
  const before = { packets: 5, bytes: 50, dropped: 0 }
  t.deepEqual(maxCounts({ packets: 1, bytes: 60, dropped: 0 }, before), {
    packets: 5,
    bytes: 60,
    dropped: 0,
  })
  t.deepEqual(maxCounts(before, undefined), before)
})

test('joinTexts() gives texts that differ in counts one wording', t => {
  const [one, many] = [1, 12].map(packets =>
    joinTexts([plainText('a'), plainText(''), packetsText(packets, 'dropped')]),
  )
  t.deepEqual([one?.text, many?.text], ['a; 1 packet dropped', 'a; 12 packets dropped'])
  t.is(one?.wording, many?.wording)
})

const status = {
  state: 'Capturing',
  files: [{ node: 'a', packets: 1, fileNames: ['x'], message: 'm', gaps: [] as string[] }],
}
const change = (file: object) => ({ ...status, files: [{ ...status.files[0], ...file }] })
const cases: readonly (readonly [what: string, now: object | undefined, isSame: boolean])[] = [
  ['nothing', { ...status }, true],
  ['packets and names of files', change({ packets: 9, fileNames: ['x', 'y'] }), true],
  ['another text of the same state', change({ message: 'n' }), false],
  ['a text that is gone', change({ message: undefined }), false],
  ['a state', { ...status, state: 'Error' }, false],
  ['a gap', change({ gaps: ['down'] }), false],
  ['a wording', change({ wording: 'w' }), false],
  ['a file', { ...status, files: [] }, false],
  ['the whole status', undefined, false],
]
for (const [what, now, isSame] of cases)
  test(`sameButCounts() is ${isSame} when ${what} changed`, t =>
    t.is(sameButCounts(status, now), isSame))

const messages = [
  ['a number', '2 packets on the interfaces', '12 packets on the interfaces', true],
  ["a number within a pod's name", 'web-1: no interface', 'web-2: no interface', false],
  [
    'a time',
    'no report since 2026-06-01T12:00:00.000Z',
    'no report since 2026-06-01T13:00:00.000Z',
    false,
  ],
  ['a word', '2 packets', '2 endpoints', false],
] as const
for (const [what, before, now, isSame] of messages)
  test(`sameButCounts() is ${isSame} when ${what} of a message changed`, t =>
    t.is(sameButCounts({ message: before }, { message: now }), isSame))
