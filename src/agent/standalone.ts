// `selcap standalone`: the engine of one machine without Kubernetes. In: options and a directory of
// manifests. Out: capture files and a status directory. Runs until SIGTERM or SIGINT, then closes
// the taps, completes the files and writes the last report.
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { openDriver } from '../driver/openDriver.ts'
import { CommandFailure } from '../model/errors.ts'
import type { Settings } from '../model/settings.ts'
import { readStatusDirectory, StatusDirectory } from '../publish/statusDirectory.ts'
import { systemClock } from '../runtime/clock.ts'
import { makeDirectory } from '../runtime/makeDirectory.ts'
import { portOf, serveMetricsOf } from '../runtime/process.ts'
import { ManifestSource } from '../source/manifestSource.ts'
import { StandaloneMeta } from '../source/standaloneMeta.ts'
import { TapManager } from '../tap/tapManager.ts'
import { configuredLogger, makeEngine, openConfiguration, runEngine } from './startEngine.ts'

const counterMs = 1_000 // nothing is sent over a network, so a second is cheap

export type StandaloneOptions = {
  readonly manifests: string
  readonly captures?: string
  readonly status: string
  readonly node: string
  readonly config?: string
  readonly driver: 'ring' | 'libpcap'
  readonly metricsPort?: string
}

export async function runStandalone(options: StandaloneOptions): Promise<void> {
  await mustBeDirectory('--manifests', options.manifests)
  await using configuration = await openConfiguration(options)
  const settings = (): Settings => configuration.settings
  const { log, logLinesDropped } = configuredLogger(configuration)
  await makeDirectory(options.status)

  await using driver = await openDriver(options.driver)
  await using tapManager = await TapManager.open({
    driver,
    clock: systemClock,
    node: options.node,
    settings,
    log,
  })
  const tell = (message: string) => log.error({ error: message }, 'status not readable')
  const published = await readStatusDirectory(options.status, tell)
  const identities = await StandaloneMeta.open(join(options.status, '.identities.json'), published)
  if (identities.unreadable !== undefined)
    log.error({ error: identities.unreadable }, 'identities taken from the status')
  await using manifests = await ManifestSource.open({
    directory: options.manifests,
    node: options.node,
    settings,
    identities,
    clock: systemClock,
    log,
  })
  const publisher = new StatusDirectory(options.status, published)
  const { engine, metrics } = makeEngine({
    source: manifests,
    tapManager,
    publisher,
    driver,
    log,
    logLinesDropped,
    settings,
    counterMs,
    onExpired: key => manifests.expire(key),
  })
  await using _ = await serveMetricsOf(
    metrics,
    { port: portOf(options.metricsPort, settings().metricsPort) },
    log,
  )

  log.info(
    {
      node: options.node,
      driver: driver.name,
      manifests: options.manifests,
      captureDir: settings().captureDir,
      pid: process.pid,
    },
    'selcap started',
  )
  await runEngine({ engine, tapManager, configuration, log })
  log.info({}, 'selcap stopped')
}

async function mustBeDirectory(option: string, path: string): Promise<void> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => error.code)
  if (typeof found === 'object' && found.isDirectory()) return
  throw new CommandFailure(
    'usage',
    `Cannot use ${option} "${path}": ${typeof found === 'object' ? 'it is not a directory' : found}, expected an existing directory`,
  )
}
