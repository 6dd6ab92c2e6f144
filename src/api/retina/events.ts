// Which Events a change of a Retina Capture's status makes. Pure. In: the status before and now.
// Out: Events, one for each condition that is new or has another reason or status.
import type { CaptureEvent } from '../../model/event.ts'
import type { RetinaStatus } from './status.ts'

export function retinaEventsFor(
  before: Partial<RetinaStatus> | undefined,
  now: RetinaStatus,
): CaptureEvent[] {
  const known = before?.conditions ?? []
  return now.conditions
    .filter(
      ({ type, reason, status }) =>
        !known.some(old => old.type === type && old.reason === reason && old.status === status),
    )
    .map(
      ({ type, reason, message }): CaptureEvent => ({
        reason,
        type: type === 'error' ? 'Warning' : 'Normal',
        message,
      }),
    )
}
