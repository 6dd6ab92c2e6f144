// What the agent and standalone wire alike: the configuration, the log level, the engine with its
// metrics. runEngine() ends a run: it closes the taps, completes the files and writes the last
// report.
import { Configuration } from '../config/watchSettings.ts'
import type { Driver } from '../driver/driver.ts'
import { Engine, type EngineDeps } from '../engine/engine.ts'
import { engineMetrics } from '../engine/metrics.ts'
import type { Settings } from '../model/settings.ts'
import { systemClock } from '../runtime/clock.ts'
import { type Logger, openLog, type ProcessLog } from '../runtime/log.ts'
import { addLogMetric, type Metrics } from '../runtime/metrics.ts'
import { stopSignal } from '../runtime/process.ts'
import type { TapManager } from '../tap/tapManager.ts'

const unfinishedMs = 5_000 // for what else is to be closed, such as the last report to the API server
const closingMs = 8_000 // the same, when no disk of captures or statuses is known to be stalled

type EnginePlace = {
  readonly config?: string
  readonly settings?: string
  readonly captures?: string
}

/** `captures` overrides captureDir. Refuses a configuration file that cannot be read. */
export function openConfiguration({
  config: file,
  captures: captureDir,
  settings: directory,
}: EnginePlace): Promise<Configuration> {
  const overrides = captureDir === undefined ? {} : { captureDir }
  return Configuration.open({ file, directory, overrides })
}

/** Logs at the configured level, and warns of settings that cannot be used. */
export function configuredLogger(configuration: Configuration): ProcessLog {
  const made = openLog(configuration.settings.logLevel)
  configuration.warnTo(made.log)
  return made
}

type StartDeps = Omit<EngineDeps, 'clock' | 'compile' | 'onTurn'> &
  Pick<ProcessLog, 'logLinesDropped'> & {
    readonly driver: Driver
    readonly settings: () => Settings
  }

export function makeEngine({ driver, settings, logLinesDropped, ...deps }: StartDeps): {
  readonly engine: Engine
  readonly metrics: Metrics
} {
  const metrics = engineMetrics(() => engine.state, settings)
  addLogMetric(metrics.registry, logLinesDropped)
  const compile: Driver['compile'] = (...filter) => driver.compile(...filter)
  const engine = new Engine({ ...deps, clock: systemClock, compile, onTurn: metrics.observeTurn })
  return { engine, metrics }
}

type RunningEngine = {
  readonly engine: Engine
  readonly tapManager: TapManager
  readonly configuration: Configuration
  readonly log: Logger
}

/** Runs turns until SIGTERM or SIGINT; a change of the configuration requests one. */
export async function runEngine({
  engine,
  tapManager,
  configuration,
  log,
}: RunningEngine): Promise<void> {
  configuration.onChange(() => {
    log.level = configuration.settings.logLevel
    configuration.warnTo(log)
    engine.requestTurn()
  })
  await engine.run(stopSignal())
  const unfinished = await tapManager.stop()
  if (unfinished !== '') log.error({ unfinished }, 'stopping, although not all is on the disk')
  const isPublished = await engine.report()
  if (!isPublished) log.error({}, 'stopping, although the last status is not published')
  endWithin(unfinished !== '' || !isPublished ? unfinishedMs : closingMs, log)
}

/**
 * Ends a process that has not come to its end by then. A disk that does not answer holds threads,
 * also one of manifests or artifacts, and an ordinary exit would wait for them.
 */
function endWithin(ms: number, log: Logger): void {
  setTimeout(() => {
    log.error({ seconds: ms / 1_000 }, 'ending, although something has not come to its end')
    process.kill(process.pid, 'SIGKILL')
  }, ms).unref()
}
