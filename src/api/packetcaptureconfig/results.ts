// The ConfigMap with a PacketCaptureConfig's results, for programs that read no custom resources.
// Pure. In: the resource and its status. Out: the object without its namespace, owned by the
// resource; undefined: the capture is not over.

import { createHash } from 'node:crypto'
import { labels as wellKnown } from '../../model/wellKnown.ts'
import type { CaptureDocument } from '../../model/world.ts'
import type { Results } from '../reconcilerTypes.ts'
import type { PacketCaptureConfigStatus } from './status.ts'

const objectNameMax = 253
const suffix = '-results'

export function resultsOf(
  { apiVersion, kind, metadata, spec }: CaptureDocument,
  status: PacketCaptureConfigStatus,
): Results | undefined {
  if (status.phase !== 'Completed' && status.phase !== 'Failed') return undefined
  const { name, uid, creationTimestamp } = metadata
  const owner = { apiVersion, kind, name, uid }
  const content = { ...owner, creationTimestamp, spec, status }
  return {
    metadata: {
      name: resultsName(name),
      labels: { [wellKnown.resultsOf]: uid },
      ownerReferences: [owner],
    },
    data: { 'results.json': `${JSON.stringify(content, undefined, 2)}\n` },
  }
}

/**
 * `NAME-results`. If that is longer than an object's name may be, the name is cut and followed by
 * its digest.
 */
function resultsName(name: string): string {
  if (name.length + suffix.length <= objectNameMax) return name + suffix
  const digest = createHash('sha256').update(name).digest('hex').slice(0, 16)
  const room = objectNameMax - suffix.length - digest.length - 1
  return `${name.slice(0, room).replace(/[^a-z0-9]+$/, '')}-${digest}${suffix}`
}
