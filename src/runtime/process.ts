// What the long-running programs share: signals, ports from options, and the server of metrics.
import { CommandFailure } from '../model/errors.ts'
import type { Logger } from './log.ts'
import { type Metrics, serveMetrics } from './metrics.ts'

const graceful = ['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGHUP'] as const
// By default each of these ends a process without a last report, or (SIGUSR1) opens Node's debugger
// to every local user.
const ignored = [
  'SIGUSR1',
  'SIGUSR2',
  'SIGALRM',
  'SIGVTALRM',
  'SIGIO',
  'SIGPWR',
  'SIGSTKFLT',
  'SIGXCPU',
  'SIGXFSZ',
] as const

/**
 * Aborts at the first signal that asks a process to end; a second one of the same kind ends it at
 * once. Ignores the other signals that would end it. SIGHUP counts also under nohup: Node resets
 * what its parent ignored.
 */
export function stopSignal(): AbortSignal {
  const stop = new AbortController()
  for (const signal of graceful) process.once(signal, () => stop.abort())
  for (const signal of ignored) process.on(signal, () => {})
  return stop.signal
}

/** The port of an option, else the standard port. Refuses with CommandFailure. */
export function portOf(
  given: string | undefined,
  standard: number,
  option = '--metrics-port',
): number {
  if (given === undefined) return standard
  if (/^\d{1,5}$/.test(given) && Number(given) <= 65_535) return Number(given)
  throw new CommandFailure(
    'usage',
    `Cannot use ${option} "${given}": expected a port from 0 to 65535`,
  )
}

export type LogPlace = {
  readonly port: number
  readonly host?: string
  readonly isReady?: () => boolean
}

/**
 * Captures do not depend on metrics: a port that is in use is logged, and no metrics are served.
 */
export async function serveMetricsOf(
  metrics: Pick<Metrics, 'registry'>,
  place: LogPlace,
  log: Logger,
): Promise<AsyncDisposable> {
  try {
    const server = await serveMetrics(metrics.registry, place)
    log.info({ address: server.address() }, 'metrics served')
    return { [Symbol.asyncDispose]: async () => void server.close() }
  } catch (error) {
    log.warn({ port: place.port, error: (error as Error).message }, 'metrics not served')
    return { [Symbol.asyncDispose]: async () => {} }
  }
}
