// The types of a capture's state file: what must survive a restart of the process.
// A field's name here is its name in the file, so a rename takes a new version of the file.
import type { ActualEndpoint, Halt, LimitHit } from '../model/actualState.ts'
import type { ArtifactResult } from '../model/artifact.ts'
import type { CaptureRef } from '../model/captureRef.ts'
import type { CloseReason } from '../model/codes.ts'

/**
 * The counts of the active file when the state was written; records after those were written later.
 */
export type ActiveFile = {
  readonly name: string
  readonly inode: number // a renamed file keeps its inode
  readonly bytes: number
  readonly packets: number
  readonly recordBytes: number
  readonly received: number
  readonly dropped: number
  readonly beganAtMs: number // when it became the active file
  readonly firstRecordAtMs?: number // missing: it holds no packet
  readonly settings: string // filter and form of its records, as JSON; other settings need another file
}

export type StoredEndpoint = {
  readonly facts: ActualEndpoint
  readonly active?: ActiveFile
  readonly closed?: CloseReason // missing: open when the state was written
}

export type StoredCapture = {
  readonly version: 1
  readonly capture: CaptureRef
  readonly stateId?: string // made with the file; missing: an earlier version made it
  readonly node: string
  readonly savedAtMs: number
  readonly firstOpenedAtMs?: number
  readonly limitHit?: LimitHit
  readonly halt?: Halt
  readonly made?: ArtifactResult
  readonly rows: readonly StoredEndpoint[]
  readonly unreadable?: string // why an earlier state could not be read: counts are those of a copy and of the files
  readonly goneRows?: WrittenTotal // of endpoints that are no longer in `rows`: they still count against the limits
}

export type WrittenTotal = { readonly packets: number; readonly bytes: number }
