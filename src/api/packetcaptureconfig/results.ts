// The ConfigMap with a PacketCaptureConfig's results, for programs that read no custom resources.
// Pure. In: the resource and its status. Out: the object without its namespace, owned by the
// resource; undefined: the capture is not over.

import { labels as wellKnown } from '../../model/wellKnown.ts'
import type { CaptureDocument } from '../../model/world.ts'
import type { Results } from '../reconciliation.ts'
import type { PacketCaptureConfigStatus } from './status.ts'

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
      name: `${name}-results`,
      labels: { [wellKnown.resultsOf]: uid },
      ownerReferences: [owner],
    },
    data: { 'results.json': `${JSON.stringify(content, undefined, 2)}\n` },
  }
}
