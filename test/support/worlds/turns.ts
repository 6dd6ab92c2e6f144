// Turns of the engine on a node in memory, each held to what every turn promises: closes come
// before opens, the rings stay within their budget, and a second turn on the same input does
// nothing.
import type { Decision } from '../../../src/engine/evaluate.ts'
import type { ActualState } from '../../../src/model/actualState.ts'
import type { Action } from '../../../src/model/tap.ts'
import type { World } from '../../../src/model/world.ts'
import { type Breakage, beginDue, carryOut, must } from './node.ts'
import { decide } from './reader.ts'

export type Turn = { readonly actual: ActualState; readonly decision: Decision }

export function turn(world: World, before: ActualState, nowMs: number, broken?: Breakage): Turn {
  const now = beginDue(before, nowMs)
  const decision = decide(world, now, nowMs)
  const actual = carryOut(now, decision, nowMs, broken)
  must(
    isInOrder(decision.actions),
    `actions out of order: ${decision.actions.map(({ kind }) => kind)}`,
  )
  must(
    ringBytes(actual) <= world.settings.captureRingBytesMax || !world.isSynced,
    `rings of ${ringBytes(actual)} bytes`,
  )
  must(decision.wakeAtMs > nowMs, `wake-up at ${decision.wakeAtMs}, which is past`)
  const second = decide(world, actual, nowMs)
  must(
    second.actions.length === 0,
    `a second turn that does something: ${JSON.stringify(second.actions)}`,
  )
  return { actual, decision: second.halts.size > 0 ? second : decision }
}

/** Several turns, one after another. */
export function turns(
  steps: readonly { readonly world: World; readonly nowMs: number }[],
  start: ActualState,
): ActualState {
  return steps.reduce((actual, { world, nowMs }) => turn(world, actual, nowMs).actual, start)
}

const rank: Readonly<Record<Action['kind'], number>> = { close: 0, forget: 1, adjust: 2, open: 3 }

function isInOrder(actions: readonly Action[]): boolean {
  return actions.every(
    (action, index) =>
      index === 0 || rank[actions[index - 1]?.kind ?? 'close'] <= rank[action.kind],
  )
}

export function ringBytes({ taps }: ActualState): number {
  return taps
    .values()
    .reduce((sum, { spec, state }) => sum + (state === 'open' ? spec.ringBytes : 0), 0)
}
