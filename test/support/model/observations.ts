// Builders for what nodes report of a capture: what a test does not name has a plain default.
import { parsePacketCapture } from '../../../src/api/packetcapture/spec.ts'
import type { ReportedCapture } from '../../../src/core/status/nodeReport.ts'
import type { Intent, Rejection } from '../../../src/model/capture.ts'
import type { PacketCaptureSpec } from '../../../src/model/packetCaptureSpec.ts'
import { defaultSettings } from '../../../src/model/settings.ts'
import type {
  CaptureStateName,
  EndpointStatus,
  PacketCaptureStatus,
} from '../../../src/model/status.ts'
import { capture, noonMs } from '../worlds/documents.ts'

export { noonMs } from '../worlds/documents.ts'

export const zero = { packets: 0, bytes: 0, dropped: 0 } as const
export const at = (ms: number): string => new Date(ms).toISOString()

export function endpoint(
  pod: string,
  state: CaptureStateName,
  change: Partial<EndpointStatus> = {},
): EndpointStatus {
  const startedAt = { startedAt: at(noonMs - 60_000) }
  return {
    pod,
    uid: pod,
    interface: `cali${pod}`,
    vantage: 'HostVeth',
    state,
    ...zero,
    ...startedAt,
    gaps: [],
    ...change,
  }
}

type RowChange = Partial<Omit<ReportedCapture, 'file'>> & {
  readonly file?: Partial<ReportedCapture['file']>
}

export function row(
  node: string,
  state: CaptureStateName,
  { file = {}, ...change }: RowChange = {},
): ReportedCapture {
  const { endpoints = [endpoint(`pod-${node}`, state)] } = file
  const identity = {
    api: 'PacketCapture',
    namespace: 'default',
    name: 'web',
    uid: 'uid-web',
    observedGeneration: 1,
  } as const
  return {
    ...identity,
    isListed: true,
    isRejected: false,
    problems: [],
    ...change,
    file: { node, directory: '/captures', fileNames: [], state, ...zero, ...file, endpoints },
  }
}

/** A row whose one endpoint began and ended. */
export function finished(
  node: string,
  endedAtMs: number | undefined,
  change: RowChange = {},
): ReportedCapture {
  const ended = endedAtMs === undefined ? {} : { endedAt: at(endedAtMs) }
  return row(node, 'Finished', {
    ...change,
    file: { endpoints: [endpoint('p', 'Finished', ended)], ...change.file },
  })
}

export function read(spec: PacketCaptureSpec, generation = 1): Intent | Rejection {
  return parsePacketCapture(capture('web', spec, { generation }), defaultSettings)
}

/** A status of that many nodes, each with one pod. */
export function statusOf(
  nodes: number,
  change: Partial<PacketCaptureStatus> = {},
): PacketCaptureStatus {
  const files = Array.from({ length: nodes }, (_, index) => row(`node-${index}`, 'Capturing').file)
  return {
    observedGeneration: 1,
    state: 'Capturing',
    nodes,
    endpoints: nodes,
    ...zero,
    conditions: [],
    files,
    ...change,
  }
}
