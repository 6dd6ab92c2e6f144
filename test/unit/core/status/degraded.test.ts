// Which problems a node reports of a capture, in which words.
import test from 'ava'
import { problemsOf } from '../../../../src/core/status/degraded.ts'
import type { EndpointRow } from '../../../../src/core/status/endpointStatus.ts'
import type { ActualCapture, ActualEndpoint } from '../../../../src/model/actualState.ts'
import { lostFileReasons } from '../../../../src/model/capture.ts'
import type { CaptureDecision } from '../../../../src/model/decision.ts'
import type { ActualTap } from '../../../../src/model/tap.ts'
import { decisionOf } from '../../../support/model/taps.ts'

type RowChange = {
  readonly actual?: Partial<ActualEndpoint>
  readonly tap?: Partial<ActualTap>
  readonly isLive?: boolean
}

function row(name: string, { actual, tap, isLive = true }: RowChange = {}): EndpointRow {
  return {
    name,
    isLive,
    actual: actual && { gaps: [], ...actual },
    tap: { state: isLive ? 'open' : 'failed', ...tap },
  } as unknown as EndpointRow
}

function problems(
  rows: readonly EndpointRow[],
  change: Partial<CaptureDecision> = {},
  actual?: Partial<ActualCapture>,
): string[] {
  const held = {
    decision: decisionOf('web', ['p'], change),
    actual: actual as ActualCapture | undefined,
    taps: new Map(),
  }
  return problemsOf(held, rows).map(({ reason, message }) => `${reason}: ${message}`)
}

const gap = { fromMs: 1, reason: 'interface is down' }
const failed = { tap: { message: 'no interface' }, isLive: false } as const

const table: readonly (readonly [
  what: string,
  rows: readonly EndpointRow[],
  problems: readonly string[],
])[] = [
  ['all is well', [row('p', { actual: { dropped: 0 } })], []],
  [
    'the disk of two taps does not answer',
    [
      row('p', { tap: { waiting: { sinceMs: 61_500, bytes: 300 } } }),
      row('q', { tap: { waiting: { sinceMs: 60_500, bytes: 200 } } }),
      row('r', { actual: {} }),
    ],
    [
      'DiskStalled: the disk has taken no packet since 1970-01-01T00:01:00.000Z; 500 bytes wait in memory',
    ],
  ],
  [
    'an interface is down',
    [row('p', { actual: { gaps: [gap] } })],
    ['LostInterface: p: interface is down'],
  ],
  [
    'an interface was down and is up again',
    [row('p', { actual: { gaps: [{ ...gap, toMs: 2 }] } })],
    [],
  ],
  [
    'a tap that had begun failed',
    [row('p', { ...failed, actual: { startedAtMs: 1 } })],
    ['LostInterface: p: no interface'],
  ],
  ['a tap never opened', [row('p', failed)], ['TapFailed: p: no interface']],
  [
    'packets were not written',
    [row('p', { actual: { refused: 1 } })],
    ['WriteFailed: 1 packet received but not written'],
  ],
  [
    'an open tap cannot write',
    [row('p', { actual: {}, tap: { message: 'disk full' } })],
    ['WriteFailed: p: disk full'],
  ],
  [
    'packets were dropped by the kernel',
    [row('p', { actual: { dropped: 2 } }), row('q', { actual: { dropped: 3 } })],
    ['DroppedPackets: 5 packets dropped by the kernel because the ring was full'],
  ],
  [
    'others removed a file that was being written',
    [row('p', { actual: { gaps: [{ fromMs: 0, toMs: 9, reason: lostFileReasons.removed }] } })],
    ['LostFile: p: its file was removed by others at 1970-01-01T00:00:00.000Z'],
  ],
  [
    'packets went with a file that others removed',
    [
      row('p', {
        actual: { lost: 7, gaps: [{ fromMs: 0, toMs: 9, reason: lostFileReasons.removed }] },
      }),
    ],
    [
      'LostFile: p: its file was removed by others at 1970-01-01T00:00:00.000Z; 7 packets that were written are in no file any more',
    ],
  ],
  [
    'packets were cut',
    [row('p', { actual: { truncated: 2 } })],
    ['TruncatedPackets: 2 packets cut to the size of a ring block'],
  ],
  [
    'five taps failed',
    ['a', 'b', 'c', 'd', 'e'].map(name => row(name, failed)),
    ['TapFailed: a: no interface; b: no interface; c: no interface; and 2 more'],
  ],
]
for (const [what, rows, expected] of table)
  test(`problemsOf() is ${expected.join() || 'empty'} when ${what}`, t =>
    t.deepEqual(problems(rows), expected))

test('problemsOf() takes packets that came after a limit for no failure to write', t => {
  const rows = [row('p', { actual: { refused: 4 } })]
  t.deepEqual(problems(rows, {}, { limitHit: { kind: 'packets', limit: 5, atMs: 1 } }), [])
})

test('problemsOf() tells of a state that could not be read', t => {
  t.deepEqual(problems([], {}, { unreadable: 'expected JSON' }), ['LostState: expected JSON'])
})

test('problemsOf() has a halt first, then refusals by their reason', t => {
  const halt = { generation: 1, reason: 'DiskFloor', message: 'Stopped', atMs: 1 } as const
  const refused = new Map(
    ['a', 'b'].map(name => [
      name,
      { reason: 'RingBudget', message: `no ring for ${name}` } as const,
    ]),
  )
  t.deepEqual(
    problems([row('p', { actual: { dropped: 1 } })], { phase: { kind: 'Halted', halt }, refused }),
    [
      'DiskFloor: Stopped',
      'RingBudget: no ring for a; no ring for b',
      'DroppedPackets: 1 packet dropped by the kernel because the ring was full',
    ],
  )
})
