// What is done on the way from one world to the next: who is left in peace, who is closed and why,
// what is forgotten when.
import test from 'ava'
import type { ActualState } from '../../src/model/actualState.ts'
import { defaultSettings } from '../../src/model/settings.ts'
import type { Action } from '../../src/model/tap.ts'
import type { PacketCapture, World } from '../../src/model/world.ts'
import { capture, endpoint, noonMs, world } from '../support/worlds/documents.ts'
import { emptyNode } from '../support/worlds/node.ts'
import { decide } from '../support/worlds/reader.ts'
import { turn } from '../support/worlds/turns.ts'

const selector = 'app == "web"'
const web = capture('web', { selector })
const web0 = endpoint('web-0', { app: 'web' })
const web1 = endpoint('web-1', { app: 'web' })
const db0 = endpoint('db-0', { app: 'db' })
const before = world([web], [web0, web1, db0])

/** An action in a word or two. */
function word(action: Action): string {
  switch (action.kind) {
    case 'close':
      return `close ${action.id} ${action.reason}`
    case 'forget':
      return `forget ${action.captureKey} ${action.uid}`
    case 'adjust':
    case 'open':
      return `${action.kind} ${action.spec.id}`
  }
}

const id = 'default/web/web-0'
const other = 'default/web/web-1'
const edited = (spec: PacketCapture['spec']) =>
  capture('web', { selector, ...spec }, { generation: 2 })
const reopened = (reason: string) => [
  `close ${id} ${reason}`,
  `close ${other} ${reason}`,
  `open ${id}`,
  `open ${other}`,
]
const closed = (reason: string) => [`close ${id} ${reason}`, `close ${other} ${reason}`]

const rows: readonly (readonly [name: string, after: World, actions: readonly string[]])[] = [
  ['nothing changed', before, []],
  [
    'the selector also matches another',
    world([edited({ selector: 'all()' })], [web0, web1, db0]),
    ['open default/web/db-0'],
  ],
  [
    'the selector matches one less',
    world([web], [web0, endpoint('web-1', { app: 'db' })]),
    [`close ${other} unmatched`],
  ],
  ['a pod is gone', world([web], [web0]), [`close ${other} finished`]],
  [
    'a pod was replaced',
    world([web], [web0, endpoint('web-1', { app: 'web' }, { uid: 'new' })]),
    [`close ${other} replaced`, `open ${other}`],
  ],
  [
    'an interface was re-created under another name',
    world([web], [web0, endpoint('web-1', { app: 'web' }, { interfaceName: 'cali9' })]),
    [`close ${other} replaced`, `open ${other}`],
  ],
  [
    'addresses changed, the interface did not',
    world([web], [web0, endpoint('web-1', { app: 'web' }, { address: '10.0.0.9' })]),
    [`adjust ${other}`],
  ],
  ['the filter changed', world([edited({ expression: 'udp' })], [web0, web1]), reopened('changed')],
  [
    'the snap length changed',
    world([edited({ snapLength: 64 })], [web0, web1]),
    reopened('changed'),
  ],
  [
    'the payload changed',
    world([edited({ payload: 'Headers' })], [web0, web1]),
    reopened('changed'),
  ],
  ['the format changed', world([edited({ format: 'pcapng' })], [web0, web1]), reopened('changed')],
  [
    'the vantage changed',
    world([edited({ vantage: 'PodNetns' })], [web0, web1]),
    reopened('changed'),
  ],
  [
    'the rotation changed',
    world([edited({ rotation: { seconds: 5 } })], [web0, web1]),
    [`adjust ${id}`, `adjust ${other}`],
  ],
  [
    'the limits changed',
    world([edited({ limits: { packets: 5 } })], [web0, web1]),
    [`adjust ${id}`, `adjust ${other}`],
  ],
  [
    'the end was moved to the past',
    world([edited({ endTime: '2026-06-01T11:00:00Z' })], [web0, web1]),
    closed('window'),
  ],
  [
    'the selector broke',
    world([edited({ selector: 'app = "web"' })], [web0, web1]),
    closed('changed'),
  ],
  [
    'the capture was deleted',
    world([], [web0, web1]),
    [...closed('deleted'), 'forget default/web uid-web'],
  ],
  [
    'the capture was created again under its name',
    world([capture('web', { selector }, { uid: 'again' })], [web0, web1]),
    [...closed('deleted'), 'forget default/web uid-web', `open ${id}`, `open ${other}`],
  ],
  [
    'fewer endpoints are allowed',
    world([web], [web0, web1], { settings: { ...defaultSettings, captureEndpointsMax: 1 } }),
    [`close ${other} budget`],
  ],
  ['the world is empty and not complete', world([], [], { isSynced: false }), []],
  [
    'endpoints are missing and the world is not complete',
    world([web], [], { isSynced: false }),
    [],
  ],
  [
    'a window ended and the world is not complete',
    world([edited({ endTime: '2026-06-01T11:00:00Z' })], [], { isSynced: false }),
    closed('window'),
  ],
  [
    'another uid and the world is not complete',
    world([capture('web', { selector }, { uid: 'again' })], [web0, web1], { isSynced: false }),
    [],
  ],
]

