// A node's element: states, messages that explain, problems. The node is the one in memory, with
// counts as the test says.
import test from 'ava'
import { type CaptureStatusElement, nodeStatuses } from '../../../../src/core/status/nodeStatus.ts'
import type { ActualEndpoint, ActualState } from '../../../../src/model/actualState.ts'
import type { PacketCaptureSpec } from '../../../../src/model/packetCaptureSpec.ts'
import { defaultSettings } from '../../../../src/model/settings.ts'
import type { ActualTap } from '../../../../src/model/tap.ts'
import type { World } from '../../../../src/model/world.ts'
import { capture, endpoint, noonMs, world } from '../../../support/worlds/documents.ts'
import { type Breakage, emptyNode } from '../../../support/worlds/node.ts'
import { decide } from '../../../support/worlds/reader.ts'
import { turn } from '../../../support/worlds/turns.ts'

const place = { node: 'node-0', directory: '/var/log/calico/pcap' }
const pods = [endpoint('p', { app: 'web' }), endpoint('q', { app: 'web' })]
const hostPod = {
  ...endpoint('h', { app: 'web' }),
  metadata: { ...endpoint('h').metadata, labels: { app: 'web' }, annotations: { hostNetwork: '' } },
}

type Known = {
  readonly rows?: Readonly<Record<string, Partial<ActualEndpoint>>>
  readonly facts?: object
  readonly tap?: Partial<ActualTap>
}

function known(actual: ActualState, { rows = {}, facts: more = {}, tap = {} }: Known): ActualState {
  const captures = [...actual.captures].map(([key, facts]) => {
    const endpoints = [...facts.endpoints].map(
      ([name, row]) => [name, { ...row, ...rows[name] }] as const,
    )
    return [key, { ...facts, ...more, endpoints: new Map(endpoints) }] as const
  })
  return {
    ...actual,
    captures: new Map(captures),
    taps: new Map([...actual.taps].map(([id, each]) => [id, { ...each, ...tap }])),
  }
}

function element(actual: ActualState, now: World, nowMs = noonMs): CaptureStatusElement {
  const found = nodeStatuses(decide(now, actual, nowMs).captures, actual, place).get('default/web')
  if (!found) throw new Error('no element')
  return found
}

function running(
  spec: PacketCaptureSpec,
  add: Known = {},
  broken?: Breakage,
): CaptureStatusElement {
  const now = world([capture('web', spec)], pods)
  return element(known(turn(now, emptyNode, noonMs, broken).actual, add), now)
}

test('nodeStatus() is exactly as the schema says, for a capture with packets', t => {
  const rows = {
    p: {
      packets: 3,
      bytes: 300,
      dropped: 1,
      gaps: [{ fromMs: noonMs - 2_000, toMs: noonMs - 1_000, reason: 'interface gone' }],
    },
    q: { vantage: 'PodNetns' as const },
  }
  const {
    problems: _,
    wording: __,
    ...published
  } = running({}, { rows, facts: { fileNames: ['q_b.pcap', 'p_a.pcap'] } })
  const row = { dropped: 0, packets: 0, bytes: 0, gaps: [], startedAt: '2026-06-01T12:00:00.000Z' }
  t.deepEqual(published, {
    node: 'node-0',
    directory: '/var/log/calico/pcap',
    fileNames: ['p_a.pcap', 'q_b.pcap'],
    state: 'Capturing',
    message: '1 packet dropped by the kernel because the ring was full',
    packets: 3,
    bytes: 300,
    dropped: 1,
    endpoints: [
      {
        ...row,
        pod: 'p',
        uid: 'uid-p',
        interface: 'calip',
        vantage: 'HostVeth',
        state: 'Capturing',
        packets: 3,
        bytes: 300,
        dropped: 1,
        gaps: [
          {
            from: '2026-06-01T11:59:58.000Z',
            to: '2026-06-01T11:59:59.000Z',
            reason: 'interface gone',
          },
        ],
      },
      {
        ...row,
        pod: 'q',
        uid: 'uid-q',
        interface: 'caliq',
        vantage: 'PodNetns',
        state: 'WaitingForTraffic',
      },
    ],
    isListed: true,
    isRejected: false,
    isUncapturable: false,
  })
})

type Case = readonly [
  name: string,
  told: () => CaptureStatusElement,
  state: string,
  message: string,
]
const broken = (...names: string[]) => ({ interfaces: new Set(names.map(name => `cali${name}`)) })
const only = (
  endpoints: World['endpoints'],
  spec: PacketCaptureSpec = { selector: 'app == "web"' },
) => element(emptyNode, world([capture('web', spec)], endpoints))

