// What a change of status is worth telling, as Kubernetes Events on the capture. Pure. In: the status before and now.
// Out: events, one for each change; their names follow from what happened and in which minute, so that telling twice makes one event.
import { createHash } from 'node:crypto'
import type { CaptureDocument } from '../model/world.ts'
import { eventOn, type Told } from '../publish/event.ts'
import type { CaptureState, PacketCaptureStatus } from '../status/types.ts'
import { countOf } from '../status/words.ts'

const live: readonly CaptureState[] = ['WaitingForTraffic', 'Capturing']

export function toldOf(before: PacketCaptureStatus | undefined, now: PacketCaptureStatus): Told[] {
  const ready = conditionOf(now, 'Ready')
  const degraded = conditionOf(now, 'Degraded')
  const wasReady = (conditionOf(before, 'Ready')?.status ?? 'False') !== 'False' // Unknown: nobody knows that it stopped
  const wasDegraded = conditionOf(before, 'Degraded')?.status ?? 'False'
  const message = ready?.message ?? ''
  const isNew = (state: CaptureState) => now.state === state && before?.state !== state
  const told: (Told | false)[] = [
    live.includes(now.state) &&
      ready?.status === 'True' &&
      !wasReady && {
        reason: 'Started',
        type: 'Normal',
        message: `Capturing ${countOf(now.endpoints, 'endpoint')} on ${countOf(now.nodes, 'node')}`,
      },
    isNew('Finished') && { reason: 'Finished', type: 'Normal', message: message || `${countOf(now.packets, 'packet')} captured` },
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

const minuteLength = '2026-01-01T00:00'.length // of a time

/** The body of a v1 Event. Of each kind one a minute: a capture that flaps makes no flood. */
export function eventOf(capture: CaptureDocument, told: Told, nowMs: number): object {
  const minute = new Date(nowMs).toISOString().slice(0, minuteLength)
  const mark = createHash('sha256')
    .update(`${capture.metadata.uid} ${told.reason} ${told.mark ?? ''}${minute}`)
    .digest('hex')
    .slice(0, 16)
  return eventOn(capture, told, { component: 'selcap-controller', nowMs, mark })
}

function conditionOf(status: PacketCaptureStatus | undefined, type: 'Ready' | 'Degraded') {
  return status?.conditions.find(condition => condition.type === type)
}
