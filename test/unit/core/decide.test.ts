// How the stages are joined: what makes a tap open, who is halted, what is made when a capture is
// over. Stories of many turns are in test/worlds.
import test from 'ava'
import { decideIntents } from '../../../src/core/decide.ts'
import type { ActualCapture, ActualState } from '../../../src/model/actualState.ts'
import type { Artifact } from '../../../src/model/artifact.ts'
import { type Intent, rejectionOf } from '../../../src/model/capture.ts'
import type { Decision } from '../../../src/model/decision.ts'
import { defaultSettings, type Settings } from '../../../src/model/settings.ts'
import { endpointOf, openTap, tapSpec, tapsOf } from '../../support/model/taps.ts'
import { capture, node, noonMs } from '../../support/worlds/documents.ts'
import { emptyNode, freshFacts } from '../../support/worlds/node.ts'
import { readIntent } from '../../support/worlds/reader.ts'

const web = readIntent(capture('web'))
const over: Intent = { ...web, window: { endMs: noonMs - 10_000 } }
const printed: Artifact = { kind: 'SingleFile', form: 'stdout', directory: '', bytesMax: 1_000 }

type Given = {
  readonly read?: Parameters<typeof decideIntents>[0]['read']
  readonly pods?: readonly string[]
  readonly isSynced?: boolean
  readonly isComplete?: boolean
  readonly settings?: Partial<Settings>
  readonly state?: Partial<ActualState>
}

function decide({
  read = [web],
  pods = ['p'],
  isSynced = true,
  isComplete = true,
  settings = {},
  state = {},
}: Given = {}): Decision {
  const world = { node, settings: { ...defaultSettings, ...settings }, isSynced, isComplete }
  return decideIntents(
    { world, read, endpoints: pods.map(pod => endpointOf(pod)) },
    { ...emptyNode, ...state },
    noonMs,
  )
}

const actions = (decision: Decision) =>
  decision.actions.map(
    action =>
      `${action.kind} ${action.kind === 'forget' ? action.captureKey : 'id' in action ? action.id : action.spec.id}`,
  )
const held = (change: Partial<ActualCapture> = {}) =>
  new Map([[web.key, { ...freshFacts({ ...web, captureKey: web.key }, 1), ...change }]])
const open = { taps: tapsOf(openTap(tapSpec('web', 'p'))), captures: held() }

test('decideIntents() opens a tap on each endpoint that a capture matches', t => {
  t.deepEqual(actions(decide({ pods: ['q', 'p'] })), ['open default/web/p', 'open default/web/q'])
  t.deepEqual(actions(decide({ pods: [] })), [])
})

test('decideIntents() opens nothing for a rejection or a filter that does not compile, and has both as Rejected', t => {
  const rejected = rejectionOf({ ...web, key: 'default/bad' }, 'Cannot read')
  const state = { filterErrors: new Map([[web.filter, 'syntax error']]) }
  const decision = decide({ read: [web, rejected], state })
  t.deepEqual(actions(decision), [])
  const phaseOf = (key: string) => decision.captures.get(key)?.phase
  t.deepEqual(phaseOf('default/bad'), { kind: 'Rejected', message: 'Cannot read' })
  t.deepEqual(phaseOf('default/web'), { kind: 'Rejected', message: 'syntax error' })
})

test('decideIntents() refuses the newest capture when there are more taps than captureEndpointsMax', t => {
  const older = { ...readIntent(capture('z')), createdAtMs: web.createdAtMs - 1 }
  const decision = decide({ read: [web, older], settings: { captureEndpointsMax: 1 } })
  t.deepEqual(actions(decision), ['open default/z/p'])
  t.is(decision.captures.get('default/web')?.refused.get('p')?.reason, 'EndpointsMax')
})

test('decideIntents() takes the capture with the smaller uid when two have one key', t => {
  const other = { ...web, capture: { ...web.capture, uid: 'a' } }
  for (const read of [
    [web, other],
    [other, web],
  ])
    t.is(decide({ read }).captures.get(web.key)?.capture.uid, 'a')
})

test('decideIntents() halts a capture when the disk is below its floor, and closes its taps', t => {
  const decision = decide({ state: { ...open, disk: { usedBytes: 0, freePercent: 1 } } })
  t.is(decision.halts.get(web.key)?.reason, 'DiskFloor')
  t.is(decision.captures.get(web.key)?.phase.kind, 'Halted')
  t.deepEqual(actions(decision), ['close default/web/p'])
})

