// How a capture stands on all nodes: by table. Windows, what nodes say and do not say, when it is
// over.
import test from 'ava'
import fc from 'fast-check'
import {
  type PacketCaptureInput,
  reconcilePacketCapture,
} from '../../../../src/api/packetcapture/reconcile.ts'
import type { NodeObservation } from '../../../../src/api/reconcilerTypes.ts'
import { bytesOf } from '../../../../src/core/status/truncate.ts'
import type { CaptureStateName, PacketCaptureStatus } from '../../../../src/model/status.ts'
import { at, endpoint, finished, noonMs, read, row } from '../../../support/model/observations.ts'

const never = Number.POSITIVE_INFINITY
const hour = 3_600_000
const ttl = { ttlSecondsAfterFinished: 60 }

function verdict(change: Partial<PacketCaptureInput> = {}) {
  return reconcilePacketCapture({
    read: read({}),
    rows: [],
    nodes: 3,
    previous: undefined,
    nowMs: noonMs,
    ...change,
  })
}

const reporting = (...rows: readonly NodeObservation['row'][]): NodeObservation[] =>
  rows.map(each => ({ row: each }))
const silent = (...rows: readonly NodeObservation['row'][]): NodeObservation[] =>
  rows.map(each => ({ row: each, silentSinceMs: noonMs - 200_000 }))
const condition = (status: PacketCaptureStatus, type: 'Ready' | 'Degraded') =>
  status.conditions.find(each => each.type === type)

const opens = { startTime: at(noonMs + hour), endTime: at(noonMs + 2 * hour) }
const windows = [
  [
    'no window',
    {},
    noonMs,
    'WaitingForTraffic',
    /^No pod in namespace "default" matches the selector on any of 3 nodes$/,
    never,
  ],
  [
    'a window to come',
    opens,
    noonMs,
    'Scheduled',
    /^The window opens at 2026-06-01T13:00:00.000Z; No pod/,
    noonMs + hour,
  ],
  [
    'a window that opens now',
    opens,
    noonMs + hour,
    'WaitingForTraffic',
    /^No pod/,
    noonMs + 2 * hour,
  ],
  [
    'a window that ends now',
    opens,
    noonMs + 2 * hour,
    'Finished',
    /^Finished: the window ended at 2026-06-01T14:00:00.000Z; No pod/,
    never,
  ],
  [
    'a recurring window',
    { schedule: { cron: '0 13 * * *', durationSeconds: 60 } },
    noonMs,
    'Scheduled',
    /13:00:00/,
    noonMs + hour,
  ],
] as const
for (const [what, spec, nowMs, state, message, wakeAtMs] of windows) {
  test(`reconcilePacketCapture() is ${state} with ${what} and nobody that matches`, t => {
    const { status, ...times } = verdict({ read: read(spec), nowMs })
    t.is(status.state, state)
    t.regex(condition(status, 'Ready')?.message ?? '', message)
    t.deepEqual(status.files, [])
    t.deepEqual(times, { wakeAtMs, expiresAtMs: never })
  })
}

test('reconcilePacketCapture() says so when no node has reported', t => {
  t.is(condition(verdict({ nodes: 0 }).status, 'Ready')?.message, 'No node has reported yet')
})

test('reconcilePacketCapture() says of a new capture that no node has answered, for ten seconds, unless one has', t => {
  const made = read({})
  const createdAtMs = made.ok ? made.createdAtMs : never
  const young = { read: made, nowMs: createdAtMs + 9_999 }
  const { status, wakeAtMs } = verdict(young)
  t.like(condition(status, 'Ready'), {
    status: 'False',
    reason: 'NotAnswered',
    message: 'No node has answered yet',
  })
  t.is(wakeAtMs, createdAtMs + 10_000)
  t.is(condition(verdict({ ...young, nowMs: wakeAtMs }).status, 'Ready')?.reason, 'NoEndpoint')
  t.is(
    condition(verdict({ ...young, rows: reporting(row('a', 'Capturing')) }).status, 'Ready')
      ?.reason,
    'Capturing',
  )
})

