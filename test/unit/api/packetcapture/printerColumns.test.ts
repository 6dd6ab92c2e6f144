// Ages and printer columns, as kubectl prints them.
import test from 'ava'
import { columnCells, columnNames } from '../../../../src/api/packetcapture/printerColumns.ts'
import { ageOf } from '../../../../src/core/status/age.ts'
import { capture, noonMs } from '../../../support/worlds/documents.ts'

const hour = 3_600
const day = 24 * hour
const year = 365 * day
const ages: readonly (readonly [seconds: number, age: string])[] = [
  [-5, '0s'],
  [0, '0s'],
  [1.9, '1s'],
  [70, '70s'],
  [119, '119s'],
  [120, '2m'],
  [190, '3m10s'],
  [312, '5m12s'],
  [599, '9m59s'],
  [600, '10m'],
  [70 * 60, '70m'],
  [3 * hour - 1, '179m'],
  [3 * hour, '3h'],
  [3 * hour + 60, '3h1m'],
  [8 * hour - 1, '7h59m'],
  [8 * hour, '8h'],
  [47 * hour, '47h'],
  [48 * hour, '2d'],
  [49 * hour, '2d1h'],
  [52 * hour, '2d4h'],
  [8 * day - 1, '7d23h'],
  [8 * day + 2 * hour, '8d'],
  [367 * day, '367d'],
  [2 * year + 25 * hour, '2y1d'],
  [2 * year, '2y'],
  [8 * year + 2 * hour, '8y'],
  [30 * year + 9 * day, '30y'],
]
for (const [seconds, age] of ages)
  test(`ageOf() is ${age} when ${seconds} seconds have passed`, t =>
    t.is(ageOf(seconds * 1_000), age))

test('columnNames() are the printer columns, with more of them when wide', t => {
  t.deepEqual(columnNames(false), [
    'Selector',
    'State',
    'Nodes',
    'Endpoints',
    'Packets',
    'Dropped',
    'Age',
  ])
  t.deepEqual(columnNames(true), [...columnNames(false), 'Start', 'End', 'Bytes', 'Message'])
})

test('columnCells() are empty where there is nothing yet', t => {
  t.deepEqual(columnCells(capture('web'), true, noonMs), [
    'all()',
    '',
    '',
    '',
    '',
    '',
    '60m',
    '',
    '',
    '',
    '',
  ])
  t.deepEqual(columnCells(capture('web', { selector: '' }), false, noonMs)[0], 'all()')
})

test('columnCells() show the resource, a message on one line', t => {
  const condition = {
    type: 'Ready',
    status: 'False',
    reason: 'Rejected',
    lastTransitionTime: '',
    observedGeneration: 1,
  } as const
  const shown = {
    ...capture('web', {
      selector: 'app == "web"',
      startTime: '2026-06-01T12:00:00Z',
      endTime: '2026-06-01T13:00:00Z',
    }),
    status: {
      observedGeneration: 1,
      state: 'Error',
      nodes: 2,
      endpoints: 3,
      packets: 40,
      bytes: 5_000,
      dropped: 6,
      files: [],
      conditions: [{ ...condition, message: 'Cannot read selector:\n  a = b\n    ^' }],
    } as const,
  }
  t.deepEqual(columnCells(shown, true, noonMs), [
    'app == "web"',
    'Error',
    '2',
    '3',
    '40',
    '6',
    '60m',
    '2026-06-01T12:00:00Z',
    '2026-06-01T13:00:00Z',
    '5000',
    'Cannot read selector: a = b ^',
  ])
})