const cases: readonly Case[] = [
  [
    'nothing was seen and there is no filter',
    () => running({}),
    'WaitingForTraffic',
    'No packet has passed the interfaces yet',
  ],
  [
    'nothing passed the filter',
    () => running({ expression: 'udp' }),
    'WaitingForTraffic',
    'No packet has passed the filter "udp" yet',
  ],
  [
    'the interfaces had packets, none passed the filter',
    () =>
      running(
        { expression: 'udp' },
        { rows: { p: { interfacePackets: 70 }, q: { interfacePackets: 50 } } },
      ),
    'WaitingForTraffic',
    '120 packets on the interfaces, none passed the filter "udp"',
  ],
  ['packets were seen', () => running({}, { rows: { p: { packets: 1 } } }), 'Capturing', ''],
  [
    'no endpoint matches',
    () => only([endpoint('x', { app: 'db' })]),
    'WaitingForTraffic',
    'No endpoint matches the selector: 1 endpoint in namespace "default" on node "node-0"',
  ],
  [
    'endpoints match on other nodes only',
    () => only([endpoint('x', { app: 'web' }, { node: 'node-1' })]),
    'WaitingForTraffic',
    'No endpoint matches the selector: 0 endpoints in namespace "default" on node "node-0"; 1 on other nodes',
  ],
  [
    'only host-networked pods match',
    () => only([hostPod]),
    'WaitingForTraffic',
    "Only host-networked pods match (1): they share the node's interfaces and are not captured",
  ],
  [
    'the window is to come',
    () => only(pods, { startTime: '2026-06-01T13:00:00Z' }),
    'Scheduled',
    'The window opens at 2026-06-01T13:00:00.000Z',
  ],
  [
    'the window is to come and nothing matches',
    () => only([], { startTime: '2026-06-01T13:00:00Z' }),
    'Scheduled',
    'The window opens at 2026-06-01T13:00:00.000Z; No endpoint matches the selector: 0 endpoints in namespace "default" on node "node-0"',
  ],
  [
    'the window has passed',
    () => only(pods, { endTime: '2026-06-01T11:00:00Z' }),
    'Finished',
    'Finished: the window ended at 2026-06-01T11:00:00.000Z',
  ],
  [
    'the selector is broken',
    () => only(pods, { selector: 'app = 1' }),
    'Error',
    'Cannot capture: spec.selector: expected ==\n  app = 1\n      ^',
  ],
  [
    'one tap failed',
    () => running({}, {}, broken('p')),
    'WaitingForTraffic',
    'No packet has passed the interfaces yet; p: no interface "calip"',
  ],
  [
    'all taps failed',
    () => running({}, {}, broken('p', 'q')),
    'Error',
    'p: no interface "calip"; q: no interface "caliq"',
  ],
  [
    'the interface is down',
    () => running({}, { rows: { p: { packets: 1 } }, tap: { message: 'interface is down' } }),
    'Capturing',
    'p: interface is down; q: interface is down',
  ],
  [
    'packets could not be written',
    () => running({}, { rows: { p: { packets: 1, refused: 7 } } }),
    'Capturing',
    '7 packets received but not written',
  ],
]

for (const [name, told, state, message] of cases) {
  test(`nodeStatus() is ${state} and says why when ${name}`, t => {
    const found = told()
    t.deepEqual([found.state, found.message ?? ''], [state, message])
  })
}

test('nodeStatus() lists the node when an endpoint matches or did, and for an Error', t => {
  t.false(only([]).isListed)
  t.true(only(pods, { startTime: '2026-06-01T13:00:00Z' }).isListed)
  t.true(only([], { selector: 'app = 1' }).isListed)
  const { actual } = turn(world([capture('web')], pods), emptyNode, noonMs)
  const gone = turn(world([capture('web')], []), actual, noonMs + 1_000)
  const told = element(gone.actual, world([capture('web')], []))
  t.true(told.isListed)
  t.deepEqual(
    told.endpoints.map(({ pod, state, endedAt }) => [pod, state, endedAt]),
    [
      ['p', 'Finished', '2026-06-01T12:00:01.000Z'],
      ['q', 'Finished', '2026-06-01T12:00:01.000Z'],
    ],
  )
  t.is(told.state, 'WaitingForTraffic', 'the window is open, others may come')
})

