// The gateway's metrics for Prometheus: requests by route and code, bytes sent, refusals, agents
// that did not answer. In: the server's requests, and calls of its routes. Out: a registry.
// docs/operations.md lists every metric, and a test compares both.
import type { FastifyInstance } from 'fastify'
import { type GatewayRefusal, gatewayRefusals } from '../model/codes.ts'
import { Counter, Gauge, Registry } from '../runtime/metrics.ts'

/** The label of each route; every other path is "other". */
const routes = {
  '/packet-capture/download/:ns/:name/files.zip': 'zip',
  '/packet-capture/files/:ns/:name/files.zip': 'clean',
  '/v1/namespaces/:ns/:kind/:name/files': 'list',
  '/v1/namespaces/:ns/:kind/:name/files/:node/:file': 'file',
  '/v1/namespaces/:ns/:kind/:name/stream': 'stream',
  '/healthz': 'health',
  '/readyz': 'health',
} as const
export type Route = (typeof routes)[keyof typeof routes] | 'other'

/** Packets that a live stream lacks; read until it is closed, and once more then. */
export type MissingPart = { readonly lost: number }

const carrying = ['file', 'zip', 'stream'] as const

export class GatewayMetrics {
  readonly registry = new Registry()
  readonly #registers = [this.registry]
  readonly #bytes = new Map<Route, number>(carrying.map(route => [route, 0]))
  readonly #streams = new Set<MissingPart>()
  #lostBefore = 0 // in closed streams

  readonly #requests = new Counter({
    name: 'selcap_gateway_requests_total',
    help: 'Requests that were answered, by what was asked for and the status code',
    labelNames: ['route', 'code'],
    registers: this.#registers,
  })
  readonly #brokenOff = new Counter({
    name: 'selcap_gateway_broken_off_total',
    help: 'Answers that did not all leave: their reader went, or an agent did',
    labelNames: ['route'],
    registers: this.#registers,
  })
  readonly #running = new Gauge({
    name: 'selcap_gateway_running',
    help: 'Requests that are being answered: downloads and live streams above all',
    labelNames: ['route'],
    registers: this.#registers,
  })
  readonly #refused = new Counter({
    name: 'selcap_gateway_refused_total',
    help: 'Requests that were refused, by reason',
    labelNames: ['reason'],
    registers: this.#registers,
  })
  readonly #agentFailures = new Counter({
    name: 'selcap_gateway_agent_failures_total',
    help: 'Requests to an agent that it did not answer, or broke off',
    labelNames: ['node'],
    registers: this.#registers,
  })

  constructor() {
    const [bytes, lostOf] = [this.#bytes, () => this.#lost]
    new Counter({
      name: 'selcap_gateway_bytes_total',
      help: 'Bytes handed out',
      labelNames: ['route'],
      registers: this.#registers,
      collect() {
        this.reset()
        for (const [route, sum] of bytes) this.inc({ route }, sum)
      },
    })
    new Counter({
      name: 'selcap_gateway_stream_packets_dropped_total',
      help: 'Packets that live streams lack because their readers, or the way to them, were too slow',
      registers: this.#registers,
      collect() {
        this.reset()
        this.inc(lostOf())
      },
    })
    for (const reason of Object.keys(gatewayRefusals)) this.#refused.inc({ reason }, 0)
    for (const route of carrying) {
      this.#running.set({ route }, 0)
      this.#brokenOff.inc({ route }, 0)
    }
  }

  /** Counts every request of that server, and the connections that it drops. */
  follow(app: FastifyInstance): void {
    app.server.on('drop', () => this.refused('Connections'))
    app.addHook('onRequest', async ({ routeOptions }, { raw }) => {
      const route = routes[routeOptions.url as keyof typeof routes] ?? 'other'
      this.#running.inc({ route })
      raw.once('close', () => {
        this.#running.dec({ route })
        this.#requests.inc({ route, code: raw.headersSent ? raw.statusCode : 'none' })
        if (raw.headersSent && !raw.writableFinished) this.#brokenOff.inc({ route })
      })
    })
  }

  countSent(route: (typeof carrying)[number], bytes: number): void {
    this.#bytes.set(route, (this.#bytes.get(route) ?? 0) + bytes)
  }

  refused(reason: GatewayRefusal): void {
    this.#refused.inc({ reason })
  }

  agentFailed(node: string): void {
    this.#agentFailures.inc({ node })
  }

  /** Returns what to call at its end. */
  streaming(stream: MissingPart): () => void {
    this.#streams.add(stream)
    return () => {
      if (this.#streams.delete(stream)) this.#lostBefore += stream.lost
    }
  }

  get #lost(): number {
    return [...this.#streams].reduce((sum, { lost }) => sum + lost, this.#lostBefore)
  }
}
