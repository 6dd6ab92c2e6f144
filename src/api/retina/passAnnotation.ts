// Reads and writes the controller's pass on a capture: an annotation with the nodes that may begin
// it. Pure. A metadata watch shows it, so nodes need no further request. The manifests'
// admission.yaml allows it only to accounts that may write status. A pass for another uid is
// ignored.

import type { Labels } from '../../model/labels.ts'
import type { Pass } from '../../model/quota.ts'
import { annotations as wellKnown } from '../../model/wellKnown.ts'
import type { ObjectMeta } from '../../model/world.ts'

const annotation = wellKnown.pass

export function passIn({
  uid,
  annotations,
}: Pick<ObjectMeta, 'uid' | 'annotations'>): Pass | undefined {
  const text =
    annotations && Object.hasOwn(annotations, annotation) ? annotations[annotation] : undefined
  const pass = text === undefined ? undefined : parsed(text)
  return pass?.uid === uid ? pass : undefined
}

/** The resource's annotations with this pass. */
export function annotationsWith(annotations: Labels | undefined, pass: Pass): Labels {
  return { ...annotations, [annotation]: JSON.stringify(pass) }
}

function parsed(text: string): Pass | undefined {
  try {
    const { uid, generation, sinceMs, nodes } = Object(JSON.parse(text)) as Partial<Pass>
    const isPass =
      typeof uid === 'string' &&
      Number.isSafeInteger(generation) &&
      Number.isSafeInteger(sinceMs) &&
      Array.isArray(nodes)
    return isPass ? ({ uid, generation, sinceMs, nodes } as Pass) : undefined
  } catch {
    return undefined
  }
}