for (const [name, after, expected] of rows) {
  test(`decide() does ${expected.length === 0 ? 'nothing' : 'as little as possible'} when ${name}`, t => {
    const { actual } = turn(before, emptyNode, noonMs)
    const { decision } = turn(after, actual, noonMs)
    t.deepEqual(decision.actions.map(word), expected)
  })
}

test('decide() closes for the limit, and goes on when the limit was raised', t => {
  const limited = world([edited({ limits: { packets: 10 } })], [web0])
  const { actual } = turn(limited, emptyNode, noonMs)
  const hit = withFacts(actual, { limitHit: { kind: 'packets', limit: 10, atMs: noonMs } })
  const stopped = turn(limited, hit, noonMs)
  t.deepEqual(stopped.decision.actions.map(word), [`close ${id} limit`])
  t.deepEqual(
    turn(
      world([edited({ limits: { packets: 11 } })], [web0]),
      stopped.actual,
      noonMs,
    ).decision.actions.map(word),
    [`open ${id}`],
  )
})

test('decide() goes on with windows and limits while the world stands still', t => {
  // The API server is away: the last snapshot stays, time passes.
  const standing = world(
    [
      capture('web', {
        selector,
        endTime: '2026-06-01T13:00:00Z',
        limits: { durationSeconds: 60 },
      }),
    ],
    [web0],
  )
  const { actual, decision } = turn(standing, emptyNode, noonMs)
  t.is(decision.wakeAtMs, noonMs + 60_000)
  t.deepEqual(turn(standing, actual, noonMs + 59_999).decision.actions.map(word), [])
  t.deepEqual(turn(standing, actual, noonMs + 60_000).decision.actions.map(word), [
    `close ${id} limit`,
  ])
})

test('decide() opens again what was open when the agent restarts, and forgets nothing', t => {
  const { actual } = turn(before, emptyNode, noonMs)
  const restarted: ActualState = { ...actual, taps: new Map() }
  t.deepEqual(turn(before, restarted, noonMs + 5_000).decision.actions.map(word), [
    `open ${id}`,
    `open ${other}`,
  ])
})

test('decide() forgets a capture deleted while the agent was down, after the first full list', t => {
  const { actual } = turn(before, emptyNode, noonMs)
  const restarted: ActualState = { ...actual, taps: new Map() }
  t.deepEqual(turn(world([], [], { isSynced: false }), restarted, noonMs).decision.actions, [])
  t.deepEqual(turn(world([], [web0]), restarted, noonMs).decision.actions.map(word), [
    'forget default/web uid-web',
  ])
})

