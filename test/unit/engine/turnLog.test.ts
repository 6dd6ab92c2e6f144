// What a turn says in the log: changes, once, with their values as fields; and nothing when nothing
// changed.
import test, { type ExecutionContext } from 'ava'
import { logTurn, type Turn } from '../../../src/engine/turnLog.ts'
import type { CaptureStatusElement } from '../../../src/model/status.ts'
import type { Action, TapSpec } from '../../../src/model/tap.ts'
import { Directory, type LogLine } from '../../support/directory.ts'

const spec: TapSpec = {
  id: 'shop/web/web-0',
  capture: { api: 'PacketCapture', namespace: 'shop', name: 'web', uid: 'u1' },
  captureKey: 'shop/web',
  endpoint: { namespace: 'shop', name: 'web-0', uid: 'e1', addresses: [] },
  interfaceName: 'cali1',
  vantage: 'HostVeth',
  filter: 'udp',
  snapLength: 96,
  payload: 'Full',
  format: 'pcap',
  ringBytes: 1_048_576,
  rotation: { fileBytesMax: 1_000, fileAgeMsMax: 2_000, filesMax: 3 },
  limits: { packets: 4 },
  window: { untilMs: 1 },
}

function element(change: Partial<CaptureStatusElement> = {}): CaptureStatusElement {
  const counts = { packets: 0, bytes: 0, dropped: 0 }
  return { node: 'node-0', directory: '/c', fileNames: [], state: 'WaitingForTraffic', ...counts, endpoints: [], isListed: true, isRejected: false,
    isUncapturable: false, problems: [], ...change } // biome-ignore format: one line
}

type Elements = Readonly<Record<string, CaptureStatusElement>>

/** What is said of a turn, without the time. */
function said(
  t: ExecutionContext,
  actions: readonly Action[],
  before: Elements,
  now: Elements,
): Omit<LogLine, 'time'>[] {
  const { log, lines } = new Directory(t).logger()
  const decision = { actions } as Turn['decision']
  logTurn(log, {
    decision,
    before: new Map(Object.entries(before)),
    elements: new Map(Object.entries(now)),
  })
  return lines().map(({ time: _, ...line }) => line)
}

const actions: readonly (readonly [Action, object])[] = [
  [
    { kind: 'open', spec },
    { tap: 'shop/web/web-0', interface: 'cali1', filter: 'udp', msg: 'opening tap' },
  ],
  [
    { kind: 'close', id: 'shop/web/web-0', reason: 'window' },
    { tap: 'shop/web/web-0', reason: 'window', msg: 'closing tap' },
  ],
  [
    { kind: 'adjust', spec },
    {
      tap: 'shop/web/web-0',
      rotation: spec.rotation,
      limits: spec.limits,
      window: spec.window,
      msg: 'adjusting tap',
    },
  ],
  [
    { kind: 'forget', captureKey: 'shop/web', uid: 'u1' },
    { capture: 'shop/web', uid: 'u1', msg: 'removing files of a capture that is gone' },
  ],
]
for (const [action, line] of actions) {
  test(`logTurn() says "${(line as LogLine).msg}" when a turn's action is ${action.kind}`, t =>
    t.deepEqual(said(t, [action], {}, {}), [{ level: 'info', ...line }]))
}

test('logTurn() says the actions in their order', t => {
  const all = actions.map(([action]) => action)
  t.deepEqual(
    said(t, all, {}, {}).map(({ msg }) => msg),
    actions.map(([, line]) => (line as LogLine).msg),
  )
})

test('logTurn() says the state of a capture that is new, and each state after it with the one before', t => {
  const counts = { packets: 3, dropped: 1 }
  t.deepEqual(said(t, [], {}, { 'shop/web': element({ message: 'No packet yet' }) }), [
    {
      level: 'info',
      capture: 'shop/web',
      state: 'WaitingForTraffic',
      packets: 0,
      dropped: 0,
      message: 'No packet yet',
      msg: 'capture state',
    },
  ])
  t.deepEqual(
    said(
      t,
      [],
      { 'shop/web': element() },
      { 'shop/web': element({ state: 'Capturing', ...counts }) },
    ),
    [
      {
        level: 'info',
        capture: 'shop/web',
        from: 'WaitingForTraffic',
        state: 'Capturing',
        ...counts,
        msg: 'capture state',
      },
    ],
  )
})

test('logTurn() says an Error as an error, with its message', t => {
  const [line] = said(
    t,
    [],
    { 'shop/web': element() },
    { 'shop/web': element({ state: 'Error', message: 'selector: expected string' }) },
  )
  t.like(line, {
    level: 'error',
    state: 'Error',
    message: 'selector: expected string',
    msg: 'capture state',
  })
})

test('logTurn() says nothing of counts alone, nor of a message that counts in words', t => {
  const before = element({ state: 'Capturing', packets: 1, message: '1 packet' })
  t.deepEqual(
    said(
      t,
      [],
      { 'shop/web': before },
      { 'shop/web': { ...before, packets: 2, bytes: 9, dropped: 1, message: '2 packets' } },
    ),
    [],
  )
})

test('logTurn() says a problem when it begins, not while it lasts with other numbers, and again when it comes back', t => {
  const dropping = (message: string) =>
    element({ state: 'Capturing', problems: [{ reason: 'DroppedPackets', message }] })
  const fine = element({ state: 'Capturing' })
  const line = {
    level: 'warn',
    capture: 'shop/web',
    reason: 'DroppedPackets',
    problem: '1 packet dropped',
    msg: 'capture degraded',
  }
  t.deepEqual(said(t, [], { 'shop/web': fine }, { 'shop/web': dropping('1 packet dropped') }), [
    line,
  ])
  t.deepEqual(
    said(
      t,
      [],
      { 'shop/web': dropping('1 packet dropped') },
      { 'shop/web': dropping('2 packets dropped') },
    ),
    [],
  )
  t.deepEqual(said(t, [], { 'shop/web': dropping('x') }, { 'shop/web': fine }), [])
})

test('logTurn() says only the problem that is new beside one that lasts', t => {
  const old = { reason: 'DroppedPackets', message: '1 packet dropped' } as const
  const fresh = { reason: 'LostInterface', message: 'web-0: interface cali1 is gone' } as const
  const lines = said(
    t,
    [],
    { 'shop/web': element({ problems: [old] }) },
    { 'shop/web': element({ problems: [fresh, old] }) },
  )
  t.deepEqual(
    lines.map(({ reason }) => reason),
    ['LostInterface'],
  )
})

test('logTurn() says that a capture is gone', t => {
  t.deepEqual(
    said(t, [], { 'shop/web': element(), 'shop/api': element() }, { 'shop/api': element() }),
    [{ level: 'info', capture: 'shop/web', msg: 'capture gone' }],
  )
})
