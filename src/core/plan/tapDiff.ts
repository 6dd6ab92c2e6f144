// Compares an open tap with the desired one: it stays, is adjusted, or is closed and reopened.
// Pure. In: two specs of one id. Out: the reason to reopen, if any; whether they differ in what can
// be adjusted.
import type { CloseReason } from '../../model/codes.ts'
import { recordOptionsOf, type TapSpec } from '../../model/tap.ts'
import type { TapWindow } from '../../model/tapWindow.ts'

/** undefined: it may stay open. */
export function reasonToReopen(actual: TapSpec, desired: TapSpec): CloseReason | undefined {
  if (actual.capture.uid !== desired.capture.uid) return 'deleted' // a new resource has the old name
  if (actual.endpoint.uid !== desired.endpoint.uid || whereOf(actual) !== whereOf(desired))
    return 'replaced'
  if (whatOf(actual) !== whatOf(desired)) return 'changed'
  if (isAnother(actual.window, desired.window)) return 'window'
  return actual.ringBytes === desired.ringBytes ? undefined : 'resized'
}

/**
 * Whether they differ in what an open tap can change: rotation, limits, window, and addresses if
 * the interface is known by name.
 */
export function isAdjusted(actual: TapSpec, desired: TapSpec): boolean {
  return adjustableOf(actual) !== adjustableOf(desired)
}

// An interface that is resolved by address changes with the address.
function whereOf({ interfaceName, endpoint }: TapSpec): string {
  return interfaceName ?? endpoint.addresses.join(' ')
}

function whatOf(spec: TapSpec): string {
  return JSON.stringify([recordOptionsOf(spec), spec.vantage])
}

function adjustableOf({ rotation, limits, window, endpoint }: TapSpec): string {
  const { fileBytesMax, fileAgeMsMax, filesMax } = rotation
  const { packets, bytes, durationMs } = limits
  return JSON.stringify([
    fileBytesMax,
    fileAgeMsMax,
    filesMax,
    packets,
    bytes,
    durationMs,
    window.fromMs,
    window.untilMs,
    endpoint.addresses,
  ])
}

// The ring may still hold the last packets of the window that ended: closing the tap writes them
// before the next window begins.
function isAnother(actual: TapWindow, desired: TapWindow): boolean {
  return (
    actual.untilMs !== undefined && desired.fromMs !== undefined && actual.untilMs <= desired.fromMs
  )
}
