// What a change of status is worth telling, as Kubernetes Events on the capture. Pure. In: the status before and now.
// Out: events, one for each change; their names follow from what happened to which version of the capture, so that telling twice
// makes one event.
import { createHash } from 'node:crypto'
import { eventOn } from '../../kube/event.ts'
import type { CaptureEvent } from '../../model/event.ts'
import type { CaptureStateName, PacketCaptureStatus } from '../../model/status.ts'
import { pluralize } from '../../model/text.ts'
import { accounts } from '../../model/wellKnown.ts'
import type { CaptureDocument } from '../../model/world.ts'

const live: readonly CaptureStateName[] = ['WaitingForTraffic', 'Capturing']

export function eventsFor(before: PacketCaptureStatus | undefined, now: PacketCaptureStatus): CaptureEvent[] {
  const ready = conditionOf(now, 'Ready')
  const degraded = conditionOf(now, 'Degraded')
  const wasReady = (conditionOf(before, 'Ready')?.status ?? 'False') !== 'False' // Unknown: nobody knows that it stopped
  const wasDegraded = conditionOf(before, 'Degraded')?.status ?? 'False'
  const message = ready?.message ?? ''
  const isNew = (state: CaptureStateName) => now.state === state && before?.state !== state
  const told: (CaptureEvent | false)[] = [
    live.includes(now.state) &&
      ready?.status === 'True' &&
      !wasReady && {
        reason: 'Started',
        type: 'Normal',
        message: `Capturing ${pluralize(now.endpoints, 'endpoint')} on ${pluralize(now.nodes, 'node')}`,
      },
    isNew('Finished') && { reason: 'Finished', type: 'Normal', message: message || `${pluralize(now.packets, 'packet')} captured` },
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
  return told.filter(each => each !== false)
}

type EventContext = { readonly version: string; readonly nowMs: number }

/** The body of a v1 Event. `version`: of the capture that it was decided upon. */
export function eventOf(capture: CaptureDocument, told: CaptureEvent, { version, nowMs }: EventContext): object {
  const mark = createHash('sha256')
    .update(`${capture.metadata.uid} ${told.reason} ${told.mark ?? ''} ${version}`)
    .digest('hex')
    .slice(0, 16)
  return eventOn(capture, told, { component: accounts.controller, nowMs, mark })
}

function conditionOf(status: PacketCaptureStatus | undefined, type: 'Ready' | 'Degraded') {
  return status?.conditions.find(condition => condition.type === type)
}
