// Ready, Degraded, Stalled and Capturing of a PacketCapture, from what its nodes report.
import test from 'ava'
import { type ConditionInput, conditionsOf } from '../../../../src/core/status/conditions.ts'
import type {
  CaptureStateName,
  CaptureStatusElement,
  Condition,
  Problem,
} from '../../../../src/model/status.ts'
import { at, endpoint, noonMs } from '../../../support/model/observations.ts'

function element(
  node: string,
  state: CaptureStateName,
  change: Partial<CaptureStatusElement> = {},
): CaptureStatusElement {
  return {
    node,
    problems: [],
    endpoints: [endpoint('p', state)],
    ...change,
  } as CaptureStatusElement
}

function conditions(
  state: CaptureStateName,
  elements: readonly CaptureStatusElement[],
  change: Partial<ConditionInput> = {},
) {
  return conditionsOf({
    state,
    elements,
    message: 'why',
    generation: 3,
    previous: [],
    nowMs: noonMs,
    ...change,
  })
}

const shown = ({ status, reason }: Condition) => `${status} ${reason}`
const silent: Problem = { reason: 'NodeSilent', message: 'silent' }
const dropped: Problem = { reason: 'DroppedPackets', message: '3 packets dropped' }
const floor: Problem = { reason: 'DiskFloor', message: 'disk full' }
const none = { endpoints: [] }

type Row = readonly [
  what: string,
  state: CaptureStateName,
  elements: readonly CaptureStatusElement[],
  ready: string,
  degraded: string,
]

const rows: readonly Row[] = [
  [
    'a node captures',
    'Capturing',
    [element('a', 'Capturing')],
    'True Capturing',
    'False AsExpected',
  ],
  [
    'a tap waits for traffic',
    'WaitingForTraffic',
    [element('a', 'WaitingForTraffic')],
    'True WaitingForTraffic',
    'False AsExpected',
  ],
  [
    'nothing matches',
    'WaitingForTraffic',
    [element('a', 'Finished', none)],
    'True NoEndpoint',
    'False AsExpected',
  ],
  ['it is over', 'Finished', [element('a', 'Finished')], 'True Finished', 'False AsExpected'],
  [
    'a node rejects it',
    'Error',
    [element('a', 'Capturing', { isRejected: true })],
    'False Rejected',
    'False AsExpected',
  ],
  [
    'a node may not have answered yet',
    'Scheduled',
    [element('a', 'Finished', { ...none, isUnanswered: true })],
    'False NotAnswered',
    'False AsExpected',
  ],
  [
    'every node that captures is silent',
    'Capturing',
    [element('a', 'Capturing', { problems: [silent] }), element('b', 'Finished', none)],
    'Unknown NodeSilent',
    'Unknown NodeSilent',
  ],
  [
    'one of two nodes that capture is silent',
    'Capturing',
    [element('a', 'Capturing', { problems: [silent] }), element('b', 'Capturing')],
    'True Capturing',
    'Unknown NodeSilent',
  ],
  [
    'nodes have several problems',
    'Capturing',
    [
      element('a', 'Capturing', { problems: [dropped] }),
      element('b', 'Capturing', { problems: [floor] }),
    ],
    'True Capturing',
    'True DiskFloor',
  ],
]
for (const [what, state, elements, ready, degraded] of rows)
  test(`conditionsOf() is Ready ${ready} and Degraded ${degraded} when ${what}`, t =>
    t.deepEqual(conditions(state, elements).slice(0, 2).map(shown), [ready, degraded]))

const ends: readonly (readonly [
  what: string,
  state: CaptureStateName,
  element: CaptureStatusElement,
  stalled: string,
  capturing: string,
])[] = [
  [
    'it is rejected',
    'Error',
    element('a', 'Error', { isRejected: true }),
    'True Rejected',
    'False Rejected',
  ],
  ['it cannot be captured', 'Error', element('a', 'Error'), 'True Error', 'False Error'],
  [
    'a tap waits',
    'WaitingForTraffic',
    element('a', 'WaitingForTraffic'),
    'False AsExpected',
    'True WaitingForTraffic',
  ],
  [
    'nothing matches',
    'WaitingForTraffic',
    element('a', 'Finished', none),
    'False AsExpected',
    'False NoEndpoint',
  ],
  ['it is over', 'Finished', element('a', 'Finished'), 'False AsExpected', 'False Finished'],
  [
    'it is silent',
    'Capturing',
    element('a', 'Capturing', { problems: [silent] }),
    'False AsExpected',
    'Unknown NodeSilent',
  ],
]
for (const [what, state, one, stalled, capturing] of ends)
  test(`conditionsOf() is Stalled ${stalled} and Capturing ${capturing} when ${what}`, t =>
    t.deepEqual(conditions(state, [one]).slice(2).map(shown), [stalled, capturing]))

test('conditionsOf() says that other nodes may still begin when they are awaited', t => {
  const [ready] = conditions('Finished', [element('a', 'Finished')], { isAwaited: true })
  t.like(ready, {
    status: 'False',
    reason: 'NotAnswered',
    message: 'why; other nodes may still begin',
  })
})

test('conditionsOf() has the problems of all nodes in the message, the gravest first', t => {
  const elements = [
    element('a', 'Capturing', { problems: [dropped] }),
    element('b', 'Capturing', { problems: [floor] }),
  ]
  t.is(conditions('Capturing', elements)[1]?.message, 'b: disk full; a: 3 packets dropped')
})

test('conditionsOf() changes lastTransitionTime when the status changes, and then alone', t => {
  const previous = conditions('WaitingForTraffic', [element('a', 'WaitingForTraffic')])
  const later = { previous, nowMs: noonMs + 60_000, generation: 4 }
  const times = (now: readonly Condition[]) =>
    now.map(({ lastTransitionTime }) => lastTransitionTime)
  const [capturing, over] = [
    element('a', 'Capturing', { problems: [dropped] }),
    element('a', 'Finished'),
  ]
  const [then, now] = [at(noonMs), at(noonMs + 60_000)]
  t.deepEqual(times(conditions('Capturing', [capturing], later)), [then, now, then, then])
  t.deepEqual(times(conditions('Finished', [over], later)), [then, then, then, now])
  t.is(conditions('Finished', [over], later)[0]?.observedGeneration, 4)
})
