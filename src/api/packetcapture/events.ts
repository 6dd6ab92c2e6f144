// Which Events a change of a PacketCapture's status makes. Pure. In: the status before and now.
// Out: Events, one for each change.
import type { CaptureEvent } from '../../model/event.ts'
import type { CaptureStateName, Condition, PacketCaptureStatus } from '../../model/status.ts'
import { pluralize } from '../../model/text.ts'

export function eventsFor(
  before: PacketCaptureStatus | undefined,
  now: PacketCaptureStatus,
): CaptureEvent[] {
  const ready = conditionOf(now, 'Ready')
  const degraded = conditionOf(now, 'Degraded')
  const wasCapturing = (conditionOf(before, 'Capturing')?.status ?? 'False') !== 'False' // Unknown: its nodes are silent, which does not mean that it stopped
  const wasDegraded = conditionOf(before, 'Degraded')?.status ?? 'False'
  const message = ready?.message ?? ''
  const isNew = (state: CaptureStateName) => now.state === state && before?.state !== state
  const events: (CaptureEvent | false)[] = [
    conditionOf(now, 'Capturing')?.status === 'True' &&
      !wasCapturing && {
        reason: 'Started',
        type: 'Normal',
        message: `Capturing ${pluralize(now.endpoints, 'endpoint')} on ${pluralize(now.nodes, 'node')}`,
      },
    isNew('Finished') && {
      reason: 'Finished',
      type: 'Normal',
      message: message || `${pluralize(now.packets, 'packet')} captured`,
    },
    isNew('Error') && { reason: 'Failed', type: 'Warning', message },
    degraded?.status === 'True' &&
      wasDegraded !== 'True' && {
        reason: 'Degraded',
        type: 'Warning',
        message: `${degraded.reason}: ${degraded.message}`,
      },
    degraded?.status === 'False' &&
      wasDegraded === 'True' && {
        reason: 'Recovered',
        type: 'Normal',
        message: 'All nodes capture as expected again',
      },
  ]
  return events.filter(each => each !== false)
}

function conditionOf(status: PacketCaptureStatus | undefined, type: Condition['type']) {
  return status?.conditions.find(condition => condition.type === type)
}
