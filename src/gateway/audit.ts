// Who had what: a line in the log and an Event on the capture, for each download, stream and removal.
import type { User } from '../auth/reviews.ts'
import type { GatewayCapture } from './captureCache.ts'
import type { GatewayDeps } from './server.ts'

export type AuditEntry = {
  readonly user: User
  readonly capture: GatewayCapture
  readonly from: string
  readonly what: string
  readonly bytes: number
  readonly result: string
}

export function audit(
  { log, recordEvent }: Pick<GatewayDeps, 'log' | 'recordEvent'>,
  { user, capture, from, what, bytes, result }: AuditEntry,
): void {
  const { namespace, name } = capture.metadata
  log.info({ user: user.username, from, namespace, name, what, bytes, result }, what === 'clean' ? 'files cleaned' : 'files handed over')
  const cleaned = { reason: 'Cleaned' as const, message: `${user.username} removed the files (${result})` }
  const had = { reason: 'Downloaded' as const, message: `${user.username} had ${what}, ${bytes} bytes (${result})` }
  recordEvent(capture, { user: user.username, ...(what === 'clean' ? cleaned : had) })
}
