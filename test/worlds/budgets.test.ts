// Budgets as a whole turn keeps them: whom they refuse, and that taps which are open go on.
import test from 'ava'
import type { ActualState } from '../../src/model/actualState.ts'
import { defaultSettings } from '../../src/model/settings.ts'
import { capture, endpoint, noonMs, world } from '../support/worlds/documents.ts'
import { emptyNode } from '../support/worlds/node.ts'
import { ringBytes, turn } from '../support/worlds/turns.ts'

const pods = ['p', 'q', 'r'].map(name => endpoint(name))
const old = capture('old', {}, { createdAtMs: noonMs - 2_000 })
const young = capture('young', {}, { createdAtMs: noonMs - 1_000 })
const ids = (actual: ActualState) => [...actual.taps.keys()].toSorted()

test('decide() refuses the newest capture beyond captureEndpointsMax, with the numbers', t => {
  const settings = { ...defaultSettings, captureEndpointsMax: 4 }
  const { actual, decision } = turn(world([young, old], pods, { settings }), emptyNode, noonMs)
  t.deepEqual(ids(actual), ['default/old/p', 'default/old/q', 'default/old/r', 'default/young/p'])
  t.deepEqual(
    [...(decision.captures.get('default/young')?.refused ?? [])],
    [
      [
        'q',
        {
          reason: 'EndpointsMax',
          message:
            'Cannot open a tap on "q": 6 taps are wanted on this node and captureEndpointsMax is 4: the newest captures go without',
        },
      ],
      [
        'r',
        {
          reason: 'EndpointsMax',
          message:
            'Cannot open a tap on "r": 6 taps are wanted on this node and captureEndpointsMax is 4: the newest captures go without',
        },
      ],
    ],
  )
})

test('decide() takes a ring from the newest for an older capture', t => {
  const settings = { ...defaultSettings, captureRingBytesMax: 3 * 524_288 }
  const first = turn(world([young], pods, { settings }), emptyNode, noonMs).actual
  const { actual, decision } = turn(world([young, old], pods, { settings }), first, noonMs)
  t.deepEqual(ids(actual), ['default/old/p', 'default/old/q', 'default/old/r'])
  t.deepEqual(
    decision.actions.slice(0, 3).map(action => action.kind === 'close' && action.reason),
    ['budget', 'budget', 'budget'],
  )
  t.is(ringBytes(actual), 3 * 524_288)
})

test('decide() halts the oldest capture, keeps it halted, and lets it go on when it is edited and there is room', t => {
  const both = world([old, young], pods.slice(0, 1))
  const running = turn(both, emptyNode, noonMs).actual
  const full: ActualState = {
    ...running,
    disk: { usedBytes: defaultSettings.captureDiskBytesMax - 1_500_000, freePercent: 80 },
  }
  const halted = turn(both, full, noonMs)
  t.deepEqual(halted.decision.actions, [{ kind: 'close', id: 'default/old/p', reason: 'disk' }])
  t.is(halted.decision.captures.get('default/old')?.phase.kind, 'Halted')
  t.is(halted.actual.captures.get('default/old')?.halt?.reason, 'DiskBudget')

  const edited = world(
    [capture('old', {}, { createdAtMs: noonMs - 2_000, generation: 2 }), young],
    pods.slice(0, 1),
  )
  const refused = turn(edited, halted.actual, noonMs)
  t.deepEqual(ids(refused.actual), ['default/young/p'])
  t.is(refused.decision.captures.get('default/old')?.refused.get('p')?.reason, 'DiskBudget')
  t.is(refused.actual.captures.get('default/old')?.halt, undefined)

  const roomy: ActualState = { ...refused.actual, disk: { usedBytes: 0, freePercent: 80 } }
  t.deepEqual(ids(turn(edited, roomy, noonMs).actual), ['default/old/p', 'default/young/p'])
})

test('decide() lets a halted capture go on when a deletion made room', t => {
  const both = world([old, young], pods.slice(0, 1))
  const low: ActualState = {
    ...turn(both, emptyNode, noonMs).actual,
    disk: { usedBytes: 0, freePercent: 14.5 },
  }
  const halted = turn(both, low, noonMs).actual
  t.deepEqual(ids(halted), ['default/young/p'])
  const { actual } = turn(both, { ...halted, disk: { usedBytes: 0, freePercent: 30 } }, noonMs)
  t.deepEqual(ids(actual), ['default/old/p', 'default/young/p'])
  t.is(actual.captures.get('default/old')?.halt, undefined)
})

test('decide() opens nothing new while free space is below the floor, and closes nothing that it did not halt', t => {
  const low: ActualState = { ...emptyNode, disk: { usedBytes: 0, freePercent: 14.5 } }
  const { actual, decision } = turn(world([old], pods), low, noonMs)
  t.deepEqual(ids(actual), [])
  t.is(
    decision.captures.get('default/old')?.refused.get('p')?.message,
    'Cannot open a tap on "p": 14.5 % of the disk is free and captureDiskFreePercentMin is 15',
  )
})
