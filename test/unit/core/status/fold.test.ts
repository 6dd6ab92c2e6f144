// Nodes' elements into one status: aggregation, totals, conditions that move only when they should.
import test from 'ava'
import fc from 'fast-check'
import {
  aggregate,
  foldStatus,
  type PacketCaptureStatus,
} from '../../../../src/core/status/fold.ts'
import type {
  CaptureStateName,
  CaptureStatusElement,
  EndpointStatus,
} from '../../../../src/model/status.ts'

const atMs = Date.UTC(2026, 5, 1, 12)
const zero = { packets: 0, bytes: 0, dropped: 0 }

function row(pod: string, state: CaptureStateName, counts = zero): EndpointStatus {
  return { pod, uid: pod, interface: `cali${pod}`, vantage: 'HostVeth', state, ...counts, gaps: [] }
}

function element(node: string, change: Partial<CaptureStatusElement> = {}): CaptureStatusElement {
  const { state = 'WaitingForTraffic', endpoints = [row(`pod-${node}`, state)] } = change
  return {
    node,
    directory: '/captures',
    fileNames: [],
    ...zero,
    isListed: true,
    isRejected: false,
    isUncapturable: false,
    problems: [],
    ...change,
    state,
    endpoints,
  }
}

function fold(
  elements: readonly CaptureStatusElement[],
  previous?: PacketCaptureStatus,
  nowMs = atMs,
): PacketCaptureStatus {
  return foldStatus({ elements, generation: 7, nowMs, ...(previous && { previous }) })
}

test('foldStatus() adds the counts of a disk that was replaced, and shows those of the files', t => {
  const held = (stateId: string, packets: number) => {
    const counts = { packets, bytes: packets * 100, dropped: 0 }
    return element('a', { stateId, endpoints: [row('p', 'Capturing', counts)], ...counts })
  }
  const first = fold([held('x', 1_000)])
  const replaced = fold([held('y', 50)], first)
  t.like(replaced, { packets: 1_050, bytes: 105_000 })
  t.like(replaced.files[0], { packets: 50, stateId: 'y' })
  t.is(replaced.files[0]?.endpoints[0]?.packets, 50)
  const gone = fold([], replaced)
  t.like(gone, { packets: 1_050, files: [] })
  const back = fold([held('y', 70)], gone)
  t.like(back, { packets: 1_070, earlier: [{ node: 'a', stateId: 'x', packets: 1_000 }] })
  t.is(fold([held('y', 60)], back).packets, 1_070) // the same state never counts less
})

test('foldStatus() keeps the counts of a disk that was replaced while its node was away', t => {
  const held = (stateId: string | undefined, packets: number) =>
    element('a', {
      ...(stateId !== undefined && { stateId }),
      endpoints: [row('p', 'Capturing', { packets, bytes: packets, dropped: 0 })],
      ...{ packets, bytes: packets, dropped: 0 },
    })
  const gone = fold([], fold([held('x', 1_000)]))
  const opening = fold([held(undefined, 0)], gone)
  t.is(opening.packets, 1_000)
  t.is(fold([held('y', 50)], opening).packets, 1_050)
  t.is(fold([held('x', 1_050)], opening).packets, 1_050)
})

test('foldStatus() is exactly as the schema says', t => {
  const counts = { packets: 5, bytes: 500, dropped: 1 }
  const problems = [{ reason: 'DroppedPackets', message: '1 packets were dropped' }] as const
  const elements = [
    element('b'),
    element('a', {
      state: 'Capturing',
      endpoints: [row('p', 'Capturing', counts)],
      ...counts,
      fileNames: ['p.pcap'],
      problems,
    }),
  ]
  const transition = { lastTransitionTime: '2026-06-01T12:00:00.000Z', observedGeneration: 7 }
  t.deepEqual(fold(elements), {
    observedGeneration: 7,
    state: 'Capturing',
    nodes: 2,
    endpoints: 2,
    ...counts,
    conditions: [
      { type: 'Ready', status: 'True', reason: 'Capturing', message: '', ...transition },
      {
        type: 'Degraded',
        status: 'True',
        reason: 'DroppedPackets',
        message: 'a: 1 packets were dropped',
        ...transition,
      },
      { type: 'Stalled', status: 'False', reason: 'AsExpected', message: '', ...transition },
      { type: 'Capturing', status: 'True', reason: 'Capturing', message: '', ...transition },
    ],
    files: [
      {
        node: 'a',
        directory: '/captures',
        fileNames: ['p.pcap'],
        state: 'Capturing',
        ...counts,
        endpoints: [row('p', 'Capturing', counts)],
      },
      {
        node: 'b',
        directory: '/captures',
        fileNames: [],
        state: 'WaitingForTraffic',
        ...zero,
        endpoints: [row('pod-b', 'WaitingForTraffic')],
      },
    ],
  })
})

