// One accepted capture as an Intent, or a refused one as a Rejection: one shape for every API that
// selcap serves. Made by src/api from a resource's spec; read by src/core.
import type { Artifact } from './artifact.ts'
import type { CaptureRef } from './captureRef.ts'
import type { Output } from './output.ts'
import type { Quota } from './quota.ts'

/**
 * When to capture, milliseconds since the epoch. `schedule` are recurring windows inside
 * startMs…endMs.
 */
export type Window = {
  readonly startMs?: number
  readonly endMs?: number
  readonly schedule?: {
    readonly cron: string
    readonly timeZone: string
    readonly durationMs: number
  }
}

/**
 * Per node and capture; reaching one finishes the capture on this node. Bytes are record bytes on
 * disk (record headers included, file headers not).
 */
export type Limits = {
  readonly durationMs?: number
  readonly packets?: number
  readonly bytes?: number
}

/**
 * From the spec, else the node's defaults, bounded by the node's limits. `filesMax` counts rotated
 * files; the active one is extra.
 */
export type Rotation = {
  readonly fileBytesMax: number
  readonly fileAgeMsMax: number
  readonly filesMax: number
}

export type Payload = 'Full' | 'Headers'
export type Format = 'pcap' | 'pcapng'
export type Vantage = 'HostVeth' | 'PodNetns'

/**
 * Whose packets a capture may hold: pods of these namespaces, or interfaces of the node itself
 * (missing: all of them).
 */
export type Scope =
  | { readonly kind: 'Namespaces'; readonly names: readonly string[] }
  | { readonly kind: 'Host'; readonly interfaces?: readonly string[] }

type NamedCapture = { readonly namespace: string; readonly name: string }

/** A pcap expression, '' for everything, and the longest program it may have; missing: a user's. */
export type FilterSpec = { readonly filter: string; readonly filterInstructionsMax?: number }

/** Which packets a record is made of, how much of each, and in which form: down to the driver. */
export type RecordOptions = FilterSpec & {
  readonly snapLength: number
  readonly payload: Payload // Headers: nothing after the transport header; the original length stays true
  readonly format: Format
}

/**
 * One accepted capture. `matches` is the compiled selector.
 */
export type Intent = RecordOptions & {
  readonly ok: true
  readonly capture: CaptureRef
  readonly key: string // captureKey(capture)
  readonly generation: number
  readonly createdAtMs: number
  readonly scope: Scope
  readonly selector: string // canonical
  readonly matches: (label: (name: string) => string | undefined, endpoint: NamedCapture) => boolean // within the scope
  readonly window: Window
  readonly limits: Limits
  readonly rotation: Rotation
  readonly vantage: Vantage | 'Auto'
  readonly interfaces?: readonly string[] // inside pods: names, globs or attached networks; missing: the primary one
  readonly ttlMsAfterFinished?: number
  readonly triesMax?: number // to open a tap; missing: no limit
  readonly artifact?: Artifact // to be made of the files when the capture is over on the node
  readonly quota?: Quota // missing: any number of nodes, none waits for a pass
  readonly output?: Output // where the files or the artifact are uploaded
  readonly notes: readonly string[] // what was bounded by a limit, for the message
}

export const snapLengthMax = 262_144

/**
 * The longest record or block with its header, in files and streams. A greater length marks a torn
 * file.
 */
export const recordBytesMax = 4 * snapLengthMax

/** One refused capture. It becomes that capture's state Error and affects no other capture. */
export type Rejection = {
  readonly ok: false
  readonly capture: CaptureRef
  readonly key: string
  readonly generation: number
  readonly message: string
}

export function rejectionOf(
  { capture, key, generation }: Omit<Rejection, 'ok' | 'message'>,
  message: string,
): Rejection {
  return { ok: false, capture, key, generation, message }
}

/**
 * Files smaller than `bytes` are rotated so many at once, and then one each second: in between they
 * grow up to that size.
 */
export const smallFile = { bytes: 1_048_576, atOnce: 10 } as const

/** The reasons of gaps after others touched the file that was being written. */
export const lostFileReasons = {
  removed: 'its file was removed by others',
  moved: 'its file was moved by others',
  replaced: 'its file was replaced by others',
  truncated: 'its file was truncated by others',
} as const
export type LostFileReason = (typeof lostFileReasons)[keyof typeof lostFileReasons]

/**
 * What others took away with the file that was being written. `packets`: all that were written to
 * it. `fromMs`: when it was last seen to be the file that is listed. `toMs`: when another file began;
 * undefined: none has begun yet.
 */
export type LostFile = {
  readonly reason: LostFileReason
  readonly packets: number
  readonly fromMs: number
  readonly toMs?: number
}
