// What happened to a capture and is worth a Kubernetes Event. Plain data.
import type { EventReason } from './codes.ts'

/** `mark` tells apart Events of one reason on one capture, for example by file or by user. */
export type CaptureEvent = {
  readonly reason: EventReason
  readonly type: 'Normal' | 'Warning'
  readonly message: string
  readonly mark?: string
}
