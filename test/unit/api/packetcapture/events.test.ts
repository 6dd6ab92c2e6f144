// Which Events a change of status makes.
import test from 'ava'
import { eventsFor } from '../../../../src/api/packetcapture/events.ts'
import type {
  CaptureStateName,
  Condition,
  PacketCaptureStatus,
} from '../../../../src/model/status.ts'
import { at, noonMs, statusOf } from '../../../support/model/observations.ts'

type Status = Condition['status']

function status(
  state: CaptureStateName,
  capturing: Status,
  degraded: Status = 'False',
  message = '',
): PacketCaptureStatus {
  const common = { lastTransitionTime: at(noonMs), observedGeneration: 1 }
  return statusOf(2, {
    state,
    packets: 5,
    conditions: [
      {
        type: 'Ready',
        status: state === 'Error' ? 'False' : 'True',
        reason: state,
        message,
        ...common,
      },
      { type: 'Capturing', status: capturing, reason: state, message: '', ...common },
      {
        type: 'Degraded',
        status: degraded,
        reason: degraded === 'False' ? 'AsExpected' : 'DiskFloor',
        message: 'a: disk',
        ...common,
      },
    ],
  })
}

const waiting = status('WaitingForTraffic', 'True')
const capturing = status('Capturing', 'True')
const nobody = status('WaitingForTraffic', 'False')
const done = status('Finished', 'False')
const wrong = status('Error', 'False', 'False', 'Cannot capture: spec.selector')
const full = status('Capturing', 'True', 'True')
const silent = status('Capturing', 'Unknown', 'Unknown')

const changes: readonly (readonly [
  what: string,
  before: PacketCaptureStatus | undefined,
  now: PacketCaptureStatus,
  events: readonly string[],
])[] = [
  ['a capture that starts', undefined, waiting, ['Started: Capturing 2 endpoints on 2 nodes']],
  ['a capture that nobody matches', undefined, nobody, []],
  ['a pod that comes', nobody, waiting, ['Started: Capturing 2 endpoints on 2 nodes']],
  ['the first packet', waiting, capturing, []],
  ['more packets', capturing, { ...capturing, packets: 99 }, []],
  ['the end', capturing, done, ['Finished: 5 packets captured']],
  [
    'the end in words',
    capturing,
    status('Finished', 'False', 'False', 'Finished: packets limit 5 reached'),
    ['Finished: Finished: packets limit 5 reached'],
  ],
  ['the next window', done, waiting, ['Started: Capturing 2 endpoints on 2 nodes']],
  ['a rejection', undefined, wrong, ['Failed: Cannot capture: spec.selector']],
  ['the same rejection', wrong, wrong, []],
  ['a full disk', capturing, full, ['Degraded: DiskFloor: a: disk']],
  ['room again', full, capturing, ['Recovered: All nodes capture as expected again']],
  ['a node that falls silent', capturing, silent, []],
  ['a node that speaks again', silent, capturing, []],
  [
    'an old status without conditions',
    statusOf(2),
    capturing,
    ['Started: Capturing 2 endpoints on 2 nodes'],
  ],
]
for (const [what, before, now, events] of changes) {
  test(`eventsFor() ${what}: ${events.length > 0 ? events.join() : 'none'}`, t => {
    t.deepEqual(
      eventsFor(before, now).map(({ reason, message }) => `${reason}: ${message}`),
      events,
    )
  })
}