test('reconcilePacketCapture() does not call a young capture finished before every node had time to begin, nor lets its ttl run', t => {
  const made = read({ limits: { packets: 1 }, ttlSecondsAfterFinished: 0 })
  const createdAtMs = made.ok ? made.createdAtMs : never
  const over = finished('a', createdAtMs + 500, {
    file: { packets: 1, message: 'Finished: packets limit 1 reached' },
  })
  const young = { read: made, nowMs: createdAtMs + 1_000, rows: reporting(over) }
  const { status, wakeAtMs, expiresAtMs } = verdict(young)
  t.is(status.state, 'Capturing')
  const message = 'Finished: packets limit 1 reached; other nodes may still begin'
  t.like(condition(status, 'Ready'), { status: 'False', reason: 'NotAnswered', message })
  t.deepEqual([wakeAtMs, expiresAtMs], [createdAtMs + 10_000, never])
  const all = ['a', 'b', 'c'].map(node => finished(node, createdAtMs + 500))
  t.is(verdict({ ...young, rows: reporting(...all) }).status.state, 'Finished') // nobody is left to answer
  t.is(verdict({ ...young, nodes: 1 }).status.state, 'Finished')
  const late = verdict({ ...young, nowMs: createdAtMs + 10_000 })
  t.deepEqual([late.status.state, late.expiresAtMs], ['Finished', createdAtMs + 500])
  const ended = read({ endTime: at(createdAtMs + 900) })
  t.is(verdict({ ...young, read: ended }).status.state, 'Finished') // its window is over everywhere
})

test('reconcilePacketCapture() passes on that only host-networked pods match, and lists no node for them', t => {
  const proxy = row('a', 'WaitingForTraffic', {
    isListed: false,
    file: { endpoints: [], message: 'Only host-networked pods match (1)' },
  })
  const alone = verdict({ rows: reporting(proxy) }).status
  t.deepEqual(
    [alone.files, condition(alone, 'Ready')?.message],
    [[], 'Only host-networked pods match (1)'],
  )
  const beside = verdict({ rows: reporting(proxy, row('b', 'Capturing')) }).status
  t.deepEqual([beside.files.map(({ node }) => node), beside.state], [['b'], 'Capturing'])
})

test('reconcilePacketCapture() is an Error in the words of the rejection, with or without nodes', t => {
  const rejected = read({ selector: "app == 'web' &&" })
  const none = verdict({ read: rejected, nodes: 0 }).status
  t.is(none.state, 'Error')
  t.like(condition(none, 'Ready'), { status: 'False', reason: 'Rejected' })
  t.regex(condition(none, 'Ready')?.message ?? '', /^Cannot capture: spec.selector: .*\^/s)
  const told = ['a', 'b'].map(node =>
    row(node, 'Error', { isRejected: true, file: { endpoints: [], message: 'Cannot capture' } }),
  )
  const { status, expiresAtMs } = verdict({ read: rejected, rows: reporting(...told) })
  t.deepEqual(
    [status.files.length, condition(status, 'Ready')?.message, expiresAtMs],
    [1, 'Cannot capture', never],
  )
})

// A silent node keeps its last figures; nobody knows whether it goes on.
const ended = finished('a', noonMs - 1_000)
const silences: readonly (readonly [
  what: string,
  rows: readonly NodeObservation[],
  ready: string,
  degraded: string,
])[] = [
  ['all of one', silent(row('a', 'Capturing')), 'Unknown', 'Unknown'],
  [
    'one of two that capture',
    [...silent(row('a', 'Capturing')), ...reporting(row('b', 'Capturing'))],
    'True',
    'Unknown',
  ],
  [
    'the one that captures',
    [...silent(row('a', 'Capturing')), ...reporting(finished('b', noonMs))],
    'Unknown',
    'Unknown',
  ],
  [
    'one that has finished',
    [...silent(ended), ...reporting(row('b', 'Capturing'))],
    'True',
    'Unknown',
  ],
  ['none', reporting(row('a', 'Capturing')), 'True', 'False'],
]
for (const [what, rows, ready, degraded] of silences) {
  test(`reconcilePacketCapture() is Ready ${ready}, Degraded ${degraded} when ${what} is silent`, t => {
    const { status } = verdict({ rows })
    t.deepEqual(
      [condition(status, 'Ready')?.status, condition(status, 'Degraded')?.status],
      [ready, degraded],
    )
  })
}

