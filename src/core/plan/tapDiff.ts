// What must happen to an open tap so that it becomes the desired one: nothing, an adjustment, or closing and opening again.
// In: two specs of one id. Out: the reason to re-open, if there is one; whether they differ in what can be adjusted.
import type { CloseReason } from '../../model/codes.ts'
import type { TapSpec } from '../../model/tap.ts'
import type { TapWindow } from '../../model/tapWindow.ts'

/** undefined: it may stay open. */
export function reasonToReopen(actual: TapSpec, desired: TapSpec): CloseReason | undefined {
  if (actual.capture.uid !== desired.capture.uid) return 'deleted' // another resource under the old name
  if (actual.endpoint.uid !== desired.endpoint.uid || whereOf(actual) !== whereOf(desired)) return 'replaced'
  if (whatOf(actual) !== whatOf(desired)) return 'changed'
  if (isAnother(actual.window, desired.window)) return 'window'
  return actual.ringBytes === desired.ringBytes ? undefined : 'resized'
}

/** They differ in what changes on an open tap: rotation, limits, the window, and addresses where the interface is known by name. */
export function isAdjusted(actual: TapSpec, desired: TapSpec): boolean {
  return adjustableOf(actual) !== adjustableOf(desired)
}

// Where the interface is found by address, another address is another interface.
function whereOf({ interfaceName, endpoint }: TapSpec): string {
  return interfaceName ?? endpoint.addresses.join(' ')
}

function whatOf({ filter, filterInstructionsMax, snapLength, payload, format, vantage }: TapSpec): string {
  return JSON.stringify([filter, filterInstructionsMax, snapLength, payload, format, vantage])
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

// The last packets of a window that ended may lie in the ring still: they are written before the tap goes on with the next one.
function isAnother(actual: TapWindow, desired: TapWindow): boolean {
  return actual.untilMs !== undefined && desired.fromMs !== undefined && actual.untilMs <= desired.fromMs
}