test('decideIntents() closes the taps and removes the files of a capture that is gone, once the world has synced', t => {
  t.deepEqual(actions(decide({ read: [], state: open })), [
    'close default/web/p',
    'forget default/web',
  ])
  t.deepEqual(actions(decide({ read: [], state: open, isSynced: false })), [])
})

test('decideIntents() stops a capture that is gone, and keeps its files while a document was never read', t => {
  t.deepEqual(actions(decide({ read: [], state: open, isComplete: false })), [
    'close default/web/p',
  ])
  const state = { captures: held({ uid: 'earlier' }) }
  t.deepEqual(actions(decide({ state, isComplete: false })), [
    'forget default/web',
    'open default/web/p',
  ])
})

test('decideIntents() opens no tap over the files of an earlier capture before the world has synced', t => {
  const state = { captures: held({ uid: 'earlier' }) }
  t.deepEqual(actions(decide({ state, isSynced: false })), [])
  t.deepEqual(actions(decide({ state })), ['forget default/web', 'open default/web/p'])
})

test('decideIntents() makes the artifact when the capture is finished and its taps are closed', t => {
  const read = [{ ...over, artifact: printed }]
  t.deepEqual(decide({ read, state: open }).finish, [])
  t.like(decide({ read, state: { captures: held() } }).finish, [
    { key: web.key, artifact: printed },
  ])
  const made = { atMs: 1, files: [] }
  t.deepEqual(
    decide({ read, state: { captures: held({ artifact: made }) } }).finish,
    [],
    'it is made once',
  )
})

test('decideIntents() follows a capture whose packets are printed while it runs', t => {
  const read = [{ ...web, artifact: printed }]
  t.deepEqual(decide({ read, state: open }).follow, [{ key: web.key, capture: web.capture }])
  t.deepEqual(decide({ state: open }).follow, [])
})

test('decideIntents() expires a finished capture when its ttl has passed, and wakes for one that is to pass', t => {
  const state = { captures: held() }
  const after = (ttlMsAfterFinished: number) =>
    decide({ read: [{ ...over, ttlMsAfterFinished }], state })
  t.deepEqual(after(10_000).expire, [web.key])
  t.like(after(10_001), { expire: [], wakeAtMs: noonMs + 1 })
  t.deepEqual(
    decide({ read: [{ ...over, ttlMsAfterFinished: 0 }], state, isSynced: false }).expire,
    [],
  )
})

const many = readIntent(capture('web', { interfaces: ['lo', 'net*'] }))
const seen = (...names: string[]) => ({ podInterfaces: new Map([['default/uid-p', names]]) })

test('decideIntents() opens a tap on each interface of a pod that is asked for, and asks for a look at the pod', t => {
  const decision = decide({ read: [many], state: seen('eth0', 'net1', 'net2') })
  t.deepEqual(actions(decision), [
    'open default/web/p/lo',
    'open default/web/p/net1',
    'open default/web/p/net2',
  ])
  t.deepEqual(
    decision.lookAt.map(({ name }) => name),
    ['p'],
  )
  t.deepEqual(decide().lookAt, [], 'the primary interface needs no look')
  t.deepEqual(decide({ read: [{ ...many, window: over.window }] }).lookAt, [], 'it is over')
})

test('decideIntents() closes the tap of an interface that is gone, and leaves the others', t => {
  const specs = decide({ read: [many], state: seen('net1', 'net2') }).actions.flatMap(action =>
    action.kind === 'open' ? [openTap(action.spec)] : [],
  )
  const state = { taps: tapsOf(...specs), ...seen('net2') }
  const { actions: now } = decide({ read: [many], state })
  t.deepEqual(now, [{ kind: 'close', id: 'default/web/p/net1', reason: 'absent' }])
})

test('decideIntents() refuses interfaces beyond captureEndpointsMax one by one', t => {
  const state = seen('net1', 'net2')
  const decision = decide({ read: [many], state, settings: { captureEndpointsMax: 2 } })
  t.deepEqual(actions(decision), ['open default/web/p/lo', 'open default/web/p/net1'])
  t.deepEqual([...(decision.captures.get('default/web')?.refused.keys() ?? [])], ['p/net2'])
})