test('reconcilePacketCapture() keeps the last figures of a silent node and says since when', t => {
  const counts = { packets: 7, bytes: 700, dropped: 1 }
  const { status } = verdict({
    rows: silent(row('a', 'Capturing', { file: { ...counts, message: 'said before' } })),
  })
  t.like(status, { state: 'Capturing', nodes: 1, ...counts })
  t.is(
    status.files[0]?.message,
    'Unknown: no report since 2026-06-01T11:56:40.000Z, these are its last figures; said before',
  )
  t.is(condition(status, 'Degraded')?.reason, 'NodeSilent')
})

test('reconcilePacketCapture() shows something worse that a silent node told of before it', t => {
  const floor = [{ reason: 'DiskFloor', message: 'disk' }] as const
  t.like(
    condition(verdict({ rows: silent(row('a', 'Error', { problems: floor })) }).status, 'Degraded'),
    {
      status: 'True',
      reason: 'DiskFloor',
    },
  )
})

test('reconcilePacketCapture() speaks of the generation that every node answers to', t => {
  const generationOf = (...observed: readonly number[]) => {
    const rows = observed.map((observedGeneration, index) =>
      row(`n${index}`, 'Capturing', { observedGeneration }),
    )
    const { status } = verdict({ read: read({}, 5), rows: reporting(...rows) })
    return [status.observedGeneration, condition(status, 'Ready')?.observedGeneration]
  }
  t.deepEqual(
    [generationOf(), generationOf(5, 5), generationOf(5, 3), generationOf(6)],
    [
      [5, 5],
      [5, 5],
      [3, 3],
      [5, 5],
    ],
  )
})

// [what, spec, rows, when it is removed]
const untilNoon = { ...ttl, endTime: at(noonMs) }
const unreadable = row('b', 'Finished', {
  file: { endpoints: [endpoint('q', 'Finished', { endedAt: '2026-06-01T23:59:60Z' })] },
})
const neverOpened = row('b', 'Finished', {
  file: { endpoints: [{ ...endpoint('q', 'Finished'), startedAt: undefined } as never] },
})
const expiries: readonly (readonly [
  what: string,
  spec: object,
  rows: readonly NodeObservation[],
  expiresAtMs: number,
])[] = [
  [
    'every node finished: after the last end',
    ttl,
    reporting(finished('a', noonMs - 9_000), finished('b', noonMs - 5_000)),
    noonMs + 55_000,
  ],
  ['one node goes on: never', ttl, reporting(finished('a', noonMs), row('b', 'Capturing')), never],
  ['one node failed: never', ttl, reporting(finished('a', noonMs), row('b', 'Error')), never],
  ['no ttl: never', {}, reporting(finished('a', noonMs)), never],
  [
    'an endpoint began and has no end: never',
    ttl,
    reporting(finished('a', noonMs), finished('b', undefined)),
    never,
  ],
  ['an end cannot be read: never', ttl, reporting(finished('a', noonMs), unreadable), never],
  [
    'an endpoint never was captured: it ended nothing',
    ttl,
    reporting(finished('a', noonMs), neverOpened),
    noonMs + 60_000,
  ],
  [
    'no endpoint ever was captured and there is no window: never',
    ttl,
    reporting(neverOpened),
    never,
  ],
  [
    'a node answers to an older generation: never',
    ttl,
    reporting(finished('a', noonMs, { observedGeneration: 0 })),
    never,
  ],
  ['the window ended and nobody matched: after the window', untilNoon, [], noonMs + 60_000],
  [
    'the window ended after the last endpoint: after the window',
    untilNoon,
    reporting(finished('a', noonMs - hour)),
    noonMs + 60_000,
  ],
  [
    'the end was moved into the past: after the last endpoint',
    { ...ttl, endTime: at(noonMs - hour) },
    reporting(finished('a', noonMs)),
    noonMs + 60_000,
  ],
  [
    'the window ended before the capture was made: after that',
    { ...ttl, endTime: at(noonMs - 5 * hour) },
    [],
    noonMs - hour + 60_000,
  ],
  [
    'a silent node has finished: as if it spoke',
    ttl,
    silent(finished('a', noonMs)),
    noonMs + 60_000,
  ],
  [
    'a silent node captured when last heard of: never',
    untilNoon,
    silent(row('a', 'Capturing')),
    never,
  ],
  [
    'a node that went on was pruned: by those that are left',
    ttl,
    reporting(finished('a', noonMs)),
    noonMs + 60_000,
  ],
]
for (const [what, spec, rows, expiresAtMs] of expiries) {
  test(`reconcilePacketCapture() expires a capture: ${what}`, t => {
    const found = verdict({ read: read(spec), rows })
    t.is(found.expiresAtMs, expiresAtMs)
    t.is(found.wakeAtMs, expiresAtMs > noonMs ? expiresAtMs : never)
  })
}

