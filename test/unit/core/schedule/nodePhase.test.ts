// A capture on a node that needs a pass: when it is held, and what a pass does not change.
import test from 'ava'
import { nodePhase } from '../../../../src/core/schedule/nodePhase.ts'
import type { ActualCapture } from '../../../../src/model/actualState.ts'
import type { Intent, Limits } from '../../../../src/model/capture.ts'
import { capture } from '../../../support/worlds/documents.ts'
import { readIntent } from '../../../support/worlds/reader.ts'

const window = { startMs: 60_000, endMs: 90_000 }

function phase(
  nowMs: number,
  nodes: readonly string[] | undefined,
  limits: Limits = {},
  actual?: ActualCapture,
) {
  const quota = nodes && { nodesMax: 2, pass: { uid: 'uid-web', generation: 1, sinceMs: 0, nodes } }
  const intent: Intent = { ...readIntent(capture('web')), window, limits, ...(quota && { quota }) }
  return nodePhase({ intent, node: 'node-0', actual, nowMs })
}

for (const [what, nowMs, nodes, kind] of [
  ['the number of nodes has no limit', 70_000, undefined, 'Open'],
  ['the node has a pass', 70_000, ['node-0'], 'Open'],
  ['another node has one', 70_000, ['node-1'], 'Held'],
  ['its window is to come', 10_000, [], 'Held'],
  ['its window is over', 90_000, [], 'Finished'],
] as const) {
  test(`nodePhase() is ${kind} when ${what}`, t => t.is(phase(nowMs, nodes).phase.kind, kind))
}

test('nodePhase() says the limit when a capture is held, and wakes as if it were not', t => {
  const held = phase(70_000, [])
  t.deepEqual(held.phase, {
    kind: 'Held',
    message: 'Waits to be let through: a capture may take no more nodes than captureJobNumLimit 2',
  })
  t.is(held.wakeAtMs, 90_000)
  t.is(
    phase(70_000, [], { durationMs: 5_000 }).wakeAtMs,
    90_000,
    'a duration limit begins with the first packet',
  )
})
