// A program's metrics for Prometheus, and the HTTP server of GET /metrics, GET /healthz and GET
// /readyz. In: a function that returns the current state, which is read at each scrape. Out: a
// registry; a server on a local port.
import type { Server } from 'node:http'
import { createRequire } from 'node:module'
import type * as PromClient from 'prom-client'

// Part by part: the package as a whole brings the OpenTelemetry API along, 7 MiB that nothing here
// uses.
const load = createRequire(import.meta.url)
export const Counter = load('prom-client/lib/counter.js') as typeof PromClient.Counter
export const Gauge = load('prom-client/lib/gauge.js') as typeof PromClient.Gauge
export const Histogram = load('prom-client/lib/histogram.js') as typeof PromClient.Histogram
export const Registry = load('prom-client/lib/registry.js') as typeof PromClient.Registry
const { createServer } = process.getBuiltinModule('node:http') // an import makes Node load its WebSocket along: 14 MiB

export type Metrics = {
  readonly registry: PromClient.Registry
  readonly observeTurn: (seconds: number) => void
}

type GaugeRow<T> = readonly [name: string, help: string, value: (now: T) => number]

/** Gauges without labels, each read from the state at a scrape. */
export function addGauges<T>(
  registry: PromClient.Registry,
  state: () => T,
  rows: readonly GaugeRow<T>[],
): void {
  for (const [name, help, value] of rows) {
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(value(state()))
      },
    })
  }
}

/** Of every program: what its log lacks. */
export function addLogMetric(registry: PromClient.Registry, dropped: () => number): void {
  new Counter({
    name: 'selcap_log_lines_dropped_total',
    help: 'Lines that the log lacks because nobody took them, or its disk was full',
    registers: [registry],
    collect() {
      this.reset()
      this.inc(dropped())
    },
  })
}

export type MetricsAddress = {
  readonly port: number
  readonly host?: string
  readonly isReady?: () => boolean
}

/** Serves on loopback unless told otherwise; resolves when it listens. Port 0 takes a free one. */
export async function serveMetrics(
  registry: PromClient.Registry,
  { port, host = '127.0.0.1', isReady = () => true }: MetricsAddress,
): Promise<Server> {
  const server = createServer((request, response) => {
    const [path] = (request.url ?? '').split('?')
    if (path === '/healthz') response.end('ok\n')
    else if (path === '/readyz')
      response.writeHead(isReady() ? 200 : 503).end(isReady() ? 'ok\n' : 'not ready yet\n')
    else if (path === '/metrics')
      registry.metrics().then(
        text => response.setHeader('content-type', registry.contentType).end(text),
        (error: Error) => response.writeHead(500).end(`Cannot tell figures: ${error.message}\n`), // the engine goes on capturing
      )
    else response.writeHead(404).end('Not found: expected /metrics, /healthz or /readyz\n')
  })
  await new Promise<void>((resolve, reject) =>
    server.once('error', reject).listen(port, host, resolve),
  )
  return server
}
