// What an agent and a standalone engine wire alike: the configuration and its log level, the engine with its figures, and how a run
// ends: the taps are closed, the files complete, the last report written.

import { Configuration } from '../config/watchSettings.ts'
import type { Driver } from '../driver/driver.ts'
import { Engine, type EngineDeps } from '../engine/engine.ts'
import { engineMetrics } from '../engine/metrics.ts'
import { systemClock } from '../runtime/clock.ts'
import { type Logger, makeLogger } from '../runtime/log.ts'
import type { Metrics } from '../runtime/metrics.ts'
import { stopSignal } from '../runtime/process.ts'
import type { TapManager } from '../tap/tapManager.ts'

type EnginePlace = { readonly config?: string; readonly settings?: string; readonly captures?: string }

/** Refuses a file that cannot be read. `captures` wins over captureDir. */
export function openConfiguration({ config, captures, settings }: EnginePlace): Configuration {
  return new Configuration(config, captures === undefined ? {} : { captureDir: captures }, settings)
}

/** Logs at the level that is configured, and what could not be used of the configuration. */
export function configuredLogger(configuration: Configuration): Logger {
  const log = makeLogger(configuration.settings.logLevel)
  configuration.warnTo(log)
  return log
}

type StartDeps = Omit<EngineDeps, 'clock' | 'compile' | 'onTurn'> & { readonly driver: Driver }

export function makeEngine({ driver, ...parts }: StartDeps): { readonly engine: Engine; readonly metrics: Metrics } {
  const metrics = engineMetrics(() => engine.state)
  const compile: Driver['compile'] = (...asked) => driver.compile(...asked)
  const engine = new Engine({ ...parts, clock: systemClock, compile, onTurn: metrics.observeTurn })
  return { engine, metrics }
}

type RunningEngine = { readonly engine: Engine; readonly holder: TapManager; readonly configuration: Configuration; readonly log: Logger }

/** Turns, also whenever the configuration changes, until SIGTERM or SIGINT. */
export async function runEngine({ engine, holder, configuration, log }: RunningEngine): Promise<void> {
  configuration.onChange(() => {
    log.level = configuration.settings.logLevel
    configuration.warnTo(log)
    engine.requestTurn()
  })
  await engine.run(stopSignal())
  await holder.stop()
  await engine.report()
}
