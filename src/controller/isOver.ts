// Whether a capture is over, by its status: a limit that was reached is known to the nodes only.
// Pure. In: the capture, its status as written, by whomever. Out: yes or no. A status of an earlier
// generation says nothing of an edited capture.
import type { CachedCapture } from './cachedCapture.ts'

/** As any schema allows it. */
type EndedStatus = {
  readonly observedGeneration?: number
  readonly state?: string
  readonly phase?: string
  readonly conditions?: readonly { readonly type?: string; readonly status?: string }[]
}

export function isOver(
  {
    kind,
    metadata,
  }: Pick<CachedCapture, 'kind'> & {
    readonly metadata: Pick<CachedCapture['metadata'], 'generation'>
  },
  status: EndedStatus = {},
): boolean {
  const isCurrent = status.observedGeneration === metadata.generation
  switch (kind) {
    case 'PacketCapture':
      return isCurrent && status.state === 'Finished'
    case 'PacketCaptureConfig':
      return isCurrent && (status.phase === 'Completed' || status.phase === 'Failed')
    case 'Capture': // Retina's condition stays: what is packed is never captured again
      return (status.conditions ?? []).some(
        condition => condition.type === 'complete' && condition.status === 'True',
      )
  }
}
