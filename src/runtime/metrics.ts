// The node's figures for Prometheus, on a local port: GET /metrics, GET /healthz and GET /readyz.
// In: a function that returns what the node holds now; figures are read when asked for, never kept twice.
// docs/operations.md lists every metric, and a test holds both lists together.
import type { Server } from 'node:http'
import { createRequire } from 'node:module'
import type * as PromClient from 'prom-client'
import type { ActualCapture, ActualEndpoint } from '../model/actualState.ts'

// Part by part: the package as a whole brings the OpenTelemetry API along, 7 MiB that nothing here uses.
const load = createRequire(import.meta.url)
export const Counter = load('prom-client/lib/counter.js') as typeof PromClient.Counter
export const Gauge = load('prom-client/lib/gauge.js') as typeof PromClient.Gauge
export const Histogram = load('prom-client/lib/histogram.js') as typeof PromClient.Histogram
export const Registry = load('prom-client/lib/registry.js') as typeof PromClient.Registry
const { createServer } = process.getBuiltinModule('node:http') // an import makes Node load its WebSocket along: 14 MiB

export type NodeFigures = {
  readonly captures: ReadonlyMap<string, ActualCapture>
  readonly states: ReadonlyMap<string, string> // capture key → state
  readonly openTaps: number
  readonly ringBytes: number
  readonly diskUsedBytes: number
  readonly diskFreePercent: number
}

export type Metrics = { readonly registry: PromClient.Registry; readonly observeTurn: (seconds: number) => void }

const states = ['Scheduled', 'WaitingForTraffic', 'Capturing', 'Finished', 'Error'] as const

type GaugeRow<T> = readonly [name: string, help: string, value: (now: T) => number]

/** Gauges without labels, each a figure of what is held now. */
export function addGauges<T>(registry: PromClient.Registry, held: () => T, rows: readonly GaugeRow<T>[]): void {
  for (const [name, help, value] of rows) {
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(value(held()))
      },
    })
  }
}

export function makeMetrics(figures: () => NodeFigures): Metrics {
  const registry = new Registry()
  const perCapture = [
    ['selcap_packets_total', 'Packets written to capture files', (row: ActualEndpoint) => row.packets],
    ['selcap_bytes_total', 'Record bytes written to capture files', (row: ActualEndpoint) => row.bytes],
    ['selcap_packets_dropped_total', 'Packets the kernel dropped because a ring was full', (row: ActualEndpoint) => row.dropped],
    ['selcap_packets_refused_total', 'Packets received but not written: full disk, or a limit', (row: ActualEndpoint) => row.refused],
  ] as const
  for (const [name, help, value] of perCapture) {
    new Counter({
      name,
      help,
      labelNames: ['namespace', 'capture'],
      registers: [registry],
      collect() {
        this.reset()
        for (const [key, facts] of figures().captures) this.inc(labelsOf(key), sum([...facts.endpoints.values()].map(value)))
      },
    })
  }
  const gauges = [
    ['selcap_taps_open', 'Taps that are open', (now: NodeFigures) => now.openTaps],
    ['selcap_ring_bytes', 'Kernel memory held by capture rings', (now: NodeFigures) => now.ringBytes],
    ['selcap_disk_used_bytes', 'Bytes of all capture files', (now: NodeFigures) => now.diskUsedBytes],
    ['selcap_disk_free_percent', 'Free space of the file system under captureDir', (now: NodeFigures) => now.diskFreePercent],
  ] as const
  addGauges(registry, figures, gauges)
  new Gauge({
    name: 'selcap_captures',
    help: 'Captures by state',
    labelNames: ['state'],
    registers: [registry],
    collect() {
      const all = [...figures().states.values()]
      for (const state of states) this.set({ state }, all.filter(each => each === state).length)
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

export type MetricsAddress = { readonly port: number; readonly host?: string; readonly isReady?: () => boolean }

/** Serves on loopback unless told otherwise; resolves when it listens. Port 0 takes a free one. */
export async function serveMetrics(
  registry: PromClient.Registry,
  { port, host = '127.0.0.1', isReady = () => true }: MetricsAddress,
): Promise<Server> {
  const server = createServer((request, response) => {
    const [path] = (request.url ?? '').split('?')
    if (path === '/healthz') response.end('ok\n')
    else if (path === '/readyz') response.writeHead(isReady() ? 200 : 503).end(isReady() ? 'ok\n' : 'not ready yet\n')
    else if (path === '/metrics')
      registry.metrics().then(
        text => response.setHeader('content-type', registry.contentType).end(text),
        (error: Error) => response.writeHead(500).end(`Cannot tell figures: ${error.message}\n`), // the engine goes on capturing
      )
    else response.writeHead(404).end('Not found: expected /metrics, /healthz or /readyz\n')
  })
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, resolve))
  return server
}

function labelsOf(key: string): { namespace: string; capture: string } {
  const [namespace = '', capture = ''] = key.split('/')
  return { namespace, capture }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0)
}
