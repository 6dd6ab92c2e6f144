// The phase of a capture on a node that may have to wait for a pass: where the number of nodes is
// limited, the controller counts them first. Pure. In: an intent, the node, its actual capture, the
// time. Out: the phase, and when it changes. A finished capture stays finished even if it is not
// admitted.

import type { ActualCapture } from '../../model/actualState.ts'
import type { Intent } from '../../model/capture.ts'
import { type PhaseAt, phaseAt } from './phase.ts'

export type NodePhaseInput = {
  readonly intent: Intent
  readonly node: string
  readonly actual: ActualCapture | undefined
  readonly nowMs: number
}

export function nodePhase({ intent, node, actual, nowMs }: NodePhaseInput): PhaseAt {
  const { quota } = intent
  if (!quota || quota.pass?.nodes.includes(node)) return phaseAt(intent, actual, nowMs)
  const due = phaseAt(actual ? intent : { ...intent, limits: {} }, actual, nowMs) // before the first packet there is no duration limit to expire
  if (due.phase.kind !== 'Open' && due.phase.kind !== 'Scheduled') return due
  const message = `Waits to be let through: a capture may take no more nodes than captureJobNumLimit ${quota.nodesMax}`
  return { ...due, phase: { kind: 'Held', message } }
}
