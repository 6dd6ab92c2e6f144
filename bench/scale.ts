// What agents and controller cost the API server, counted by the API server itself: the real watch,
// decide and report code of many nodes in this process, no taps, against a real etcd and
// kube-apiserver. Prints a table for each number of nodes.
//   node_modules/.bin/node bench/scale.ts [NODES…]          default 10 100 300
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as after } from 'node:timers/promises'
import { pino } from 'pino'
import { Controller } from '../src/controller/controller.ts'
import { nodeStatuses } from '../src/core/status/nodeStatus.ts'
import { openDriver } from '../src/driver/openDriver.ts'
import { evaluate } from '../src/engine/evaluate.ts'
import { connectWith } from '../src/kube/connect.ts'
import { apiErrorMessage, type Kube, readJson } from '../src/kube/request.ts'
import type { ActualState } from '../src/model/actualState.ts'
import { defaultSettings } from '../src/model/settings.ts'
import { ReportWriter } from '../src/publish/reportWriter.ts'
import { systemClock } from '../src/runtime/clock.ts'
import { ClusterSource } from '../src/source/clusterSource.ts'
import { type ApiServer, startApiServer } from '../test/support/kube/apiServer.ts'

const log = pino({ level: 'silent' })
const idleSeconds = 60
const nothing: Omit<ActualState, 'disk'> = {
  taps: new Map(),
  captures: new Map(),
  filterErrors: new Map(),
  podInterfaces: new Map(),
}
const budgets = {
  diskBytesMax: 1e10,
  diskBytesUsed: 0,
  diskFreePercent: 50,
  ringBytesMax: 134_217_728,
  ringBytesUsed: 0,
  bufferBytesMax: 67_108_864,
  bufferBytesUsed: 0,
  bufferHighWaterBytes: 0,
  bufferWaitMilliseconds: 0,
}

const served = {
  apis: ['PacketCapture'],
  group: 'projectcalico.org',
  namespace: 'selcap-system',
} as const

/** The agent of a node, without its taps. */
class LightAgent implements AsyncDisposable {
  readonly #cluster: ClusterSource
  readonly #writer: ReportWriter
  readonly #node: string

  constructor(kube: Kube, node: string) {
    this.#node = node
    this.#cluster = new ClusterSource({
      kube,
      node,
      ...served,
      settings: () => defaultSettings,
      hostInterfaces: () => [],
      clock: systemClock,
      log,
    })
    const identity = {
      agentVersion: 'bench',
      startedAt: new Date().toISOString(),
      address: node,
      port: 9_876,
    }
    this.#writer = new ReportWriter({
      kube,
      clock: systemClock,
      log,
      node,
      identity: () => identity,
      budgets: () => budgets,
      clockOffsetMs: () => 0,
    })
    this.#cluster.onChange(() => void this.#turn())
  }

  async #turn(): Promise<void> {
    const world = this.#cluster.snapshot()
    if (!world.isSynced) return
    const actual = { ...nothing, disk: { usedBytes: 0, freePercent: 50 } }
    const { captures } = evaluate(world, actual, Date.now())
    const place = { node: this.#node, directory: defaultSettings.captureDir }
    await this.#writer.publish({
      world,
      elements: nodeStatuses(captures, actual, place),
      nowMs: Date.now(),
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#cluster[Symbol.asyncDispose](), this.#writer[Symbol.asyncDispose]()])
  }
}

type Counts = { readonly [name: string]: number }

