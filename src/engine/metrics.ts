// The metrics of a node's engine. In: functions that return the engine's current state and the
// settings. Out: a registry that reads them at each scrape; a capture's counters do not go down while
// it has its uid. docs/operations.md lists every metric, and a test holds both lists together.
import type { ActualCapture, ActualEndpoint } from '../model/actualState.ts'
import { sum } from '../model/numbers.ts'
import type { Settings } from '../model/settings.ts'
import { addGauges, Counter, Gauge, Histogram, type Metrics, Registry } from '../runtime/metrics.ts'

export type EngineState = {
  readonly captures: ReadonlyMap<string, ActualCapture>
  readonly states: ReadonlyMap<string, string> // capture key → state
  readonly openTaps: number
  readonly ringBytes: number
  readonly buffer: {
    readonly bytes: number
    readonly highWaterBytes: number
    readonly oldestMs: number
  }
  readonly diskUsedBytes: number
  readonly diskFreePercent: number
}

const captureStates = ['Scheduled', 'WaitingForTraffic', 'Capturing', 'Finished', 'Error'] as const

/** What one counter shows of a capture. */
type CaptureTotal = Pick<ActualCapture, 'uid' | 'stateId' | 'endpoints'> & {
  readonly gone: number // of rows that are no longer in `endpoints`
  readonly shown: number
}

export function engineMetrics(state: () => EngineState, settings: () => Settings): Metrics {
  const registry = new Registry()
  const perCapture = [
    [
      'selcap_packets_total',
      'Packets written to capture files',
      (row: ActualEndpoint) => row.packets,
    ],
    [
      'selcap_bytes_total',
      'Record bytes written to capture files',
      (row: ActualEndpoint) => row.bytes,
    ],
    [
      'selcap_packets_dropped_total',
      'Packets the kernel dropped because a ring was full',
      (row: ActualEndpoint) => row.dropped,
    ],
    [
      'selcap_packets_refused_total',
      'Packets received but not written: full disk, or a limit',
      (row: ActualEndpoint) => row.refused,
    ],
    [
      'selcap_packets_lost_total',
      'Packets written to files that others removed, moved or truncated meanwhile',
      (row: ActualEndpoint) => row.lost ?? 0,
    ],
  ] as const
  for (const [name, help, value] of perCapture) {
    let totals: ReadonlyMap<string, CaptureTotal> = new Map()
    new Counter({
      name,
      help,
      labelNames: ['namespace', 'capture'],
      registers: [registry],
      collect() {
        this.reset()
        totals = new Map(
          [...state().captures].map(([key, actual]) => [key, totalAfter(totals.get(key), actual, value)]), // biome-ignore format: one line
        )
        for (const [key, { shown }] of totals) this.inc(labelsOf(key), shown)
      },
    })
  }
  const gauges = [
    ['selcap_taps_open', 'Taps that are open', (now: EngineState) => now.openTaps],
    [
      'selcap_ring_bytes',
      'Kernel memory held by capture rings',
      (now: EngineState) => now.ringBytes,
    ],
    [
      'selcap_buffer_bytes',
      'Bytes of packets that wait for a disk',
      (now: EngineState) => now.buffer.bytes,
    ],
    [
      'selcap_buffer_high_water_bytes',
      'The most that has waited for a disk since the start',
      (now: EngineState) => now.buffer.highWaterBytes,
    ],
    [
      'selcap_buffer_wait_seconds',
      'For how long the oldest packet waits for a disk',
      (now: EngineState) => now.buffer.oldestMs / 1_000,
    ],
    [
      'selcap_disk_used_bytes',
      'Bytes of all capture files',
      (now: EngineState) => now.diskUsedBytes,
    ],
    [
      'selcap_disk_free_percent',
      'Free space of the file system under captureDir',
      (now: EngineState) => now.diskFreePercent,
    ],
  ] as const
  addGauges(registry, state, gauges)
  const bounds = [
    [
      'selcap_ring_limit_bytes',
      'The setting captureRingBytesMax',
      (now: Settings) => now.captureRingBytesMax,
    ],
    [
      'selcap_buffer_limit_bytes',
      'The setting captureBufferBytesMax',
      (now: Settings) => now.captureBufferBytesMax,
    ],
    [
      'selcap_disk_limit_bytes',
      'The setting captureDiskBytesMax',
      (now: Settings) => now.captureDiskBytesMax,
    ],
    [
      'selcap_disk_free_min_percent',
      'The setting captureDiskFreePercentMin',
      (now: Settings) => now.captureDiskFreePercentMin,
    ],
  ] as const
  addGauges(registry, settings, bounds)
  new Gauge({
    name: 'selcap_captures',
    help: 'Captures by state',
    labelNames: ['state'],
    registers: [registry],
    collect() {
      const all = [...state().states.values()]
      for (const name of captureStates)
        this.set({ state: name }, all.filter(each => each === name).length)
    },
  })
  const turns = new Histogram({
    name: 'selcap_turn_seconds',
    help: 'Time of one turn of the engine',
    buckets: [0.001, 0.005, 0.02, 0.1, 0.5, 2],
    registers: [registry],
  })
  return { registry, observeTurn: seconds => turns.observe(seconds) }
}

/**
 * A folder removes the oldest rows, and a replaced disk begins without any. What these rows had when
 * they were last read counts on: Prometheus takes a counter that goes down for one that began anew.
 */
function totalAfter(
  before: CaptureTotal | undefined,
  { uid, stateId, endpoints }: ActualCapture,
  value: (row: ActualEndpoint) => number,
): CaptureTotal {
  const same = before?.uid === uid ? before : undefined
  const removed = [...(same?.endpoints ?? [])]
    .filter(([key]) => stateId !== same?.stateId || !endpoints.has(key))
    .map(([, row]) => row)
  const gone = (same?.gone ?? 0) + sum(removed.map(value))
  const shown = Math.max(same?.shown ?? 0, gone + sum([...endpoints.values()].map(value)))
  return { uid, ...(stateId !== undefined && { stateId }), endpoints, gone, shown }
}

function labelsOf(captureKey: string): { namespace: string; capture: string } {
  const [namespace = '', capture = ''] = captureKey.split('/')
  return { namespace, capture }
}
