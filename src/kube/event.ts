// A Kubernetes Event on a capture, and the request that writes it. Pure. In: what happened to the capture, when, and who tells.
// Out: plain data with nothing of the capture but its name and identity.

import type { CaptureEvent } from '../model/event.ts'
import { truncateText } from '../model/text.ts'
import type { CaptureDocument } from '../model/world.ts'
import type { KubeRequest } from './request.ts'

/** `mark`: events of one mark are one event. Without it the server makes a name for each. */
export type EventContext = { readonly component: string; readonly nowMs: number; readonly mark?: string }

const messageMax = 1_024 // what kubectl describe can bear
const nameMax = 200 // of the capture's; a mark follows

/** The body of a v1 Event. */
export function eventOn(
  { apiVersion, kind, metadata }: CaptureDocument,
  told: CaptureEvent,
  { component, nowMs, mark }: EventContext,
): object {
  const { namespace, name, uid } = metadata
  const { reason, type, message } = told
  const stem = `${name.slice(0, nameMax).replace(/[-.]+$/, '')}.`
  const time = new Date(nowMs).toISOString().replace(/\.\d+/, '')
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { namespace: namespace || 'default', ...(mark === undefined ? { generateName: stem } : { name: `${stem}${mark}` }) },
    involvedObject: { apiVersion, kind, namespace, name, uid },
    reason,
    type,
    message: truncateText(message, messageMax),
    source: { component },
    reportingComponent: component,
    reportingInstance: component,
    action: reason,
    firstTimestamp: time,
    lastTimestamp: time,
    count: 1,
  }
}

export function eventRequest(namespace: string, event: object): Omit<KubeRequest, 'signal'> {
  return {
    path: `/api/v1/namespaces/${namespace}/events`,
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(event),
  }
}