const aggregates: readonly (readonly [
  states: readonly CaptureStateName[],
  state: CaptureStateName,
])[] = [
  [['Finished', 'Capturing', 'Error'], 'Capturing'],
  [['Finished', 'WaitingForTraffic', 'Error'], 'WaitingForTraffic'],
  [['Scheduled', 'Error'], 'Scheduled'],
  [['Finished', 'Error'], 'Error'],
  [['Finished'], 'Finished'],
  [[], 'WaitingForTraffic'],
]
for (const [states, state] of aggregates)
  test(`aggregate() is ${state} of [${states}]`, t => t.is(aggregate(states), state))

test('foldStatus() leaves out nodes without endpoints, unless there are no others to speak', t => {
  const empty = element('a', { endpoints: [], isListed: false, message: 'No endpoint matches' })
  const failed = element('b', { state: 'Error', message: 'no interface' })
  const { files, state, conditions } = fold([empty, failed])
  t.deepEqual(
    [files.map(({ node }) => node), state, conditions[0]?.message],
    [['b'], 'Error', 'no interface'],
  )
  const alone = fold([empty])
  t.deepEqual(
    [alone.files, alone.state, alone.conditions[0]?.reason, alone.conditions[0]?.message],
    [[], 'WaitingForTraffic', 'NoEndpoint', 'No endpoint matches'],
  )
  t.is(fold([]).conditions[0]?.message, 'No node has reported yet')
})

test('foldStatus() tells a rejection once, however many nodes report it', t => {
  const rejected = ['a', 'b', 'c'].map(node =>
    element(node, {
      state: 'Error',
      endpoints: [],
      isRejected: true,
      message: 'Cannot read selector',
    }),
  )
  const { files, state, conditions } = fold(rejected)
  t.deepEqual(
    [files.map(({ node, message }) => [node, message]), state],
    [[['a', 'Cannot read selector']], 'Error'],
  )
  t.like(conditions[0], {
    type: 'Ready',
    status: 'False',
    reason: 'Rejected',
    message: 'Cannot read selector',
  })
})

test('foldStatus() says each message once, with its nodes', t => {
  const elements = ['a', 'b', 'c', 'd', 'e'].map((node, index) =>
    element(node, { message: index === 0 ? 'one' : 'other' }),
  )
  t.is(fold(elements).conditions[0]?.message, 'a: one; b and 3 other nodes: other')
})

test('foldStatus() leaves out the message of a node whose pod is gone while another captures', t => {
  const left = element('a', {
    endpoints: [row('p', 'Finished')],
    message: 'No endpoint matches the selector: 0 endpoints',
  })
  const live = element('b', { state: 'Capturing', endpoints: [row('p', 'Capturing')] })
  t.is(fold([left, live]).conditions[0]?.message, '')
  t.is(fold([left]).conditions[0]?.message, left.message)
  const limited = element('c', {
    state: 'Finished',
    endpoints: [row('q', 'Finished')],
    message: 'limit',
  })
  t.is(fold([limited, live]).conditions[0]?.message, 'c: limit')
})

