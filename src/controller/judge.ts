// What becomes of a capture, whatever its kind: each has its own status and its own news, and this asks the one that knows. Pure.
// In: the resource, what its spec means, every node's row, the status of before, the time. Out: the status, what to tell, when to
// look again, when the resource goes.
import type { Intent, Rejection } from '../model/capture.ts'
import type { Told } from '../publish/event.ts'
import { toldOf } from './events.ts'
import type { ListedCapture } from './listedCapture.ts'
import { type NodeRow, type UploadsDone, verdictOf } from './verdict.ts'

export type JudgeInput = {
  readonly capture: ListedCapture
  readonly read: Intent | Rejection
  readonly rows: readonly NodeRow[] // of this capture's uid
  readonly nodes: number // that report at all
  readonly previous: object | undefined // status, as it was let through by listedCapture()
  readonly uploads?: UploadsDone | undefined
  readonly nowMs: number
}

/** `expiresAtMs`: from then on the resource is removed, with its files. */
export type Judgement = {
  readonly status: object
  readonly told: readonly Told[]
  readonly wakeAtMs: number
  readonly expiresAtMs: number
}

const never = Number.POSITIVE_INFINITY

export function judge({ capture, previous, ...input }: JudgeInput): Judgement {
  switch (capture.kind) {
    case 'PacketCapture': {
      const before = previous as (ListedCapture & { readonly kind: 'PacketCapture' })['status']
      const verdict = verdictOf({ ...input, previous: before })
      return { ...verdict, told: toldOf(before, verdict.status) }
    }
    case 'Capture':
    case 'PacketCaptureConfig':
      return { status: previous ?? {}, told: [], wakeAtMs: never, expiresAtMs: never }
  }
}
