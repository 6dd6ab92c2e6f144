// The actual state of this node: its open taps, and what it holds of each capture. Plain data, made
// by src/tap and src/files; read by src/core to decide and to report.
import type { ArtifactResult } from './artifact.ts'
import type { Vantage } from './capture.ts'
import type { ProblemReason } from './codes.ts'
import type { ActualTap } from './tap.ts'

/**
 * A stretch of time in which an endpoint's packets could not be seen. `toMs` is missing while it
 * lasts.
 */
export type Gap = { readonly fromMs: number; readonly toMs?: number; readonly reason: string }

/**
 * One row per endpoint and capture, kept after its tap closed and across restarts. Counts
 * never go backwards.
 */
export type ActualEndpoint = {
  readonly name: string // endpoint name: the pod
  readonly uid: string
  readonly podInterface?: string // as in Endpoint
  readonly interfaceName: string
  readonly vantage: Vantage
  readonly packets: number // records written
  readonly lost?: number // of these, in files that others took away while they were written; missing: none
  readonly bytes: number // record bytes written, record headers included
  readonly received: number // by the kernel's filter; received = packets + dropped + refused
  readonly dropped: number // lost in the kernel
  readonly refused: number // delivered by the kernel but not written: a full disk, a limit
  readonly truncated: number // shorter than snapLength because of a block or ring limit
  readonly interfacePackets?: number // carried by the interface while the tap was open, regardless of the filter; missing: unknown
  readonly startedAtMs?: number
  readonly endedAtMs?: number // missing while the tap is open
  readonly gaps: readonly Gap[]
  readonly message?: string
}

/** A limit that was reached, with its value then: raising the limit resumes the capture. */
export type LimitHit = {
  readonly kind: 'packets' | 'bytes'
  readonly limit: number
  readonly atMs: number
}

/**
 * The node stopped the capture for want of disk. It ends with a newer generation, or when a
 * deletion has made room.
 */
export type Halt = {
  readonly generation: number
  readonly reason: Extract<ProblemReason, 'DiskBudget' | 'DiskFloor'>
  readonly message: string
  readonly atMs: number
}

/** Everything that this node knows of one capture. */
export type ActualCapture = {
  readonly key: string
  readonly uid: string
  readonly stateId?: string // of the state file: another disk has another
  readonly firstOpenedAtMs?: number
  readonly limitHit?: LimitHit
  readonly halt?: Halt
  readonly artifact?: ArtifactResult // missing: none was made yet
  readonly unreadable?: string // why what was stored of it could not be read
  readonly fileNames: readonly string[] // sorted, active and rotated
  readonly fileBytes: number // on disk now
  readonly endpoints: ReadonlyMap<string, ActualEndpoint> // by endpointKey()
}

export type DiskUsage = { readonly usedBytes: number; readonly freePercent: number }

/**
 * By podKey(): the names of the interfaces inside pods that captures ask about. Missing: not known
 * yet.
 */
export type PodInterfaces = ReadonlyMap<string, readonly string[]>

export type ActualState = {
  readonly taps: ReadonlyMap<string, ActualTap> // by spec id
  readonly captures: ReadonlyMap<string, ActualCapture> // by capture key, also of captures whose resource is gone
  readonly filterErrors: ReadonlyMap<string, string> // filterKey() → the compiler's message
  readonly disk: DiskUsage
  readonly podInterfaces: PodInterfaces
}
