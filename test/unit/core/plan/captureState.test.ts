// What other stages are told of one capture in one turn.
import test from 'ava'
import {
  type CaptureState,
  captureDecisionOf,
  countOpen,
  diskUserOf,
  haltOf,
  rejectedDecisionOf,
  staleHalts,
  withHalt,
} from '../../../../src/core/plan/captureState.ts'
import { desiredTapsOf } from '../../../../src/core/plan/desiredTap.ts'
import type { ActualCapture, Halt } from '../../../../src/model/actualState.ts'
import { rejectionOf } from '../../../../src/model/capture.ts'
import { decisionOf, openTap, tapSpec, tapsOf } from '../../../support/model/taps.ts'
import { capture } from '../../../support/worlds/documents.ts'
import { freshFacts } from '../../../support/worlds/node.ts'
import { readIntent } from '../../../support/worlds/reader.ts'

const halt: Halt = { generation: 2, reason: 'DiskBudget', message: 'stopped', atMs: 1 }
const intent = readIntent(capture('web', {}, { generation: 2 }))
const facts = (change: Partial<ActualCapture>): ActualCapture => ({
  ...freshFacts({ ...intent, captureKey: intent.key }, 1),
  ...change,
})

function state(change: Partial<CaptureState> = {}): CaptureState {
  const { matches, phase } = decisionOf('web', ['a', 'b'])
  return {
    intent,
    actual: undefined,
    matches,
    phase,
    window: { untilMs: 9_000 },
    wakeAtMs: 9_000,
    ...change,
  }
}

for (const [what, generation, expected] of [
  ['of this generation', 2, { ...halt, generation: 2 }],
  ['of a newer generation than the one that was read', 3, { ...halt, generation: 3 }],
  ['of an older generation', 1, undefined],
] as const) {
  test(`haltOf() is ${expected ? 'the stored halt' : 'undefined'} when that is ${what}`, t => {
    const halted = state({ actual: facts({ halt: { ...halt, generation } }) })
    t.deepEqual(haltOf(halted), expected)
    t.deepEqual(staleHalts([halted, state()]), expected ? [] : [['default/web', undefined]])
  })
}

test('withHalt() makes a capture that needs taps Halted, without taps, and leaves any other as it is', t => {
  t.like(withHalt(state(), halt), { phase: { kind: 'Halted', halt }, window: undefined })
  t.deepEqual(desiredTapsOf([withHalt(state(), halt)]), [])
  const over = state({
    window: undefined,
    phase: { kind: 'Finished', cause: 'window', atMs: 1, message: '' },
  })
  t.is(withHalt(over, halt), over)
  const running = state()
  t.is(withHalt(running, undefined), running)
})

test('diskUserOf() has what the capture may write and what it holds', t => {
  const endpoints = new Map([['a', { name: 'a' } as never]])
  t.deepEqual(diskUserOf(state({ actual: facts({ fileBytes: 70, endpoints, halt }) }), 1), {
    key: 'default/web',
    generation: 2,
    taps: 2,
    openTaps: 1,
    rows: 1,
    fileBytes: 70,
    rotation: intent.rotation,
    halt,
  })
  t.like(diskUserOf(state(), 0), { openTaps: 0, rows: 0, fileBytes: 0 })
})

test('countOpen() counts the open taps of each capture', t => {
  const taps = tapsOf(
    openTap(tapSpec('web', 'a')),
    openTap(tapSpec('web', 'b')),
    { ...openTap(tapSpec('web', 'c')), state: 'failed' },
    openTap(tapSpec('api', 'a')),
  )
  t.deepEqual(
    [...countOpen(taps)],
    [
      ['default/web', 2],
      ['default/api', 1],
    ],
  )
})

test('captureDecisionOf() and rejectedDecisionOf() have the phase that a status is made of', t => {
  const { matches, phase } = state()
  t.like(captureDecisionOf(state()), {
    key: 'default/web',
    generation: 2,
    phase,
    matches,
    filter: { filter: intent.filter },
  })
  const rejected = rejectedDecisionOf(rejectionOf(intent, 'Cannot read spec.selector'))
  t.deepEqual(rejected.phase, { kind: 'Rejected', message: 'Cannot read spec.selector' })
  t.deepEqual(rejected.matches.matched, [])
})