test('foldStatus() moves lastTransitionTime only with the status of the condition', t => {
  const waiting = fold([element('a')])
  const capturing = fold([element('a', { state: 'Capturing' })], waiting, atMs + 1_000)
  const finished = fold([element('a', { state: 'Finished' })], capturing, atMs + 2_000)
  const times = (status: PacketCaptureStatus) =>
    status.conditions.map(({ lastTransitionTime }) => lastTransitionTime.slice(17))
  t.deepEqual([waiting, capturing, finished].map(times), [
    ['00.000Z', '00.000Z', '00.000Z', '00.000Z'],
    ['00.000Z', '00.000Z', '00.000Z', '00.000Z'],
    ['00.000Z', '00.000Z', '00.000Z', '02.000Z'],
  ])
  t.is(capturing.conditions[0]?.reason, 'Capturing')
})

test('foldStatus() puts the gravest problem first and keeps the message short', t => {
  const dropped = element('a', { problems: [{ reason: 'DroppedPackets', message: 'dropped' }] })
  const floor = element('b', { problems: [{ reason: 'DiskFloor', message: 'disk' }] })
  t.like(fold([dropped, floor]).conditions[1], {
    reason: 'DiskFloor',
    message: 'b: disk; a: dropped',
  })
  const many = Array.from({ length: 500 }, (_, index) =>
    element(`n${index}`, { problems: [{ reason: 'RingBudget', message: 'x'.repeat(50) }] }),
  )
  t.regex(fold(many).conditions[1]?.message ?? '', /; and \d+ more$/)
  t.true((fold(many).conditions[1]?.message.length ?? 0) < 1_100)
})

test('foldStatus() drops the element of a node that is gone; totals do not go back', t => {
  const counts = { packets: 10, bytes: 100, dropped: 2 }
  const both = fold([
    element('a', { endpoints: [row('p', 'Capturing', counts)] }),
    element('b', { endpoints: [row('q', 'Capturing', counts)] }),
  ])
  const one = fold([element('a', { endpoints: [row('p', 'Capturing', counts)] })], both)
  t.deepEqual(
    [one.files.length, one.nodes, one.packets, one.bytes, one.dropped],
    [1, 1, 20, 200, 4],
  )
})

test('foldStatus() never lets a count go backwards, whatever the nodes report', t => {
  const report = fc.array(
    fc.record({
      node: fc.constantFrom('a', 'b'),
      packets: fc.nat(1_000),
      bytes: fc.nat(),
      dropped: fc.nat(9),
    }),
    {
      maxLength: 2,
    },
  )
  fc.assert(
    fc.property(fc.array(report, { maxLength: 6 }), reports => {
      reports.reduce<PacketCaptureStatus | undefined>((before, told) => {
        const elements = [
          ...new Map(
            told.map(({ node, ...counts }) => [
              node,
              element(node, { endpoints: [row('p', 'Capturing', counts)] }),
            ]),
          ).values(),
        ]
        const now = fold(elements, before)
        for (const name of ['packets', 'bytes', 'dropped'] as const)
          t.true(now[name] >= (before?.[name] ?? 0))
        for (const file of now.files)
          t.true(
            file.packets >= (before?.files.find(({ node }) => node === file.node)?.packets ?? 0),
          )
        return now
      }, undefined)
    }),
  )
})

test('foldStatus() keeps the counts of each interface of a pod, and of a pod whose only interface is another one now', t => {
  const of = (name: string, packets: number) => ({
    ...row('p', 'Capturing', { ...zero, packets }),
    interface: name,
  })
  const after = (before: readonly EndpointStatus[], now: readonly EndpointStatus[]) =>
    fold(
      [element('a', { endpoints: now })],
      fold([element('a', { endpoints: before })]),
    ).files[0]?.endpoints.map(({ packets }) => packets)
  t.deepEqual(after([of('eth0', 5), of('net1', 7)], [of('eth0', 6), of('net1', 1)]), [6, 7])
  t.deepEqual(after([of('cali1', 5)], [of('cali2', 1)]), [5])
  t.deepEqual(after([of('eth0', 5), of('eth0', 9)], [of('eth0', 5), of('eth0', 1)]), [5, 1])
})
