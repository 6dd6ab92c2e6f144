// The actions that lead from the actual taps to the desired ones, and when a failed tap is tried
// again.
import test from 'ava'
import { type PlanInput, plan } from '../../../../src/core/plan/plan.ts'
import type { Action, ActualTap, TapSpec } from '../../../../src/model/tap.ts'
import { openTap, tapSpec, tapsOf } from '../../../support/model/taps.ts'

const nowMs = 5_000

function planOf(
  desired: readonly TapSpec[],
  actual: readonly ActualTap[],
  change: Partial<PlanInput> = {},
) {
  const { actions, wakeAtMs } = plan({
    desired: new Map(desired.map(spec => [spec.id, spec])),
    actual: tapsOf(...actual),
    removals: [],
    reasonOf: () => 'unmatched',
    nowMs,
    ...change,
  })
  return { actions: actions.map(textOf), wakeAtMs }
}

function textOf(action: Action): string {
  if (action.kind === 'close') return `close ${action.id} ${action.reason}`
  return `${action.kind} ${action.kind === 'forget' ? action.captureKey : action.spec.id}`
}

const [a, b, c] = [tapSpec('web', 'a'), tapSpec('web', 'b'), tapSpec('web', 'c')]
const failed = (spec: TapSpec, retryAtMs?: number): ActualTap => ({
  spec,
  state: 'failed',
  message: 'no interface',
  ...(retryAtMs !== undefined && { retryAtMs }),
})
const longer = (spec: TapSpec): TapSpec => ({ ...spec, limits: { packets: 7 } })

type Row = readonly [
  what: string,
  desired: readonly TapSpec[],
  actual: readonly ActualTap[],
  actions: readonly string[],
]

const rows: readonly Row[] = [
  ['does nothing when the desired tap is open', [a], [openTap(a)], []],
  ['opens a tap when there is none', [a], [], ['open default/web/a']],
  ['closes a tap when it is not desired', [], [openTap(a)], ['close default/web/a unmatched']],
  [
    'adjusts an open tap when its limits differ',
    [longer(a)],
    [openTap(a)],
    ['adjust default/web/a'],
  ],
  [
    'closes a tap and opens it when its filter differs',
    [{ ...a, filter: 'udp' }],
    [openTap(a)],
    ['close default/web/a changed', 'open default/web/a'],
  ],
  ['leaves a failed tap when its retry is not due', [a], [failed(a, nowMs + 1)], []],
  ['leaves a failed tap when it has no retry', [a], [failed(a)], []],
  [
    'opens a failed tap, without a close, when its retry is due',
    [a],
    [failed(a, nowMs)],
    ['open default/web/a'],
  ],
  [
    'opens a failed tap when its filter differs',
    [{ ...a, filter: 'udp' }],
    [failed(a, nowMs + 1)],
    ['open default/web/a'],
  ],
  [
    'leaves a failed tap when its ring alone differs',
    [{ ...a, ringBytes: 2 * a.ringBytes }],
    [failed(a, nowMs + 1)],
    [],
  ],
  [
    'drops the record of a failed tap when it is not desired',
    [],
    [failed(a)],
    ['close default/web/a unmatched'],
  ],
]
for (const [what, desired, actual, actions] of rows)
  test(`plan() ${what}`, t => t.deepEqual(planOf(desired, actual).actions, actions))

test('plan() closes, then removes files, then adjusts, then opens, so that a ring is freed before another is taken', t => {
  const removals = ['default/z', 'default/old'].map(
    captureKey => ({ kind: 'forget', captureKey, uid: 'u' }) as const,
  )
  const gone = tapSpec('old', 'a')
  t.deepEqual(
    planOf([c, longer(b)], [openTap(b), openTap(gone), openTap(a)], { removals }).actions,
    [
      'close default/old/a unmatched',
      'close default/web/a unmatched',
      'forget default/old',
      'forget default/z',
      'adjust default/web/b',
      'open default/web/c',
    ],
  )
})

test('plan() wakes for the first retry that is to come, of desired taps alone', t => {
  const taps = [failed(a, nowMs + 900), failed(b, nowMs + 300), failed(c, nowMs + 100)]
  t.is(planOf([a, b], taps).wakeAtMs, nowMs + 300)
  t.is(planOf([a], [failed(a, nowMs)]).wakeAtMs, Number.POSITIVE_INFINITY)
})
