// `selcap agent`: the engine of one node of a cluster. In: options; captures and pods from the API
// server. Out: capture files and a NodeCaptureReport. Runs until SIGTERM or SIGINT, then closes the
// taps, completes the files and writes the last report.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  type AgentServerDeps,
  agentLimits,
  agentServer,
  listen,
  listenLater,
} from '../agentapi/server/server.ts'
import { makeArtifact } from '../artifacts/make.ts'
import { ArtifactRetention } from '../artifacts/retention.ts'
import { LogFollowers } from '../artifacts/text/logFollowers.ts'
import { StdoutWriter } from '../artifacts/text/stdoutWriter.ts'
import { makeCertificateInChild } from '../auth/certificateInChild.ts'
import { Reviews } from '../auth/reviews.ts'
import type { Certificate } from '../auth/selfSignedCertificate.ts'
import { isDeletedCaptureNeeded } from '../core/plan/deletedCapture.ts'
import type { Budgets, NodeIdentity } from '../core/status/nodeReport.ts'
import type { Driver } from '../driver/driver.ts'
import { openDriver } from '../driver/openDriver.ts'
import type { Engine } from '../engine/engine.ts'
import { ClockSkew } from '../kube/clockSkew.ts'
import { connectKube } from '../kube/connect.ts'
import type { Kube } from '../kube/request.ts'
import { type Api, captureKey } from '../model/captureRef.ts'
import type { Settings } from '../model/settings.ts'
import { accounts, accountUser } from '../model/wellKnown.ts'
import { HostLinks } from '../netdev/hostLinks.ts'
import { ReportWriter } from '../publish/reportWriter.ts'
import { systemClock } from '../runtime/clock.ts'
import type { Logger, ProcessLog } from '../runtime/log.ts'
import type { Metrics } from '../runtime/metrics.ts'
import { portOf, serveMetricsOf } from '../runtime/process.ts'
import { ClusterSource } from '../source/clusterSource.ts'
import { openNodeStream } from '../stream/nodeStream.ts'
import { StreamBudget } from '../stream/streamBudget.ts'
import { TapManager } from '../tap/tapManager.ts'
import { configuredLogger, makeEngine, openConfiguration, runEngine } from './startEngine.ts'

const reviewsKeptMs = 10_000 // a download sends many requests; a removed gateway is refused after this time
const streamsMax = 8 // live streams of this node at a time
const counterMs = 5_000 // between two readings of the counters; the report takes them every 10 s

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

/** What all parts of the agent are made of. `resources` closes them in reverse order. */
type AgentContext = {
  readonly options: AgentOptions
  readonly settings: () => Settings
  readonly log: Logger
  readonly logLinesDropped: ProcessLog['logLinesDropped']
  readonly kube: Kube
  readonly clockSkew: ClockSkew
  readonly driver: Driver
  readonly tapManager: TapManager
  readonly resources: AsyncDisposableStack
  readonly requestTurn: () => void
}

export async function runAgent(options: AgentOptions): Promise<void> {
  const clockSkew = new ClockSkew(systemClock)
  const kube = clockSkew.watching(await connectKube(options.kubeconfig))
  await using configuration = await openConfiguration(options)
  const settings = (): Settings => configuration.settings
  const { log, logLinesDropped } = configuredLogger(configuration)
  await using resources = new AsyncDisposableStack()
  const driver = resources.use(await openDriver(options.driver))
  const tapManager = resources.use(
    await TapManager.open({ driver, clock: systemClock, node: options.node, settings, log }),
  )
  let running: Engine | undefined // none until all that it needs is open; its first turn needs no request
  const requestTurn = () => running?.requestTurn()
  const context: AgentContext = {
    options,
    settings,
    log,
    logLinesDropped,
    kube,
    clockSkew,
    driver,
    tapManager,
    resources,
    requestTurn,
  }

  const source = await openCluster(context)
  const identity = await serveFiles(context, (key, uid) =>
    openNodeStream(
      { driver, turns: engine, clock: systemClock, node: options.node, log, budget: streams },
      key,
      uid,
    ),
  )
  const { engine, metrics } = openEngine(context, source, identity)
  running = engine
  const streams = resources.use(new StreamBudget({ turns: engine, settings, streamsMax }))
  await serveMetrics(context, metrics, () => source.snapshot().isSynced)

  log.info(
    {
      node: options.node,
      driver: driver.name,
      captureDir: settings().captureDir,
      pid: process.pid,
    },
    'selcap agent started',
  )
  await runEngine({ engine, tapManager, configuration, log })
  log.info({}, 'selcap agent stopped')
}

/** Captures, pods and labels from the API server, and the node's own interfaces. */
async function openCluster({
  options,
  settings,
  log,
  kube,
  driver,
  tapManager,
  resources,
  requestTurn,
}: AgentContext): Promise<ClusterSource> {
  const { node, apis, apiGroup: group } = options
  const hasHostCaptures = apis.some(api => api !== 'PacketCapture')
  const links = resources.use(await HostLinks.open(driver, hasHostCaptures, requestTurn))
  const hostInterfaces = () => links.names
  return resources.use(
    new ClusterSource({
      kube,
      node,
      apis,
      group,
      hostInterfaces,
      isDeletedNeeded: capture => {
        const key = captureKey({ api: capture.kind, ...capture.metadata })
        return isDeletedCaptureNeeded(capture, tapManager.actualState().captures.get(key))
      },
      settings,
      clock: systemClock,
      log,
    }),
  )
}