test('reconcilePacketCapture() expires a capture of two hundred thousand endpoints', t => {
  const many = Array.from({ length: 20 }, (_, node) => {
    const endpoints = Array.from({ length: 10_000 }, (_, pod) =>
      endpoint(`p${pod}`, 'Finished', { endedAt: at(noonMs - pod) }),
    )
    return row(`n${node}`, 'Finished', { file: { endpoints } })
  })
  t.is(verdict({ read: read(ttl), rows: reporting(...many) }).expiresAtMs, noonMs + 60_000)
})

test('reconcilePacketCapture() keeps a status small enough to be stored, with the sums of all nodes', t => {
  const rows = Array.from({ length: 5_000 }, (_, index) => {
    const message = 'interface lost '.repeat(20)
    return row(`node-${index}`, index === 4_321 ? 'Capturing' : 'Error', {
      file: { packets: 2, bytes: 200, dropped: 1, message },
    })
  })
  const { status } = verdict({ rows: reporting(...rows) })
  t.like(status, {
    state: 'Capturing',
    nodes: 5_000,
    endpoints: 5_000,
    packets: 10_000,
    bytes: 1_000_000,
    dropped: 5_000,
  })
  t.true(bytesOf(status) <= 1_000_000, `${bytesOf(status)} bytes`)
  t.true(status.files.some(({ node }) => node === 'node-4321'))
  const shown = status.files.reduce((count, { endpoints }) => count + endpoints.length, 0)
  const said = `status.files tells of ${status.files.length} of 5000 nodes and ${shown} of 5000 endpoints: all would be too large to store`
  t.true(condition(status, 'Ready')?.message.endsWith(said))
})

const fargate = { node: 'far', kind: 'Fargate', pods: ['a', 'b', 'c', 'd'] } as const
const linux = { node: 'tainted', kind: 'Linux', pods: ['e'] } as const
const missed =
  'far: no agent runs on a Fargate node, so nothing is captured of a, b, c and 1 more; ' +
  'tainted: no agent runs there, so nothing is captured of e'

test('reconcilePacketCapture() tells of pods on nodes without an agent when no other pod matches', t => {
  const { status } = verdict({ agentless: [fargate, linux] })
  t.deepEqual(status.withoutAgent, [fargate, linux])
  t.like(condition(status, 'Degraded'), { status: 'True', reason: 'NoAgent', message: missed })
  t.like(condition(status, 'Ready'), {
    reason: 'NoEndpoint',
    message: `Every pod that matches is on a node without an agent: ${missed}`,
  })
})

