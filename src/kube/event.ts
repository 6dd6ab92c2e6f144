// A Kubernetes Event on a capture, and the request that writes it. Pure. In: what happened to the
// capture, when, and which component reports it. Out: plain data that holds of the capture only its
// name and identity.
import { createHash } from 'node:crypto'

import type { CaptureEvent } from '../model/event.ts'
import { truncateText } from '../model/text.ts'
import type { CaptureDocument } from '../model/world.ts'
import type { KubeRequest } from './request.ts'

/**
 * `version` is the capture's resourceVersion when the Event was decided, and makes its name.
 * Without it the server makes one.
 */
export type EventContext = {
  readonly component: string
  readonly nowMs: number
  readonly version?: string
}

const messageMax = 1_024 // the API server's limit
const nameMax = 200 // of the capture's name; a suffix follows

/** The body of a v1 Event. */
export function eventOn(
  { apiVersion, kind, metadata }: CaptureDocument,
  event: CaptureEvent,
  { component, nowMs, version }: EventContext,
): object {
  const { namespace, name, uid } = metadata
  const { reason, type, message } = event
  const stem = `${name.slice(0, nameMax).replace(/[-.]+$/, '')}.`
  const time = new Date(nowMs).toISOString().replace(/\.\d+/, '')
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: {
      namespace: namespace || 'default',
      ...(version === undefined
        ? { generateName: stem }
        : { name: stem + suffixOf(uid, event, version) }),
    },
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

/** Deterministic: the same event on the same version of a capture gets the same name. */
function suffixOf(uid: string, { reason, mark = '' }: CaptureEvent, version: string): string {
  return createHash('sha256')
    .update(`${uid} ${reason} ${mark} ${version}`)
    .digest('hex')
    .slice(0, 16)
}

export function eventRequest(namespace: string, event: object): Omit<KubeRequest, 'signal'> {
  return {
    path: `/api/v1/namespaces/${namespace}/events`,
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(event),
  }
}
