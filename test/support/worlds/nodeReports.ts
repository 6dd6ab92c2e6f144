// What a node has to tell: budgets, and turns with as much to tell as a test wants.
//   nodeReport([element('a', { rows: 3 })])      what an engine publishes
import type { Budgets, NodeIdentity } from '../../../src/core/status/nodeReport.ts'
import { captureKey } from '../../../src/model/captureRef.ts'
import type { NodeReport } from '../../../src/model/publisher.ts'
import type { CaptureStateName, CaptureStatusElement } from '../../../src/model/status.ts'
import type { World } from '../../../src/model/world.ts'
import { endpoint } from '../model/observations.ts'
import { capture, node, noonMs, world } from './documents.ts'

export const identity: NodeIdentity = {
  agentVersion: '0.1.0',
  startedAt: new Date(noonMs).toISOString(),
  address: node,
  port: 9_876,
  certificateFingerprint: 'ab'.repeat(32),
}
export const budgets: Budgets = {
  diskBytesMax: 1e10,
  diskBytesUsed: 4_096,
  diskFreePercent: 61,
  ringBytesMax: 1e8,
  ringBytesUsed: 0,
  bufferBytesMax: 67_108_864,
  bufferBytesUsed: 0,
  bufferHighWaterBytes: 0,
  bufferWaitMilliseconds: 0,
}

export type Told = { readonly name: string; readonly element: CaptureStatusElement }

export type Much = {
  readonly rows?: number
  readonly files?: number
  readonly state?: CaptureStateName
}

/** One capture on this node, with that many endpoints and files. */
export function told(
  name: string,
  change: Partial<CaptureStatusElement> = {},
  { rows = 1, files = 0, state = 'Capturing' }: Much = {},
): Told {
  const counts = { packets: 5, bytes: 500, dropped: 0 }
  const element = {
    node,
    directory: '/var/log/calico/pcap',
    fileNames: Array.from(
      { length: files },
      (_, index) => `web-0_cali0123456789a-${20_260_601_120_000 + index}.pcap`,
    ),
    state,
    ...counts,
    endpoints: Array.from({ length: rows }, (_, index) => endpoint(`web-${index}`, state)),
    isListed: true,
    isRejected: false,
    isUncapturable: false,
    problems: [],
    ...change,
  }
  return { name, element }
}

export function nodeReport(all: readonly Told[], change: Partial<World> = {}): NodeReport {
  const captures = all.map(({ name }) => capture(name))
  const elements = new Map(
    all.map(({ name, element }) => [captureKey({ namespace: 'default', name }), element]),
  )
  return { world: world(captures, [], change), elements, nowMs: noonMs }
}
