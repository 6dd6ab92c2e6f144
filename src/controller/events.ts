// What a change of status is worth telling, as Kubernetes Events on the capture. Pure. In: the status before and now.
// Out: events, one for each change; their names follow from what happened and in which minute, so that telling twice makes one event.
import { createHash } from 'node:crypto'
import type { CaptureDocument } from '../model/world.ts'
import type { CaptureState, PacketCaptureStatus } from '../status/types.ts'
import { countOf, shortened } from '../status/words.ts'

export type Told = { readonly reason: string; readonly type: 'Normal' | 'Warning'; readonly message: string }

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

const messageMax = 1_024 // what kubectl describe can bear
const nameMax = 200 // of the capture's; a mark follows
const minuteLength = '2026-01-01T00:00'.length // of a time

/** The body of a v1 Event. */
export function eventOf({ apiVersion, kind, metadata }: CaptureDocument, { reason, type, message }: Told, nowMs: number): object {
  const { namespace, name, uid } = metadata
  const time = new Date(nowMs).toISOString().replace(/\.\d+/, '')
  const minute = time.slice(0, minuteLength) // of each kind one a minute: a capture that flaps makes no flood
  const mark = createHash('sha256').update(`${uid} ${reason} ${minute}`).digest('hex').slice(0, 16)
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { namespace, name: `${name.slice(0, nameMax).replace(/[-.]+$/, '')}.${mark}` },
    involvedObject: { apiVersion, kind, namespace, name, uid },
    reason,
    type,
    message: shortened(message, messageMax),
    source: { component: 'selcap-controller' },
    reportingComponent: 'selcap-controller',
    reportingInstance: 'selcap-controller',
    action: reason,
    firstTimestamp: time,
    lastTimestamp: time,
    count: 1,
  }
}

function conditionOf(status: PacketCaptureStatus | undefined, type: 'Ready' | 'Degraded') {
  return status?.conditions.find(condition => condition.type === type)
}
