// The limit of nodes of a capture, and the pass that names the admitted nodes. Only types: the
// controller grants a pass, src/api/retina/passAnnotation.ts reads it from the resource, and a node
// without one does not begin.

/**
 * `generation`: of the spec that nodes were counted for. `sinceMs`: when the first pass was
 * granted.
 */
export type Pass = {
  readonly uid: string
  readonly generation: number
  readonly sinceMs: number
  readonly nodes: readonly string[]
}

/**
 * No pass: the nodes are not counted yet, or are too many. A pass never names more than `nodesMax`
 * nodes.
 */
export type Quota = { readonly nodesMax: number; readonly pass?: Pass }
