// Wires the engine for one node of a cluster: captures and pods from the API server in, files and a NodeCaptureReport out.
// Runs until SIGTERM or SIGINT, then closes the taps, completes the files and writes the last report.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { agentLimits, agentServer, listen } from '../agentapi/server/server.ts'
import { makeArtifact } from '../artifacts/make.ts'
import { ArtifactRetention, type RetentionDeps } from '../artifacts/retention.ts'
import { LogFollowers } from '../artifacts/text/logFollowers.ts'
import { StdoutWriter } from '../artifacts/text/stdoutWriter.ts'
import { makeCertificateInChild } from '../auth/certificateInChild.ts'
import { Reviews } from '../auth/reviews.ts'
import type { Certificate } from '../auth/selfSignedCertificate.ts'
import type { Budgets, NodeIdentity } from '../core/status/nodeReport.ts'
import { openDriver } from '../driver/openDriver.ts'
import type { Engine } from '../engine/engine.ts'
import { ClockSkew } from '../kube/clockSkew.ts'
import { connectKube } from '../kube/connect.ts'
import type { Api } from '../model/captureRef.ts'
import type { Settings } from '../model/settings.ts'
import { accounts, accountUser } from '../model/wellKnown.ts'
import { HostLinks } from '../netdev/hostLinks.ts'
import { ReportWriter } from '../publish/reportWriter.ts'
import { systemClock } from '../runtime/clock.ts'
import { portOf, serveMetricsOf } from '../runtime/process.ts'
import { ClusterSource } from '../source/clusterSource.ts'
import { openNodeStream } from '../stream/nodeStream.ts'
import { StreamBudget } from '../stream/streamBudget.ts'
import { TapManager } from '../tap/tapManager.ts'
import { configuredLogger, makeEngine, openConfiguration, runEngine } from './startEngine.ts'

const reviewsKeptMs = 10_000 // a download asks many times; a gateway that is gone is refused that soon
const streamsMax = 8 // live streams of this node at a time
const counterMs = 5_000 // how often the engine looks at its counters; the report takes them every 10 s

export type AgentOptions = {
  readonly node: string
  readonly captures?: string
  readonly config?: string
  readonly settings?: string
  readonly kubeconfig?: string
  readonly apiGroup: string
  readonly apis: readonly Api[]
  readonly namespace: string
  readonly driver: 'ring' | 'libpcap'
  readonly metricsHost: string
  readonly metricsPort?: string
  readonly agentPort?: string
}

export async function runAgent(options: AgentOptions): Promise<void> {
  const { node, apiGroup: group, apis } = options
  const serverClock = new ClockSkew(systemClock)
  const kube = serverClock.watching(await connectKube(options.kubeconfig))
  await using configuration = openConfiguration(options)
  const settings = (): Settings => configuration.settings
  const log = configuredLogger(configuration)

  await using driver = await openDriver(options.driver)
  await using holder = await TapManager.open({ driver, clock: systemClock, node, settings, log })
  using links = await HostLinks.open(
    driver,
    apis.some(api => api !== 'PacketCapture'),
    () => engine.requestTurn(),
  )
  await using cluster = new ClusterSource({ kube, node, apis, group, hostInterfaces: () => links.names, settings, clock: systemClock, log })
  const certificate = await makeCertificateInChild(node)
  const server = agentServer({
    node,
    certificate,
    reviews: new Reviews({ kube, clock: systemClock, keptMs: reviewsKeptMs }),
    users: [accounts.gateway, accounts.controller].map(account => accountUser(options.namespace, account)),
    folderOf: (key, uid) => holder.folderOf(key, uid),
    onRemoved: () => engine.requestTurn(),
    captures: () => holder.actualState().captures.values(),
    openStream: (key, uid) => openNodeStream({ driver, turns: engine, clock: systemClock, node, log, budget: streams }, key, uid),
    limits: agentLimits,
    log,
  })
  await using _server = { [Symbol.asyncDispose]: () => server.close() }
  const port = await listen(server, portOf(options.agentPort, settings().agentPort, '--agent-port'), log)
  await using publisher = new ReportWriter({
    kube,
    clock: systemClock,
    log,
    node,
    identity: identityOf(node, port, settings(), certificate),
    budgets: () => budgetsOf(engine, settings()),
    clockOffsetMs: () => serverClock.offsetMs,
  })
  await using keeper = retentionFor(apis, { holder, settings, log, onChange: () => engine.requestTurn() })
  const folderOf = (key: string, uid: string) => holder.folderOf(key, uid)?.directory
  using output = new StdoutWriter(systemClock)
  const { print } = output
  await using printers = new LogFollowers({ clock: systemClock, log, folderOf, print })
  const { engine, metrics } = makeEngine({
    source: cluster,
    tapManager: holder,
    publisher,
    driver,
    log,
    counterMs,
    onExpired: () => {}, // the controller's to remove: other nodes may not have finished
    makeArtifact: async (job, signal) => {
      await printers.stop(job.capture.uid)
      const made = await makeArtifact(job, { node, settings, now: () => systemClock.now(), folderOf, print }, signal)
      keeper?.requestTurn()
      return made
    },
    onFollow: captures => printers.follow(captures),
  })
  const figures = portOf(options.metricsPort, settings().metricsPort)
  using streams = new StreamBudget({ turns: engine, settings, streamsMax })
  await using _ = await serveMetricsOf(
    metrics,
    { port: figures, host: options.metricsHost, isReady: () => cluster.snapshot().isSynced },
    log,
  )

  log.info({ node, driver: driver.name, captureDir: settings().captureDir, pid: process.pid }, 'selcap agent started')
  await runEngine({ engine, holder, configuration, log })
  log.info({}, 'selcap agent stopped')
}

type RetentionFor = Pick<RetentionDeps, 'settings' | 'log' | 'onChange'> & { readonly holder: TapManager }

/** Only where files of that kind are made. */
function retentionFor(apis: readonly Api[], { holder, ...parts }: RetentionFor): ArtifactRetention | undefined {
  if (!apis.includes('PacketCaptureConfig')) return undefined
  const captures = () => holder.actualState().captures.values()
  return new ArtifactRetention({
    ...parts,
    clock: systemClock,
    captures,
    setArtifactResult: (key, uid, made) => holder.setArtifactResult(key, uid, made),
  })
}

function budgetsOf(engine: Engine, { captureDiskBytesMax, captureRingBytesMax }: Settings): Budgets {
  const { diskUsedBytes, diskFreePercent, ringBytes } = engine.state
  return {
    diskBytesMax: captureDiskBytesMax,
    diskBytesUsed: diskUsedBytes,
    diskFreePercent: Math.floor(diskFreePercent),
    ringBytesMax: captureRingBytesMax,
    ringBytesUsed: ringBytes,
  }
}

function identityOf(node: string, port: number | undefined, { agentPort }: Settings, { fingerprint }: Certificate): NodeIdentity {
  const { POD_IP: address = node } = process.env
  const identity = { agentVersion: version(), startedAt: new Date().toISOString(), address, port: port ?? agentPort }
  return port === undefined ? identity : { ...identity, certificateFingerprint: fingerprint }
}

function version(): string {
  const { version: text } = JSON.parse(readFileSync(join(import.meta.dirname, '..', '..', 'package.json'), 'utf8')) as {
    readonly version: string
  }
  return text
}
