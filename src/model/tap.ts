// One open (or wanted) tap: a capture on one endpoint's interface. A spec is data: compared, logged, tested.
import type { Format, Limits, Payload, Rotation, Vantage } from './capture.ts'
import type { CaptureRef } from './captureRef.ts'
import type { CloseReason } from './codes.ts'
import type { TapWindow } from './tapWindow.ts'

/**
 * How long a filter's program may be: a user's; and one that an administrator's list of addresses makes, which the kernel
 * may refuse and the reader then applies to each packet (on the one thread that reads).
 */
export const filterInstructions = { most: 1_500, long: 16_384 } as const

/** A filter, and how long its program may be; missing: filterInstructions.most. */
export type FilterSpec = { readonly filter: string; readonly filterInstructionsMax?: number }

export function filterOf({ filter, filterInstructionsMax: most }: FilterSpec): FilterSpec {
  return most === undefined ? { filter } : { filter, filterInstructionsMax: most }
}

/** The same text may be too long for one and not for another. No text of a filter holds NUL. */
export function filterKey({ filter, filterInstructionsMax: most }: FilterSpec): string {
  return most === undefined ? filter : `${most}\0${filter}`
}

export type TapSpec = FilterSpec & {
  readonly id: string // tapId(capture key, endpoint name)
  readonly capture: CaptureRef
  readonly captureKey: string
  readonly endpoint: { readonly namespace: string; readonly name: string; readonly uid: string; readonly addresses: readonly string[] }
  readonly interfaceName: string | undefined // as derived; undefined: src/taps finds it by address
  readonly vantage: Vantage | 'Auto'
  readonly snapLength: number
  readonly payload: Payload
  readonly format: Format
  readonly ringBytes: number // the share of the node's ring budget
  readonly rotation: Rotation
  readonly triesMax?: number // missing: for ever
  readonly limits: Limits // of the whole capture on this node
  readonly window: TapWindow // of the capture; a tap is open a little earlier
}

export function tapId(captureKey: string, endpointName: string): string {
  return `${captureKey}/${endpointName}`
}

/** What became of a spec that src/plan asked to open. */
export type ActualTap = {
  readonly spec: TapSpec
  readonly state: 'open' | 'failed'
  readonly message?: string // why it failed, or is not receiving now
  readonly tries?: number // failed: so often
  readonly retryAtMs?: number // failed: not before this; undefined: not until the spec changes
}

export type Action =
  | { readonly kind: 'close'; readonly id: string; readonly reason: CloseReason }
  | { readonly kind: 'open'; readonly spec: TapSpec }
  | { readonly kind: 'adjust'; readonly spec: TapSpec } // rotation, limits or window changed: same ring, same file
  | { readonly kind: 'forget'; readonly captureKey: string; readonly uid: string } // deleted: remove its directory