test('decide() does not open over the files of a deleted capture while the world is not complete', t => {
  const { actual } = turn(before, emptyNode, noonMs)
  const restarted: ActualState = { ...actual, taps: new Map() }
  const again = [capture('web', { selector }, { uid: 'again' })]
  t.deepEqual(
    turn(world(again, [web0], { isSynced: false }), restarted, noonMs).decision.actions,
    [],
  )
  t.deepEqual(turn(world(again, [web0]), restarted, noonMs).decision.actions.map(word), [
    'forget default/web uid-web',
    `open ${id}`,
  ])
})

test('decide() tries a failed tap again when its time has come or its spec changed, not before', t => {
  const broken = { interfaces: new Set(['caliweb-0']), retryMs: 1_000 }
  const one = world([web], [web0])
  const { actual, decision } = turn(one, emptyNode, noonMs, broken)
  t.deepEqual(decision.actions.map(word), [`open ${id}`])
  const waiting = turn(one, actual, noonMs + 999)
  t.deepEqual(waiting.decision.actions, [])
  t.is(waiting.decision.wakeAtMs, noonMs + 1_000)
  t.deepEqual(turn(one, actual, noonMs + 1_000).decision.actions.map(word), [`open ${id}`])
  t.deepEqual(
    turn(world([edited({ expression: 'udp' })], [web0]), actual, noonMs + 1).decision.actions.map(
      word,
    ),
    [`open ${id}`],
  )
  t.deepEqual(turn(world([web], []), actual, noonMs + 1).decision.actions.map(word), [
    `close ${id} finished`,
  ])
})

test('decide() does not try a failed tap again because the rings are shared anew', t => {
  const settings = { ...defaultSettings, captureRingBytesMax: 4 * 1_048_576 }
  const one = turn(world([web], [web0], { settings }), emptyNode, noonMs, {
    interfaces: new Set(['caliweb-0']),
  }).actual
  t.deepEqual(
    turn(world([web], [web0, web1], { settings }), one, noonMs).decision.actions.map(word),
    [`open ${other}`],
  )
})

test('decide() makes a filter that does not compile the Error of its capture alone', t => {
  const bad = world([edited({ expression: 'tcp port port' }), capture('all')], [web0])
  const known: ActualState = {
    ...emptyNode,
    filterErrors: new Map([['tcp port port', 'Cannot compile "tcp port port": syntax error']]),
  }
  const { decision } = turn(bad, known, noonMs)
  t.deepEqual(decision.actions.map(word), ['open default/all/web-0'])
  t.deepEqual(decision.captures.get('default/web')?.phase, {
    kind: 'Rejected',
    message: 'Cannot compile "tcp port port": syntax error',
  })
})

test('decide() expires a finished capture its ttl after everything ended, and wakes for it', t => {
  const spec = { endTime: '2026-06-01T12:01:00Z', ttlSecondsAfterFinished: 30 }
  const brief = world([edited(spec)], [web0])
  const { actual } = turn(brief, emptyNode, noonMs)
  const lateMs = noonMs + 70_000
  const ended = turn(brief, actual, lateMs).actual
  t.deepEqual(decide(brief, actual, lateMs).expire, [], 'the tap is still open')
  t.deepEqual(decide(brief, ended, lateMs + 29_999).expire, [])
  t.is(decide(brief, ended, lateMs + 29_999).wakeAtMs, lateMs + 30_000)
  t.deepEqual(decide(brief, ended, lateMs + 30_000).expire, ['default/web'])
  t.true(decide(brief, ended, lateMs + 30_000).wakeAtMs > lateMs + 30_000)
  t.deepEqual(decide({ ...brief, isSynced: false }, ended, lateMs + 30_000).expire, [])
})

function withFacts(actual: ActualState, change: object): ActualState {
  return {
    ...actual,
    captures: new Map([...actual.captures].map(([key, facts]) => [key, { ...facts, ...change }])),
  }
}