test('reconcilePacketCapture() does not say that all pods are on nodes without an agent before others could answer', t => {
  const made = read({})
  const intent = made.ok ? { ...made, createdAtMs: noonMs - 9_999 } : made
  const { status } = verdict({ read: intent, agentless: [fargate, linux] })
  t.is(condition(status, 'Ready')?.message, missed)
})

test('reconcilePacketCapture() tells of pods on nodes without an agent beside those that are captured', t => {
  const { status } = verdict({ rows: reporting(row('a', 'Capturing')), agentless: [linux] })
  t.deepEqual([status.nodes, status.withoutAgent], [1, [linux]])
  t.is(condition(status, 'Ready')?.reason, 'Capturing')
  t.is(condition(status, 'Degraded')?.reason, 'NoAgent')
  t.is(verdict({ rows: reporting(row('a', 'Capturing')) }).status.withoutAgent, undefined)
})

test('reconcilePacketCapture() says that the files of a node cannot be had when its port is taken', t => {
  const { status } = verdict({ rows: [{ row: row('a', 'Capturing'), takenPort: 9_876 }] })
  t.is(condition(status, 'Ready')?.status, 'True')
  t.like(condition(status, 'Degraded'), { status: 'True', reason: 'PortTaken' })
  t.regex(condition(status, 'Degraded')?.message ?? '', /^a: .* cannot listen on port 9876: /)
})

const states = [
  'Scheduled',
  'WaitingForTraffic',
  'Capturing',
  'Finished',
  'Error',
] as const satisfies readonly CaptureStateName[]
const told = fc.record({
  state: fc.constantFrom(...states),
  packets: fc.nat(50),
  isSilent: fc.boolean(),
  generation: fc.nat(3),
})
const turns = fc.array(
  fc.tuple(fc.array(told, { maxLength: 3 }), fc.integer({ min: -9, max: 9 })),
  { maxLength: 8 },
)

test('reconcilePacketCapture() wakes in the future only, and no count goes backwards, whatever nodes report, vanish, or clocks do', t => {
  fc.assert(
    fc.property(turns, fc.constantFrom({}, ttl, { ...untilNoon, ...ttl }, opens), (all, spec) => {
      all.reduce<PacketCaptureStatus | undefined>((previous, [nodes, hours]) => {
        const nowMs = noonMs + hours * hour
        const rows = nodes.map(
          ({ state, packets, isSilent, generation }, index): NodeObservation => {
            const file = {
              packets,
              endpoints: [
                endpoint('p', state, {
                  packets,
                  ...(state === 'Finished' && { endedAt: at(noonMs) }),
                }),
              ],
            }
            const told = row(`n${index}`, state, { file, observedGeneration: generation })
            return { row: told, ...(isSilent && { silentSinceMs: nowMs - 200_000 }) }
          },
        )
        const found = verdict({ read: read(spec), rows, previous, nowMs })
        t.true(found.wakeAtMs > nowMs)
        t.true(found.status.packets >= (previous?.packets ?? 0))
        for (const { node, packets } of found.status.files)
          t.true(packets >= (previous?.files.find(file => file.node === node)?.packets ?? 0))
        t.is(found.status.files.length, rows.length)
        return found.status
      }, undefined)
    }),
  )
})

test('reconcilePacketCapture() keeps the sums when a node is pruned', t => {
  const counts = { packets: 10, bytes: 1_000, dropped: 1 }
  const rows = reporting(
    row('a', 'Capturing', { file: counts }),
    row('b', 'Capturing', { file: counts }),
  )
  const previous = verdict({ rows }).status
  const { status } = verdict({ rows: rows.slice(0, 1), previous })
  t.like(status, { nodes: 1, packets: 20, bytes: 2_000, dropped: 2 })
})
