// What the long-running programs share: the stop signal, ports from options, and the server of metrics.
import { CommandFailure } from '../model/errors.ts'
import type { Logger } from './log.ts'
import { type Metrics, serveMetrics } from './metrics.ts'

/** Aborts at the first SIGTERM or SIGINT. */
export function stopSignal(): AbortSignal {
  const stop = new AbortController()
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort())
  return stop.signal
}

/** The port of an option, else the standard port. Refuses with CommandFailure. */
export function portOf(given: string | undefined, standard: number, option = '--metrics-port'): number {
  if (given === undefined) return standard
  if (/^\d{1,5}$/.test(given) && Number(given) <= 65_535) return Number(given)
  throw new CommandFailure('usage', `Cannot use ${option} "${given}": expected a port from 0 to 65535`)
}

export type LogPlace = { readonly port: number; readonly host?: string; readonly isReady?: () => boolean }

/** Captures do not depend on metrics: a port that is in use is logged, and no metrics are served. */
export async function serveMetricsOf(metrics: Pick<Metrics, 'registry'>, place: LogPlace, log: Logger): Promise<AsyncDisposable> {
  try {
    const server = await serveMetrics(metrics.registry, place)
    log.info({ address: server.address() }, 'metrics served')
    return { [Symbol.asyncDispose]: async () => void server.close() }
  } catch (error) {
    log.warn({ port: place.port, error: (error as Error).message }, 'metrics not served')
    return { [Symbol.asyncDispose]: async () => {} }
  }
}
