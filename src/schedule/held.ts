// Whether a capture waits on this node until it is let through: where the number of nodes is limited, the controller counts them
// first. In: an intent, the node, where the capture stands. Out: the same, or held. What is over is over all the same.
import type { Intent } from '../model/capture.ts'
import type { Phase } from '../model/decision.ts'

export function heldBack({ quota }: Intent, node: string, phase: Phase): Phase {
  if (quota === undefined || (phase.kind !== 'Open' && phase.kind !== 'Scheduled') || quota.pass?.nodes.includes(node)) return phase
  return { kind: 'Held', message: `Waits to be let through: a capture may take no more nodes than captureJobNumLimit ${quota.nodesMax}` }
}
