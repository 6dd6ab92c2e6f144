// How many nodes may take part in a capture, and which were let through. Only types: src/api/retina/passAnnotation.ts reads a pass off the
// resource, the controller gives it, and a node that has none does not begin.

/** `generation`: of the spec that nodes were counted for. `sinceMs`: when the first of them were let through. */
export type Pass = {
  readonly uid: string
  readonly generation: number
  readonly sinceMs: number
  readonly nodes: readonly string[]
}

/** Without a pass nobody has counted the nodes yet, or they were too many. One never names more than `nodesMax`. */
export type Quota = { readonly nodesMax: number; readonly pass?: Pass }