/** The API server's own counters, summed over what we use, by what they count. */
async function counters(api: ApiServer): Promise<Counts> {
  const text = await api.kubectl('get', '--raw=/metrics')
  const sum = (name: string, ...labels: readonly RegExp[]): number =>
    text
      .split('\n')
      .filter(line => line.startsWith(`${name}{`) && labels.every(label => label.test(line)))
      .reduce((total, line) => total + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
  const ours =
    /resource="(packetcaptures|nodecapturereports|pods|namespaces|serviceaccounts|nodes|felixconfigurations)"/
  return {
    requests: sum('apiserver_request_total', ours),
    reportWrites: sum(
      'apiserver_request_total',
      /resource="nodecapturereports"/,
      /verb="(APPLY|PATCH|PUT|POST)"/,
    ),
    reportBytes: sum('apiserver_request_body_size_bytes_sum', /resource="nodecapturereports"/),
    statusWrites: sum(
      'apiserver_request_total',
      /resource="packetcaptures"/,
      /verb="(APPLY|PATCH|PUT)"/,
    ),
    captureEvents: sum('apiserver_watch_events_total', /resource="packetcaptures"/),
    captureEventBytes: sum('apiserver_watch_events_sizes_sum', /resource="packetcaptures"/),
    reportEvents: sum('apiserver_watch_events_total', /resource="nodecapturereports"/),
    reportEventBytes: sum('apiserver_watch_events_sizes_sum', /resource="nodecapturereports"/),
  }
}

const less = (a: Counts, b: Counts): Counts =>
  Object.fromEntries(Object.keys(a).map(name => [name, (a[name] ?? 0) - (b[name] ?? 0)]))

async function make(kube: Kube, path: string, body: object, method = 'POST'): Promise<void> {
  const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json'
  const response = await kube({
    path,
    method,
    headers: { 'content-type': type },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(60_000),
  })
  const said = await apiErrorMessage(response)
  if ((response.statusCode ?? 500) >= 300) throw new Error(`Cannot make ${path}: ${said}`)
}

async function statusOf(kube: Kube): Promise<{ nodes?: number; state?: string }> {
  const path = '/apis/projectcalico.org/v3/namespaces/shop/packetcaptures/all'
  const { status = {} } = (await readJson(
    await kube({ path, signal: AbortSignal.timeout(60_000) }),
  )) as {
    status?: { nodes?: number; state?: string }
  }
  return status
}

async function settled(read: () => Promise<boolean>): Promise<void> {
  for (const endMs = Date.now() + 300_000; !(await read()); await after(250))
    if (Date.now() > endMs) throw new Error('Cannot go on: not settled within 300 s')
}

async function measure(nodes: number) {
  await using api = await startApiServer()
  await api.kubectl('apply', '--server-side', '-k', 'crds')
  await api.kubectl('wait', '--for=condition=Established', 'crd', '--all', '--timeout=30s')
  await api.kubectl('create', 'namespace', 'shop')
  const tokenFile = join(api.directory, 'bench.token')
  writeFileSync(tokenFile, api.token)
  const kube = connectWith({ server: api.url, tokenFile, caFile: api.caFile })
  const names = Array.from({ length: nodes }, (_, index) => `node-${index}`)
  for (const name of names) {
    await make(kube, '/api/v1/nodes', { metadata: { name } })
    await make(kube, '/api/v1/namespaces/shop/pods', {
      metadata: { name: `web-${name}`, labels: { app: 'web' } },
      spec: { nodeName: name, containers: [{ name: 'main', image: 'web' }] },
    })
    const address = `10.${names.indexOf(name) >> 8}.${names.indexOf(name) & 255}.2`
    await make(
      kube,
      `/api/v1/namespaces/shop/pods/web-${name}/status`,
      { status: { phase: 'Running', podIP: address, podIPs: [{ ip: address }] } },
      'PATCH',
    )
  }

  await using driver = await openDriver('ring')
  await using controller = new Controller({
    kube,
    ...served,
    namespace: 'selcap-system',
    clock: systemClock,
    log,
    compile: (filter, length) => driver.compile(filter, length),
  })
  const stop = new AbortController()
  const working = controller.run({
    signal: stop.signal,
    heldUntilMs: () => Number.POSITIVE_INFINITY,
  })
  const agents = names.map(name => new LightAgent(kube, name))
  const reports = async () =>
    (
      (await readJson(
        await kube({
          path: '/apis/selcap.dev/v1alpha1/nodecapturereports',
          signal: AbortSignal.timeout(60_000),
        }),
      )) as {
        items: unknown[]
      }
    ).items?.length ?? 0
  await settled(async () => (await reports()) === nodes)
  await after(5_000)

  const start = await counters(api)
  await after(idleSeconds * 1_000)
  const idle = less(await counters(api), start)

  const before = await counters(api)
  const beganMs = Date.now()
  await make(kube, '/apis/projectcalico.org/v3/namespaces/shop/packetcaptures', {
    apiVersion: 'projectcalico.org/v3',
    kind: 'PacketCapture',
    metadata: { name: 'all' },
    spec: { selector: 'all()' },
  })
  await settled(async () => (await statusOf(kube)).nodes === nodes)
  const shownMs = Date.now() - beganMs
  await after(3_000)
  const apply = less(await counters(api), before)

  stop.abort()
  await Promise.all([working, ...agents.map(agent => agent[Symbol.asyncDispose]())])
  print(nodes, idle, apply, shownMs)
  return { idle, apply, shownMs }
}

function print(nodes: number, idle: Counts, apply: Counts, shownMs: number): void {
  const per = (value = 0, by = 1) => (by === 0 ? 0 : value / by).toFixed(by === 1 ? 0 : 2)
  const rows = [
    ['idle: report writes of a node per 10 s', per(idle.reportWrites, (nodes * idleSeconds) / 10)],
    ['idle: all requests of a node per 10 s', per(idle.requests, (nodes * idleSeconds) / 10)],
    ['idle: bytes written by a node per 10 s', per(idle.reportBytes, (nodes * idleSeconds) / 10)],
    ['a capture that matches everywhere: report writes', per(apply.reportWrites)],
    ['… bytes of a report', per(apply.reportBytes, apply.reportWrites)],
    ['… status writes of the controller', per(apply.statusWrites)],
    ['… watch events on captures, all agents and the controller', per(apply.captureEvents)],
    [
      '… bytes of an event on captures, on average',
      per(apply.captureEventBytes, apply.captureEvents),
    ],
    ['… bytes to an agent, all together', per((apply.captureEventBytes ?? 0) / nodes)],
    ['… until its status shows every node, ms', per(shownMs)],
  ]
  process.stdout.write(
    `\n${nodes} nodes\n${rows.map(([what, value]) => `  ${what}: ${value}`).join('\n')}\n`,
  )
}

const asked = process.argv.slice(2).map(Number)
const results: Record<string, unknown> = {}
for (const nodes of asked.length > 0 ? asked : [10, 100, 300])
  results[`${nodes} nodes`] = await measure(nodes)
process.stdout.write(`${JSON.stringify({ bench: 'scale', results })}\n`)
