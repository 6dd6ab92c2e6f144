// The controller's metrics. In: a function that returns the controller's current state. Out: a
// registry that reads it at each scrape. docs/operations.md lists every metric, and a test holds
// both lists together.
import { addGauges, Counter, Histogram, type Metrics, Registry } from '../runtime/metrics.ts'

/** Counts since the start. */
export type ControllerCounters = {
  folds: number // statuses computed
  readonly statusWrites: { written: number; stale: number; failed: number }
  readonly eventWrites: { written: number; failed: number }
  readonly removals: { capture: number; report: number }
} & UploadCounters

export type UploadCounters = {
  readonly uploads: { stored: number; failed: number }
  uploadBytes: number
}

export type ControllerState = ControllerCounters & {
  readonly isLeading: boolean
  readonly captures: number
  readonly nodesReporting: number
  readonly nodesSilent: number
}

export const zeroCounters = (): ControllerCounters => ({
  folds: 0,
  statusWrites: { written: 0, stale: 0, failed: 0 },
  eventWrites: { written: 0, failed: 0 },
  removals: { capture: 0, report: 0 },
  ...zeroUploadCounters(),
})

export const zeroUploadCounters = (): UploadCounters => ({
  uploads: { stored: 0, failed: 0 },
  uploadBytes: 0,
})

export function controllerMetrics(state: () => ControllerState): Metrics {
  const registry = new Registry()
  const registers = [registry]
  const gauges = [
    [
      'selcap_controller_leads',
      '1: this one is at work; 0: another one is, or none',
      (now: ControllerState) => Number(now.isLeading),
    ],
    [
      'selcap_controller_captures',
      'Captures in the cluster',
      (now: ControllerState) => now.captures,
    ],
    [
      'selcap_controller_nodes_reporting',
      'Nodes whose agents report',
      (now: ControllerState) => now.nodesReporting,
    ],
    [
      'selcap_controller_nodes_silent',
      'Nodes whose agents have not reported for three minutes',
      (now: ControllerState) => now.nodesSilent,
    ],
  ] as const
  addGauges(registry, state, gauges)
  const counters = [
    [
      'selcap_controller_status_writes_total',
      'Statuses written, by what became of it',
      'result',
      (now: ControllerCounters) => now.statusWrites,
    ],
    [
      'selcap_controller_events_total',
      'Events written, by what became of it',
      'result',
      (now: ControllerCounters) => now.eventWrites,
    ],
    [
      'selcap_controller_removals_total',
      'Objects removed: captures after their ttl, reports of nodes that are gone',
      'kind',
      (now: ControllerCounters) => now.removals,
    ],
    [
      'selcap_controller_uploads_total',
      'Files uploaded, by what became of it',
      'result',
      (now: ControllerCounters) => now.uploads,
    ],
  ] as const
  for (const [name, help, label, values] of counters) {
    new Counter({
      name,
      help,
      labelNames: [label],
      registers,
      collect() {
        this.reset()
        for (const [key, count] of Object.entries(values(state())))
          this.inc({ [label]: key }, count)
      },
    })
  }
  const sums = [
    [
      'selcap_controller_folds_total',
      'Statuses computed from what the nodes report',
      (now: ControllerCounters) => now.folds,
    ],
    [
      'selcap_controller_upload_bytes_total',
      'Bytes of files that were uploaded',
      (now: ControllerCounters) => now.uploadBytes,
    ],
  ] as const
  for (const [name, help, value] of sums) {
    new Counter({
      name,
      help,
      registers,
      collect() {
        this.reset()
        this.inc(value(state()))
      },
    })
  }
  const turns = new Histogram({
    name: 'selcap_controller_turn_seconds',
    help: 'Time of one turn over all captures',
    buckets: [0.005, 0.02, 0.1, 0.5, 2, 10],
    registers,
  })
  return { registry, observeTurn: seconds => turns.observe(seconds) }
}
