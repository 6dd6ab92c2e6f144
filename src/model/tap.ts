// A tap: one capture on one endpoint's interface. TapSpec is the desired tap as data, ActualTap
// what became of it.
import type { FilterSpec, Limits, RecordOptions, Rotation, Vantage } from './capture.ts'
import type { CaptureRef } from './captureRef.ts'
import type { CloseReason } from './codes.ts'
import type { TapWindow } from './tapWindow.ts'

/**
 * The longest program of a filter. `most`: of a user's filter. `long`: of one made from an
 * administrator's list of addresses; if the kernel refuses it, the reader thread applies it to each
 * packet.
 */
export const filterInstructions = { most: 1_500, long: 16_384 } as const

export function filterOf({ filter, filterInstructionsMax: most }: FilterSpec): FilterSpec {
  return most === undefined ? { filter } : { filter, filterInstructionsMax: most }
}

/**
 * The same text may be too long under one limit and not under another. A filter's text holds no
 * NUL.
 */
export function filterKey({ filter, filterInstructionsMax: most }: FilterSpec): string {
  return most === undefined ? filter : `${most}\0${filter}`
}

export function recordOptionsOf(from: RecordOptions): RecordOptions {
  const { snapLength, payload, format } = from
  return { ...filterOf(from), snapLength, payload, format }
}

export type TapSpec = RecordOptions & {
  readonly id: string // tapId(capture key, endpoint key)
  readonly capture: CaptureRef
  readonly captureKey: string
  readonly endpoint: {
    readonly namespace: string
    readonly name: string
    readonly uid: string
    readonly podInterface?: string // as in Endpoint
    readonly addresses: readonly string[]
    readonly isInterfaceGiven?: boolean // interfaceName was not derived: no address leads to another
  }
  readonly interfaceName: string | undefined // as derived; undefined: src/netdev finds it by address
  readonly vantage: Vantage | 'Auto'
  readonly ringBytes: number // the share of the node's ring budget
  readonly rotation: Rotation
  readonly triesMax?: number // missing: no limit
  readonly limits: Limits // of the whole capture on this node
  readonly window: TapWindow // of the capture; a tap is open a little earlier
}

export function tapId(captureKey: string, endpoint: string): string {
  return `${captureKey}/${endpoint}`
}

/** Packets that the disk has not taken for `diskStalledMs`. */
export type WaitingForDisk = { readonly sinceMs: number; readonly bytes: number }

export const diskStalledMs = 2_000

/** What became of a tap that src/core/plan asked to open. */
export type ActualTap = {
  readonly spec: TapSpec
  readonly state: 'open' | 'failed'
  readonly message?: string // why it failed, or receives nothing now
  readonly waiting?: WaitingForDisk // of an open tap whose disk does not answer
  readonly tries?: number // of a failed tap
  readonly retryAtMs?: number // of a failed tap; undefined: not until the spec changes
}

export type Action =
  | { readonly kind: 'close'; readonly id: string; readonly reason: CloseReason }
  | { readonly kind: 'open'; readonly spec: TapSpec }
  | { readonly kind: 'adjust'; readonly spec: TapSpec } // rotation, limits or window changed: same ring, same file
  | { readonly kind: 'forget'; readonly captureKey: string; readonly uid: string } // the capture was deleted: remove its directory