test('nodeStatus() is Finished with the reason when a limit was reached, and refusals are no failure', t => {
  const now = world([capture('web', { limits: { packets: 1_000 } })], pods)
  const open = turn(now, emptyNode, noonMs).actual
  const hit = known(open, {
    facts: { limitHit: { kind: 'packets', limit: 1_000, atMs: noonMs } },
    rows: { p: { packets: 1_000, received: 1_050, refused: 50 } },
  })
  const told = element(turn(now, hit, noonMs).actual, now)
  t.deepEqual(
    [told.state, told.message, told.problems],
    ['Finished', 'Finished: packets limit 1000 reached', []],
  )
})

test('nodeStatus() tells refused endpoints and halted captures with the numbers', t => {
  const settings = { ...defaultSettings, captureRingBytesMax: 524_288 }
  const tight = world([capture('web')], pods, { settings })
  const told = element(turn(tight, emptyNode, noonMs).actual, tight)
  const message =
    'Cannot open a tap on "q": 2 taps are wanted on this node and captureRingBytesMax 524288 holds 1 rings of at least 524288 bytes: the newest captures go without'
  t.deepEqual(
    told.endpoints.map(row => [row.state, row.message]),
    [
      ['WaitingForTraffic', undefined],
      ['Error', message],
    ],
  )
  t.deepEqual(told.problems, [{ reason: 'RingBudget', message }])

  const now = world([capture('web')], pods)
  const low: ActualState = {
    ...turn(now, emptyNode, noonMs).actual,
    disk: { usedBytes: 0, freePercent: 3 },
  }
  const halted = element(turn(now, low, noonMs).actual, now)
  const reason =
    'Stopped by the node, the oldest capture first: 3 % of the disk is free and captureDiskFreePercentMin is 15'
  t.deepEqual(
    [halted.state, halted.message, halted.problems],
    ['Error', reason, [{ reason: 'DiskFloor', message: reason }]],
  )
})

test('nodeStatus() tells a lost interface by its open gap', t => {
  const told = running(
    {},
    { rows: { p: { gaps: [{ fromMs: noonMs, reason: 'interface gone' }] } } },
  )
  t.deepEqual(told.problems, [{ reason: 'LostInterface', message: 'p: interface gone' }])
  t.deepEqual(told.endpoints[0]?.gaps, [
    { from: '2026-06-01T12:00:00.000Z', reason: 'interface gone' },
  ])
})

test('nodeStatus() tells a tap that cannot write as such, not as a lost interface', t => {
  const now = world([capture('web')], pods)
  const actual = known(turn(now, emptyNode, noonMs).actual, {
    rows: { p: { received: 3, refused: 2, packets: 1 } },
  })
  const taps = new Map(
    [...actual.taps].map(([id, tap]) => [
      id,
      id.endsWith('/p') ? { ...tap, message: 'Cannot write: ENOSPC' } : tap,
    ]),
  )
  const { state, problems } = element({ ...actual, taps }, now)
  t.is(state, 'Capturing')
  t.deepEqual(problems, [
    {
      reason: 'WriteFailed',
      message: '2 packets received but not written; p: Cannot write: ENOSPC',
      wording: 'packets received but not written; p: Cannot write: ENOSPC',
    },
  ])
})

test('nodeStatus() has nothing of an earlier capture under the same name', t => {
  const { actual } = turn(world([capture('web')], pods), emptyNode, noonMs)
  const again = world(
    [capture('web', { startTime: '2026-06-01T13:00:00Z' }, { uid: 'again' })],
    pods,
  )
  const told = element(known(actual, { rows: { p: { packets: 5 } } }), again)
  t.deepEqual(
    [told.state, told.packets, told.endpoints.map(({ state }) => state)],
    ['Scheduled', 0, ['Scheduled', 'Scheduled']],
  )
})

test('nodeStatus() keeps counts exact integers', t => {
  const huge = running({}, { rows: { p: { bytes: Number.MAX_SAFE_INTEGER }, q: { bytes: 10 } } })
  t.is(huge.bytes, Number.MAX_SAFE_INTEGER)
})

test('nodeStatus() has a row for each interface of a pod, and says so if there is none', t => {
  const { endpoints, isUncapturable } = running({ interfaces: ['lo', 'net1'] })
  t.deepEqual(
    endpoints.map(row => [row.pod, row.interface]),
    [
      ['p', 'lo'],
      ['p', 'net1'],
      ['q', 'lo'],
      ['q', 'net1'],
    ],
  )
  t.false(isUncapturable)
  const none = running({ interfaces: ['vlan*', 'shop/fast'] })
  t.is(none.message, '2 pods on node "node-0" match, and none has an interface of vlan*, shop/fast')
  t.deepEqual([none.isListed, none.isUncapturable], [false, true])
})
