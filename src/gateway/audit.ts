// Writes an audit log line and an Event for each download, stream or removal.
import { EventRecorder, eventWriter } from '../kube/eventRecorder.ts'
import type { Kube } from '../kube/request.ts'
import type { CaptureEvent } from '../model/event.ts'
import { accounts } from '../model/wellKnown.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/log.ts'
import type { GatewayCapture } from './captureCache.ts'
import type { AuthorizedRequest } from './types.ts'

/** Records an Event on a capture; never waits for it and never fails. */
export type RecordEvent = (capture: GatewayCapture, event: CaptureEvent) => void

export type AuditDeps = { readonly log: Logger; readonly recordEvent: RecordEvent }

export type AuditEntry = { readonly what: string; readonly bytes: number; readonly result: string }

const eventRepeatMs = 10_000 // the log has every access, the capture one Event for each user in this time

export function recordEvents(kube: Kube, clock: Clock, log: Logger): RecordEvent {
  const recorder = new EventRecorder({
    component: accounts.gateway,
    repeatAfterMs: eventRepeatMs,
    write: eventWriter(kube, log),
  })
  return (capture, event) => void recorder.record(capture, event, { nowMs: clock.now() })
}

export function audit(
  { log, recordEvent }: AuditDeps,
  { user, by, capture, from }: AuthorizedRequest,
  { what, bytes, result }: AuditEntry,
): void {
  const { namespace, name } = capture.metadata
  const who = by === undefined ? user.username : `${by} as ${user.username}`
  log.info(
    {
      user: user.username,
      ...(by !== undefined && { by }),
      from,
      namespace,
      name,
      what,
      bytes,
      result,
    },
    what === 'clean' ? 'files cleaned' : 'files handed over',
  )
  const cleaned = {
    reason: 'Cleaned' as const,
    message: `${who} removed the files (${result})`,
  }
  const downloaded = {
    reason: 'Downloaded' as const,
    message: `${who} had ${what}, ${bytes} bytes (${result})`,
  }
  recordEvent(capture, {
    type: 'Normal',
    mark: who,
    ...(what === 'clean' ? cleaned : downloaded),
  })
}
