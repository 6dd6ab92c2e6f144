// Reconciles one capture of any kind: dispatches to its API's reconciler and returns the status,
// Events and deadlines. Pure.

import { isDeepStrictEqual } from 'node:util'
import { eventsFor } from '../api/packetcapture/events.ts'
import { reconcilePacketCapture } from '../api/packetcapture/reconcile.ts'
import { configEventsFor } from '../api/packetcaptureconfig/events.ts'
import { resultsOf } from '../api/packetcaptureconfig/results.ts'
import {
  type ConfigRow,
  type PacketCaptureConfigStatus,
  packetCaptureConfigStatus,
} from '../api/packetcaptureconfig/status.ts'
import type { NodeObservation, ReconcileInput, Reconciliation } from '../api/reconcilerTypes.ts'
import { reconcileRetinaCapture } from '../api/retina/reconcile.ts'
import { isoTime, never } from '../model/time.ts'
import type { CachedCapture } from './cachedCapture.ts'

export function reconcile({ capture, previous, ...input }: ReconcileInput): Reconciliation {
  switch (capture.kind) {
    case 'PacketCapture': {
      const before = previous as (CachedCapture & { readonly kind: 'PacketCapture' })['status']
      const reconciliation = reconcilePacketCapture({
        ...input,
        nodes: input.addresses.size,
        previous: before,
      })
      return { ...reconciliation, events: eventsFor(before, reconciliation.status) }
    }
    case 'PacketCaptureConfig': {
      const before = previous as
        | (Partial<PacketCaptureConfigStatus> & { readonly lastUpdateTime?: string })
        | undefined
      const { status, wakeAtMs } = packetCaptureConfigStatus({
        ...input,
        rows: input.rows.map(configRow),
        previous: before,
      })
      const results = resultsOf(capture, status)
      return {
        status: stamped(status, before, input.nowMs),
        ...(results && { results }),
        events: configEventsFor(before, status),
        wakeAtMs,
        expiresAtMs: never,
      }
    }
    case 'Capture':
      return reconcileRetinaCapture({ ...input, capture, previous })
  }
}

function configRow({ row, silentSinceMs }: NodeObservation): ConfigRow {
  const { file, artifact, failing, isListed, isRejected } = row
  return {
    file,
    isListed,
    isRejected,
    ...(artifact && { artifact }),
    ...(failing && { failing }),
    ...(silentSinceMs !== undefined && { silentSinceMs }),
  }
}

/** `lastUpdateTime` changes only with the rest of the status. */
function stamped(
  status: object,
  before: { readonly lastUpdateTime?: string } | undefined,
  nowMs: number,
): object {
  const { lastUpdateTime = isoTime(nowMs), ...rest } = before ?? {}
  return {
    ...status,
    lastUpdateTime: isDeepStrictEqual(rest, JSON.parse(JSON.stringify(status)))
      ? lastUpdateTime
      : isoTime(nowMs),
  }
}
