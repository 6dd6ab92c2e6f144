// Grants the nodes of a capture whose number of nodes is limited. Pure. In: the resource's pass,
// how many nodes it needs, which nodes wait. Out: the pass as it should be, and what exceeds the
// limit. At first all or nothing: a capture that needs more nodes than the limit begins on none.
// Afterwards pods on more nodes do not stop it: each new node gets a place while there is one, and
// then waits. A node keeps its place until the spec changes, which starts a new count. A pass
// therefore never names more nodes than the limit.
import type { Pass, Quota } from '../../model/quota.ts'
import type { ObjectMeta } from '../../model/world.ts'
import type { Exceeded } from '../reconcilerTypes.ts'

export type PassInput = {
  readonly metadata: Pick<
    ObjectMeta,
    'uid' | 'generation' | 'creationTimestamp' | 'deletionTimestamp'
  >
  readonly quota: Quota
  readonly needed: readonly string[] | undefined // undefined: not counted
  readonly waiting: readonly string[]
  readonly nowMs: number
}

export type PassGrant = { readonly pass: Pass | undefined; readonly exceeded?: Exceeded }

/**
 * Its nodes were counted for this spec and granted. A capture that is being deleted needs no count.
 */
export function isCounted({
  metadata,
  quota: { pass },
}: Pick<PassInput, 'metadata' | 'quota'>): boolean {
  if (metadata.deletionTimestamp !== undefined) return true
  return pass !== undefined && pass.nodes.length > 0 && pass.generation === metadata.generation
}

export function grantPass(input: PassInput): PassGrant {
  const { metadata, quota, needed } = input
  const { pass, nodesMax: limit } = quota
  if (metadata.deletionTimestamp !== undefined) return { pass }
  if (pass && isCounted(input)) return withLatecomers(pass, input)
  if (needed === undefined) return { pass }
  const isTooMany = needed.length > limit
  const nodes = isTooMany ? [] : needed
  const isSame = nodes.length === 0 && (pass?.nodes ?? []).length === 0
  return {
    pass: isSame ? pass : passOf(input, nodes),
    ...(isTooMany && { exceeded: { count: needed.length, limit, leftOut: [] } }),
  }
}

function withLatecomers(pass: Pass, { quota: { nodesMax: limit }, waiting }: PassInput): PassGrant {
  const late = waiting.filter(node => !pass.nodes.includes(node)).toSorted()
  const free = limit - pass.nodes.length
  const [welcome, leftOut] = [late.slice(0, free), late.slice(free)]
  return {
    pass: welcome.length === 0 ? pass : { ...pass, nodes: [...pass.nodes, ...welcome] },
    ...(leftOut.length > 0 && {
      exceeded: { count: pass.nodes.length + late.length, limit, leftOut },
    }),
  }
}

/** The duration runs from the first grant; later changes do not move it. */
function passOf({ metadata, quota, nowMs }: PassInput, nodes: readonly string[]): Pass {
  const { uid, generation, creationTimestamp } = metadata
  const sinceMs = quota.pass?.sinceMs ?? Math.max(nowMs, Date.parse(creationTimestamp) || 0)
  return { uid, generation, sinceMs, nodes }
}
