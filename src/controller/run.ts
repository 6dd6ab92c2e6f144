// The controller program: waits for the lease and folds reports into statuses while it holds it.
// In: options of the command line. Out: a process that runs until SIGTERM or SIGINT. Refuses to
// start where another API server already serves PacketCapture.
import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { Agents } from '../agentapi/client/agents.ts'
import { AgentTokens } from '../agentapi/client/tokens.ts'
import { Configuration } from '../config/watchSettings.ts'
import { openDriver } from '../driver/openDriver.ts'
import { connectKube } from '../kube/connect.ts'
import type { Api } from '../model/captureRef.ts'
import { CommandFailure } from '../model/errors.ts'
import { defaultSettings } from '../model/settings.ts'
import { accounts, ports } from '../model/wellKnown.ts'
import { systemClock } from '../runtime/clock.ts'
import { openLog } from '../runtime/log.ts'
import { addLogMetric } from '../runtime/metrics.ts'
import { portOf, serveMetricsOf, stopSignal } from '../runtime/process.ts'
import { Controller } from './controller.ts'
import { runAsLeader } from './leaderElection.ts'
import { controllerMetrics } from './metrics.ts'
import { preflightFailure } from './preflight.ts'
import { policyFromSettings } from './uploads/policyFromSettings.ts'
import { UploadQueue } from './uploads/queue.ts'
import { logTrustedCAs } from './uploads/trustedCAs.ts'

export type ControllerOptions = {
  readonly kubeconfig?: string
  readonly config?: string
  readonly pod?: string
  readonly claimImage?: string
  readonly apiGroup: string
  readonly apis: readonly Api[]
  readonly namespace: string
  readonly logLevel: string
  readonly settings?: string
  readonly metricsHost: string
  readonly metricsPort?: string
}

const account = accounts.controller

export async function runController(options: ControllerOptions): Promise<void> {
  const { apiGroup: group, apis, namespace } = options
  const kube = await connectKube(options.kubeconfig)
  const { log, logLinesDropped } = openLog(options.logLevel)
  const { config: file, settings: directory } = options
  await using configuration = await Configuration.open({ file, directory, overrides: {} })
  const apply = () => {
    if (options.settings !== undefined) log.level = configuration.settings.logLevel
    configuration.warnTo(log)
  }
  apply()
  const signal = stopSignal()
  const failure = await preflightFailure(kube, group, signal)
  if (failure !== undefined) throw new CommandFailure('usage', failure)
  logTrustedCAs(log)

  const pod = options.pod === undefined ? {} : { pod: options.pod }
  const tokens = new AgentTokens({ kube, clock: systemClock, namespace, account, ...pod })
  using agents = new Agents(node => tokens.for(node))
  const policy = () => policyFromSettings(configuration.settings)
  await using driver = await openDriver('ring') // only to compile filters
  await using controller = new Controller({
    kube,
    apis,
    group,
    namespace,
    clock: systemClock,
    log,
    settings: () => ({
      ...defaultSettings,
      captureJobNumLimit: configuration.settings.captureJobNumLimit,
    }),
    compile: (...args) => driver.compile(...args),
    uploads: onChange =>
      new UploadQueue({
        kube,
        agents,
        group,
        claimImage: options.claimImage,
        policy,
        nowMs: () => systemClock.now(),
        log,
        onChange,
      }),
    onTurn: seconds => metrics.observeTurn(seconds),
  })
  configuration.onChange(() => {
    apply()
    controller.requestSync()
  })
  const metrics = controllerMetrics(() => controller.state)
  addLogMetric(metrics.registry, logLinesDropped)
  const place = {
    port: portOf(options.metricsPort, ports.metrics),
    host: options.metricsHost,
    isReady: () => controller.hasSynced,
  }
  await using _ = await serveMetricsOf(metrics, place, log)
  const holder = `${hostname()}_${randomUUID()}`
  log.info({ holder, namespace, group, pid: process.pid }, 'selcap controller started')
  await runAsLeader({ kube, clock: systemClock, log, namespace, holder }, signal, term =>
    controller.run(term),
  )
  log.info({}, 'selcap controller stopped')
}
