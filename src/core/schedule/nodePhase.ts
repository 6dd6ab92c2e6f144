// Where a capture stands on a node that may have to wait until it is let through: where the number of nodes is limited, the
// controller counts them first. In: an intent, the node, what it holds of it, the time. Out: its phase and when to look again.
// What is over is over all the same.

import type { ActualCapture } from '../../model/actualState.ts'
import type { Intent } from '../../model/capture.ts'
import { phaseAt, type Timed } from './phase.ts'

export type NodePhaseInput = {
  readonly intent: Intent
  readonly node: string
  readonly facts: ActualCapture | undefined
  readonly nowMs: number
}

export function nodePhase({ intent, node, facts, nowMs }: NodePhaseInput): Timed {
  const { quota } = intent
  if (!quota || quota.pass?.nodes.includes(node)) return phaseAt(intent, facts, nowMs)
  const due = phaseAt(facts ? intent : { ...intent, limits: {} }, facts, nowMs) // what has not begun has no time to run out
  if (due.phase.kind !== 'Open' && due.phase.kind !== 'Scheduled') return due
  const message = `Waits to be let through: a capture may take no more nodes than captureJobNumLimit ${quota.nodesMax}`
  return { ...due, phase: { kind: 'Held', message } }
}