/** The HTTPS server for the gateway and the controller. Returns where they find it. */
async function serveFiles(
  context: AgentContext,
  openStream: AgentServerDeps['openStream'],
): Promise<() => NodeIdentity> {
  const { options, settings, log, kube, tapManager, resources, requestTurn } = context
  const certificate = await makeCertificateInChild(options.node)
  const server = agentServer({
    node: options.node,
    certificate,
    reviews: new Reviews({ kube, clock: systemClock, keptMs: reviewsKeptMs }),
    users: [accounts.gateway, accounts.controller].map(account =>
      accountUser(options.namespace, account),
    ),
    folderOf: (key, uid) => tapManager.folderOf(key, uid),
    onRemoved: requestTurn,
    captures: () => tapManager.actualState().captures.values(),
    openStream,
    limits: agentLimits,
    log,
  })
  resources.defer(() => server.close())
  const wanted = portOf(options.agentPort, settings().agentPort, '--agent-port')
  const identity = (port: number | undefined) =>
    identityOf({ node: options.node, wanted, port, agentVersion, startedAt, certificate })
  const agentVersion = await ownVersion()
  const startedAt = new Date().toISOString()
  let current = identity(await listen(server, wanted, log))
  if (current.certificateFingerprint === undefined) {
    const stop = new AbortController()
    const later = listenLater(server, wanted, { clock: systemClock, log, signal: stop.signal })
    const published = later.then(port => {
      if (port === undefined) return
      current = identity(port)
      requestTurn()
    })
    resources.defer(() => {
      stop.abort()
      return published
    })
  }
  return () => current
}

/** The engine, what publishes its reports, and what makes artifacts of finished captures. */
function openEngine(
  context: AgentContext,
  source: ClusterSource,
  identity: () => NodeIdentity,
): ReturnType<typeof makeEngine> {
  const { options, settings, log, kube, clockSkew, driver, tapManager, resources } = context
  const { node } = options
  const budgets = () => budgetsOf(made.engine, settings())
  const clockOffsetMs = () => clockSkew.offsetMs
  const publisher = resources.use(
    new ReportWriter({ kube, clock: systemClock, log, node, identity, budgets, clockOffsetMs }),
  )
  const retention = openRetention(context)
  const folderOf = (key: string, uid: string) => tapManager.folderOf(key, uid)?.directory
  const { print } = resources.use(new StdoutWriter(systemClock))
  const followers = resources.use(new LogFollowers({ clock: systemClock, log, folderOf, print }))
  const made = makeEngine({
    source,
    tapManager,
    publisher,
    driver,
    log,
    logLinesDropped: context.logLinesDropped,
    settings,
    counterMs,
    onExpired: () => {}, // the controller removes the resource: other nodes may not have finished
    makeArtifact: async (job, signal) => {
      await followers.stop(job.capture.uid)
      const artifact = await makeArtifact(
        job,
        { node, settings, now: () => systemClock.now(), folderOf, print },
        signal,
      )
      retention?.requestTurn()
      return artifact
    },
    onFollow: captures => followers.follow(captures),
  })
  return made
}

async function serveMetrics(
  { options, settings, log, resources }: AgentContext,
  metrics: Metrics,
  isReady: () => boolean,
): Promise<void> {
  const port = portOf(options.metricsPort, settings().metricsPort)
  resources.use(await serveMetricsOf(metrics, { port, host: options.metricsHost, isReady }, log))
}

/** undefined: this agent makes no single files, because it serves no PacketCaptureConfig. */
function openRetention({
  options,
  settings,
  log,
  tapManager,
  resources,
  requestTurn,
}: AgentContext): ArtifactRetention | undefined {
  if (!options.apis.includes('PacketCaptureConfig')) return undefined
  return resources.use(
    new ArtifactRetention({
      settings,
      log,
      clock: systemClock,
      captures: () => tapManager.actualState().captures.values(),
      setArtifactResult: (key, uid, result) => tapManager.setArtifactResult(key, uid, result),
      onChange: requestTurn,
    }),
  )
}

function budgetsOf(
  engine: Engine,
  { captureDiskBytesMax, captureRingBytesMax, captureBufferBytesMax }: Settings,
): Budgets {
  const { diskUsedBytes, diskFreePercent, ringBytes, buffer } = engine.state
  return {
    diskBytesMax: captureDiskBytesMax,
    diskBytesUsed: diskUsedBytes,
    diskFreePercent: Math.floor(diskFreePercent),
    ringBytesMax: captureRingBytesMax,
    ringBytesUsed: ringBytes,
    bufferBytesMax: captureBufferBytesMax,
    bufferBytesUsed: buffer.bytes,
    bufferHighWaterBytes: buffer.highWaterBytes,
    bufferWaitMilliseconds: Math.round(buffer.oldestMs),
  }
}

type Served = {
  readonly node: string
  readonly wanted: number // the port to listen on
  readonly port: number | undefined // none: it cannot be listened on
  readonly agentVersion: string
  readonly startedAt: string
  readonly certificate: Certificate
}

/** Without a fingerprint nobody asks this agent for files. */
function identityOf(served: Served): NodeIdentity {
  const { node, wanted, port, agentVersion, startedAt, certificate } = served
  const { POD_IP: address = node } = process.env
  const identity = { agentVersion, startedAt, address, port: port ?? wanted }
  const { fingerprint } = certificate
  return port === undefined ? identity : { ...identity, certificateFingerprint: fingerprint }
}

async function ownVersion(): Promise<string> {
  const file = join(import.meta.dirname, '..', '..', 'package.json')
  const { version } = JSON.parse(await readFile(file, 'utf8')) as { readonly version: string }
  return version
}
