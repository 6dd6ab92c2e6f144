// Why a tap that is not desired closes, what stays before the world has synced, and whose files are
// removed.
import test from 'ava'
import {
  closeReasonOf,
  keptWhileUnsynced,
  type Lookups,
  orphanedCaptures,
} from '../../../../src/core/plan/closeReason.ts'
import type { Halt } from '../../../../src/model/actualState.ts'
import type { CloseReason } from '../../../../src/model/codes.ts'
import type { CaptureDecision, Phase, Refusal } from '../../../../src/model/decision.ts'
import type { Endpoint } from '../../../../src/model/endpoint.ts'
import {
  decisionOf,
  desiredTap,
  endpointOf,
  openTap,
  tapSpec,
  tapsOf,
} from '../../../support/model/taps.ts'
import { freshFacts } from '../../../support/worlds/node.ts'

const tap = openTap(tapSpec('web', 'p'))
const net1 = openTap(
  tapSpec('web', 'p', { endpoint: { ...tap.spec.endpoint, podInterface: 'net1' } }),
)
const live = endpointOf('p')
const halt: Halt = { generation: 1, reason: 'DiskFloor', message: 'full', atMs: 1 }
const lookups = (
  decision: CaptureDecision | undefined,
  endpoint: Endpoint | undefined = live,
): Lookups => ({
  decisionOf: key => (key === 'default/web' ? decision : undefined),
  endpointOf: (namespace, name) => (namespace === 'default' && name === 'p' ? endpoint : undefined),
})
const inPhase = (phase: Phase) => decisionOf('web', [], { phase })
const refusing = (reason: Refusal['reason']) =>
  decisionOf('web', ['p'], { refused: new Map([['p', { reason, message: '' }]]) })

type Row = readonly [what: string, decision: CaptureDecision | undefined, reason: CloseReason]

const rows: readonly Row[] = [
  ['the capture is gone', undefined, 'deleted'],
  [
    'another capture has its name',
    decisionOf('web', [], { capture: { ...tap.spec.capture, uid: 'other' } }),
    'deleted',
  ],
  ['the spec is rejected', inPhase({ kind: 'Rejected', message: '' }), 'changed'],
  ['the node has no pass', inPhase({ kind: 'Held', message: '' }), 'changed'],
  [
    'the window is closed until the next one',
    inPhase({ kind: 'Scheduled', opensAtMs: 9, isPreparing: false }),
    'window',
  ],
  [
    'the window is about to open',
    inPhase({ kind: 'Scheduled', opensAtMs: 9, isPreparing: true }),
    'unmatched',
  ],
  [
    'the window has ended',
    inPhase({ kind: 'Finished', cause: 'window', atMs: 1, message: '' }),
    'window',
  ],
  [
    'a limit was reached',
    inPhase({ kind: 'Finished', cause: 'limit', atMs: 1, message: '' }),
    'limit',
  ],
  ['the capture is halted', inPhase({ kind: 'Halted', halt }), 'disk'],
  ['the selector matches no longer', decisionOf('web', []), 'unmatched'],
  ['the disk budget refuses the tap', refusing('DiskBudget'), 'disk'],
  ['the disk floor refuses the tap', refusing('DiskFloor'), 'disk'],
  ['the rings have no room', refusing('RingBudget'), 'budget'],
  ['the node has too many endpoints', refusing('EndpointsMax'), 'budget'],
]
const interfaceRows: readonly (readonly [
  what: string,
  pods: readonly string[],
  interfaces: readonly string[],
  reason: CloseReason,
])[] = [
  ['a wildcard takes it, and it is not there', ['p'], ['net*'], 'absent'],
  ['nothing takes it any more', ['p'], ['eth0'], 'unmatched'],
  ['the selector does not match the pod any more', [], ['net*'], 'unmatched'],
]
for (const [what, pods, interfaces, reason] of interfaceRows)
  test(`closeReasonOf() is ${reason} of an interface in a pod when ${what}`, t => {
    const { matches, ...decision } = decisionOf('web', pods)
    const now = { ...decision, matches: { ...matches, matched: [] }, interfaces }
    t.is(closeReasonOf(net1, lookups(now)), reason)
  })

for (const [what, decision, reason] of rows)
  test(`closeReasonOf() is ${reason} when ${what}`, t =>
    t.is(closeReasonOf(tap, lookups(decision)), reason))

test('closeReasonOf() is finished when the pod has ended or is gone', t => {
  t.is(
    closeReasonOf(tap, lookups(decisionOf('web', []), endpointOf('p', { live: false }))),
    'finished',
  )
  t.is(
    closeReasonOf(tap, { ...lookups(decisionOf('web', [])), endpointOf: () => undefined }),
    'finished',
  )
})

test('keptWhileUnsynced() keeps open taps whose capture or endpoint is missing, and no others', t => {
  const ids = (
    decision: CaptureDecision | undefined,
    ...desired: Parameters<typeof keptWhileUnsynced>[1]
  ) => keptWhileUnsynced(tapsOf(tap), desired, lookups(decision)).map(({ spec }) => spec.id)
  t.deepEqual(ids(undefined), ['default/web/p'])
  t.deepEqual(ids(decisionOf('web', [])), ['default/web/p'])
  t.deepEqual(
    ids(inPhase({ kind: 'Finished', cause: 'window', atMs: 1, message: '' })),
    [],
    'a written end counts at once',
  )
  t.deepEqual(ids(undefined, desiredTap('web', 'p')), [], 'what is desired needs not be kept')
  t.deepEqual(keptWhileUnsynced(tapsOf({ ...tap, state: 'failed' }), [], lookups(undefined)), [])
})

test('orphanedCaptures() are those whose resource is gone or has another uid', t => {
  const captures = new Map(
    ['web', 'gone'].map(name => {
      const { capture, captureKey } = tapSpec(name, 'p')
      return [captureKey, freshFacts({ capture, captureKey }, 1)]
    }),
  )
  const gone = { kind: 'forget', captureKey: 'default/gone', uid: 'uid-gone' } as const
  t.deepEqual(orphanedCaptures(captures, lookups(decisionOf('web', [])).decisionOf), [gone])
  const another = decisionOf('web', [], { capture: { ...tap.spec.capture, uid: 'other' } })
  t.deepEqual(orphanedCaptures(captures, lookups(another).decisionOf), [
    { kind: 'forget', captureKey: 'default/web', uid: 'uid-web' },
    gone,
  ])
})
