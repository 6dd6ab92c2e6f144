// What a node says of a capture's state, above all why there are no packets.
import test from 'ava'
import type { EndpointRow } from '../../../../src/core/status/endpointStatus.ts'
import { explain } from '../../../../src/core/status/message.ts'
import type { Halt } from '../../../../src/model/actualState.ts'
import type { CaptureDecision } from '../../../../src/model/decision.ts'
import type { CaptureStateName, Problem } from '../../../../src/model/status.ts'
import { decisionOf } from '../../../support/model/taps.ts'

const live = (interfacePackets: number) =>
  ({ name: 'p', isLive: true, actual: { interfacePackets } }) as unknown as EndpointRow
const halt: Halt = { generation: 1, reason: 'DiskFloor', message: 'Stopped by the node', atMs: 1 }
const filtered = decisionOf('web', ['p'], { filter: { filter: 'tcp' } })
const matching = (elsewhere: number, hostNetwork: number, inNamespace = 2) =>
  decisionOf('web', [], { matches: { matched: [], pods: [], inNamespace, elsewhere, hostNetwork } })

function said(
  decision: CaptureDecision,
  state: CaptureStateName,
  rows: readonly EndpointRow[] = [],
  problems: readonly Problem[] = [],
): string {
  return explain({ decision, actual: undefined, taps: new Map() }, 'node-0', state, rows, problems)
    .text
}

type Row = readonly [
  what: string,
  decision: CaptureDecision,
  state: CaptureStateName,
  rows: readonly EndpointRow[],
  text: string,
]

const rows: readonly Row[] = [
  ['it captures', filtered, 'Capturing', [live(9)], ''],
  [
    'nothing passed the interfaces',
    decisionOf('web', ['p']),
    'WaitingForTraffic',
    [live(0)],
    'No packet has passed the interfaces yet',
  ],
  [
    'nothing passed the filter',
    filtered,
    'WaitingForTraffic',
    [live(0)],
    'No packet has passed the filter "tcp" yet',
  ],
  [
    'packets passed, and none the filter',
    filtered,
    'WaitingForTraffic',
    [live(2), live(1)],
    '3 packets on the interfaces, none passed the filter "tcp"',
  ],
  ['no tap is open yet', filtered, 'WaitingForTraffic', [], ''],
  [
    'no endpoint matches',
    matching(0, 0),
    'WaitingForTraffic',
    [],
    'No endpoint matches the selector: 2 endpoints in namespace "default" on node "node-0"',
  ],
  [
    'endpoints of other nodes match',
    matching(4, 1, 1),
    'WaitingForTraffic',
    [],
    'No endpoint matches the selector: 1 endpoint in namespace "default" on node "node-0"; 4 on other nodes',
  ],
  [
    'host-networked pods alone match',
    matching(0, 3),
    'WaitingForTraffic',
    [],
    "Only host-networked pods match (3): they share the node's interfaces and are not captured",
  ],
  [
    'its window is to come',
    decisionOf('web', ['p'], { phase: { kind: 'Scheduled', opensAtMs: 0, isPreparing: false } }),
    'Scheduled',
    [],
    'The window opens at 1970-01-01T00:00:00.000Z',
  ],
  [
    'it is rejected',
    decisionOf('web', [], { phase: { kind: 'Rejected', message: 'Cannot read' } }),
    'Error',
    [],
    'Cannot read',
  ],
  [
    'it is finished',
    decisionOf('web', [], {
      phase: {
        kind: 'Finished',
        cause: 'limit',
        atMs: 1,
        message: 'Finished: packets limit 5 reached',
      },
    }),
    'Finished',
    [],
    'Finished: packets limit 5 reached',
  ],
]
for (const [what, decision, state, endpoints, text] of rows)
  test(`explain() says ${text === '' ? 'nothing' : `"${text}"`} when ${what}`, t =>
    t.is(said(decision, state, endpoints), text))

test('explain() adds problems and notes, and says the reason of a halt once', t => {
  const halted = decisionOf('web', ['p'], {
    phase: { kind: 'Halted', halt },
    notes: ['snapLength was bounded'],
  })
  const problems: Problem[] = [
    { reason: 'DiskFloor', message: halt.message },
    { reason: 'DroppedPackets', message: '3 packets dropped', wording: 'packets dropped' },
  ]
  t.is(
    said(halted, 'Error', [], problems),
    'Stopped by the node; 3 packets dropped; snapLength was bounded',
  )
})

test('explain() words packets without their number, so that a count alone changes no wording', t => {
  const { wording } = explain(
    { decision: filtered, actual: undefined, taps: new Map() },
    'n',
    'WaitingForTraffic',
    [live(3)],
    [],
  )
  t.is(wording, 'packets on the interfaces, none passed the filter "tcp"')
})
