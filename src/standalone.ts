// Wires the engine for one machine without Kubernetes: manifests in, files and a status directory out.
// Runs until SIGTERM or SIGINT, then closes the taps, completes the files and writes the last report.
import { mkdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { StandaloneOptions } from './cli/standalone.ts'
import { systemClock } from './clock.ts'
import { portOf, serveFigures, stopSignal } from './daemon.ts'
import { Engine } from './engine.ts'
import { UsageError } from './errors.ts'
import { makeLogger } from './log.ts'
import { makeMetrics } from './metrics.ts'
import type { Settings } from './model/settings.ts'
import { StatusDirectory } from './publish/statusDirectory.ts'
import { openDriver } from './taps/drivers.ts'
import { TapHolder } from './taps/holder.ts'
import { Configuration } from './world/configuration.ts'
import { Identities } from './world/identity.ts'
import { Manifests } from './world/manifests.ts'

const counterMs = 1_000 // the readers are on this machine: a second is cheap

export async function runStandalone(options: StandaloneOptions): Promise<void> {
  await mustBeDirectory('--manifests', options.manifests)
  await using configuration = new Configuration(options.config, options.captures === undefined ? {} : { captureDir: options.captures })
  const settings = (): Settings => configuration.settings
  const log = makeLogger(settings().logLevel)
  configuration.warnTo(log)
  await mkdir(options.status, { recursive: true })

  await using driver = await openDriver(options.driver)
  await using holder = await TapHolder.open({ driver, clock: systemClock, node: options.node, settings, log })
  const identities = new Identities(join(options.status, '.identities.json'))
  await using manifests = await Manifests.open({
    directory: options.manifests,
    node: options.node,
    settings,
    identities,
    clock: systemClock,
    log,
  })
  const publisher = await StatusDirectory.open(options.status)
  const metrics = makeMetrics(() => engine.figures())
  const engine = new Engine({
    source: manifests,
    holder,
    publisher,
    clock: systemClock,
    log,
    counterMs,
    compile: (filter, snapLength) => driver.compile(filter, snapLength),
    onExpired: key => manifests.expire(key),
    onTurn: metrics.observeTurn,
  })
  await using _ = await serveFigures(metrics, { port: portOf(options.metricsPort, settings().metricsPort) }, log)
  configuration.onChange(() => {
    log.level = settings().logLevel
    configuration.warnTo(log)
    engine.lookAgain()
  })

  log.info(
    { node: options.node, driver: driver.name, manifests: options.manifests, captureDir: settings().captureDir, pid: process.pid },
    'selcap started',
  )
  await engine.run(stopSignal())
  await holder.stop()
  await engine.report()
  log.info({}, 'selcap stopped')
}

async function mustBeDirectory(option: string, path: string): Promise<void> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => error.code)
  if (typeof found === 'object' && found.isDirectory()) return
  throw new UsageError(
    `Cannot use ${option} "${path}": ${typeof found === 'object' ? 'it is not a directory' : found}, expected an existing directory`,
  )
}
