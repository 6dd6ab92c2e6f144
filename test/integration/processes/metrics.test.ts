// The figures as Prometheus gets them: real scrapes over HTTP, of given facts and of an engine with
// real traffic.
import { once } from 'node:events'
import { statSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { type EngineState, engineMetrics } from '../../../src/engine/metrics.ts'
import type { ActualCapture, ActualEndpoint } from '../../../src/model/actualState.ts'
import { defaultSettings } from '../../../src/model/settings.ts'
import { serveMetrics } from '../../../src/runtime/metrics.ts'
import { samplesIn } from '../../support/metricSamples.ts'
import { uniqueName } from '../../support/net/namespace.ts'
import { podWithPort } from '../../support/net/podWithPort.ts'
import { networkTest } from '../../support/net/privilege.ts'
import { capture, endpoint, Standalone } from '../../support/processes/standalone.ts'

const nothing: EngineState = {
  captures: new Map(),
  states: new Map(),
  openTaps: 0,
  ringBytes: 0,
  buffer: { bytes: 100, highWaterBytes: 200, oldestMs: 2_500 },
  diskUsedBytes: 0,
  diskFreePercent: 100,
}

function row(name: string, counts: Partial<ActualEndpoint>): [string, ActualEndpoint] {
  const none = { packets: 0, bytes: 0, received: 0, dropped: 0, refused: 0, truncated: 0 }
  return [
    name,
    {
      name,
      uid: name,
      interfaceName: `cali${name}`,
      vantage: 'HostVeth',
      gaps: [],
      ...none,
      ...counts,
    },
  ]
}

function facts(key: string, ...rows: readonly [string, ActualEndpoint][]): [string, ActualCapture] {
  return [key, { key, uid: key, fileNames: [], fileBytes: 0, endpoints: new Map(rows) }]
}

type Scrape = {
  readonly status: number
  readonly type: string | null
  readonly text: string
  readonly values: ReadonlyMap<string, number>
}

async function scrape(port: number, path = '/metrics'): Promise<Scrape> {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`)
  const text = await answer.text()
  return {
    status: answer.status,
    type: answer.headers.get('content-type'),
    text,
    values: samplesIn(text),
  }
}

/** Serves what `state` returns, until the test ends. */
async function serving(t: ExecutionContext, state: () => EngineState) {
  const metrics = engineMetrics(state, () => defaultSettings)
  const server = await serveMetrics(metrics.registry, { port: 0 })
  t.teardown(() => server.close())
  const address = server.address() as AddressInfo
  return { ...metrics, address, port: address.port }
}

test('GET /metrics tells every figure of the node, when asked', async t => {
  const captures = new Map([
    facts(
      'shop/web',
      row('a', { packets: 7, bytes: 700, dropped: 1, refused: 2 }),
      row('b', { packets: 3, bytes: 90, refused: 4 }),
    ),
    facts('bank/web'),
  ])
  const states = new Map([
    ['shop/web', 'Capturing'],
    ['bank/web', 'Error'],
    ['bank/other', 'Error'],
  ])
  const now = {
    captures,
    states,
    openTaps: 2,
    ringBytes: 4_194_304,
    buffer: { bytes: 100, highWaterBytes: 200, oldestMs: 2_500 },
    diskUsedBytes: 790,
    diskFreePercent: 41.5,
  }
  const { port } = await serving(t, () => now)
  const { status, type, values } = await scrape(port)
  t.is(status, 200)
  t.regex(type ?? '', /^text\/plain; version=0\.0\.4/)
  t.like(Object.fromEntries(values), {
    'selcap_packets_total{namespace="shop",capture="web"}': 10,
    'selcap_packets_total{namespace="bank",capture="web"}': 0,
    'selcap_bytes_total{namespace="shop",capture="web"}': 790,
    'selcap_packets_dropped_total{namespace="shop",capture="web"}': 1,
    'selcap_packets_refused_total{namespace="shop",capture="web"}': 6,
    selcap_taps_open: 2,
    selcap_ring_bytes: 4_194_304,
    selcap_disk_used_bytes: 790,
    selcap_disk_free_percent: 41.5,
    'selcap_captures{state="Scheduled"}': 0,
    'selcap_captures{state="WaitingForTraffic"}': 0,
    'selcap_captures{state="Capturing"}': 1,
    'selcap_captures{state="Finished"}': 0,
    'selcap_captures{state="Error"}': 2,
    selcap_turn_seconds_count: 0,
  })
})

test('GET /metrics says of each metric what it is and of which type', async t => {
  const { port } = await serving(t, () => nothing)
  const { text } = await scrape(port)
  const types = Object.fromEntries(
    Array.from(text.matchAll(/^# TYPE (\S+) (\S+)$/gm), ([, name, type]) => [name, type]),
  )
  for (const [name, type] of Object.entries(types)) t.is(type, name === 'selcap_turn_seconds' ? 'histogram' : name?.endsWith('_total') ? 'counter' : 'gauge') // biome-ignore format: one line
  t.is(Object.keys(types).length, 18)
  t.deepEqual(Array.from(text.matchAll(/^# HELP (\S+) .+$/gm), ([, name]) => name), Object.keys(types)) // biome-ignore format: one line
})

test('GET /metrics follows the figures, and a capture that is gone leaves no series', async t => {
  let now = { ...nothing, captures: new Map([facts('shop/web', row('a', { packets: 5 }))]) }
  const { port } = await serving(t, () => now)
  const series = 'selcap_packets_total{namespace="shop",capture="web"}'
  t.is((await scrape(port)).values.get(series), 5)
  t.is((await scrape(port)).values.get(series), 5) // a scrape adds nothing
  now = {
    ...nothing,
    captures: new Map([
      facts('shop/web', row('a', { packets: 9 })),
      facts('shop/api', row('a', { packets: 1 })),
    ]),
  }
  t.is((await scrape(port)).values.get(series), 9)
  now = { ...nothing, captures: new Map([facts('shop/api', row('a', { packets: 1 }))]) }
  const { values } = await scrape(port)
  t.false(values.has(series))
  t.is(values.get('selcap_packets_total{namespace="shop",capture="api"}'), 1)
})

test('GET /metrics sorts turns into buckets by their time', async t => {
  const { port, observeTurn } = await serving(t, () => nothing)
  for (const seconds of [0.0005, 0.004, 0.004, 1, 3]) observeTurn(seconds)
  const { values } = await scrape(port)
  const bucket = (most: string) => values.get(`selcap_turn_seconds_bucket{le="${most}"}`)
  t.deepEqual(
    ['0.001', '0.005', '0.02', '0.1', '0.5', '2', '+Inf'].map(bucket),
    [1, 3, 3, 3, 3, 4, 5],
  )
  t.is(values.get('selcap_turn_seconds_count'), 5)
})

test('serveMetrics() answers 500 when the figures cannot be had, and lives on', async t => {
  let isBroken = true
  const { port } = await serving(t, () => {
    if (isBroken) throw new Error('EIO: i/o error, statfs')
    return nothing
  })
  const broken = await scrape(port)
  t.is(broken.status, 500)
  t.is(broken.text, 'Cannot tell figures: EIO: i/o error, statfs\n')
  t.is((await scrape(port, '/healthz')).status, 200)
  isBroken = false
  t.is((await scrape(port)).status, 200)
})

const answers = [
  ['/healthz', 200, /^ok\n$/],
  ['/metrics?name[]=selcap_taps_open', 200, /^# HELP /],
  ['/', 404, /expected \/metrics, \/healthz or \/readyz/],
  ['/metrics/', 404, /expected \/metrics, \/healthz or \/readyz/],
] as const
for (const [path, status, text] of answers) {
  test(`serveMetrics() answers GET ${path} with ${status}`, async t => {
    const { port } = await serving(t, () => nothing)
    const answer = await scrape(port, path)
    t.is(answer.status, status)
    t.regex(answer.text, text)
  })
}

test('serveMetrics() listens on loopback only, and refuses a port that is taken', async t => {
  const { address, registry } = await serving(t, () => nothing)
  t.is(address.address, '127.0.0.1')
  const taken = createServer().listen(0, '127.0.0.1')
  t.teardown(() => taken.close())
  await once(taken, 'listening')
  await t.throwsAsync(serveMetrics(registry, { port: (taken.address() as AddressInfo).port }), {
    code: 'EADDRINUSE',
  })
})

networkTest('selcap standalone serves what its status and its files say', async t => {
  const { pod, sender, port } = await podWithPort(t)
  const app = new Standalone(t)
  app.write('missing.yaml', { ...endpoint(uniqueName(), { app: 'none' }), metadata: { name: 'none-0', namespace: 'shop', labels: { app: 'none' } } }) // biome-ignore format: one line
  app.write(
    'bad.yaml',
    capture({ selector: '(' }, 'bad'),
    capture({ selector: 'app == "none"' }, 'none'),
  ) // neither has an open tap
  const [web, few] = [
    { selector: 'app == "web"' },
    { selector: 'app == "web"', limits: { packets: 4 } },
  ]
  app.write('all.yaml', endpoint(pod.hostName), capture(web), capture(few, 'few'))
  await app.start()
  await app.reaches('WaitingForTraffic')
  await app.reaches('WaitingForTraffic', 'few')
  await sender.udp({ to: pod.hostAddress, port, count: 12 })
  await app.counts(12)
  await app.reaches('Finished', 'few')
  await app.reaches('Error', 'none')
  const served = app.log
    .map(line => JSON.parse(line))
    .find(({ msg }) => msg === 'metrics served') as { address: AddressInfo }
  const { values } = await scrape(served.address.port)
  t.like(Object.fromEntries(values), {
    'selcap_packets_total{namespace="shop",capture="web"}': app.records(),
    'selcap_bytes_total{namespace="shop",capture="web"}': app.status()?.status?.bytes ?? -1,
    'selcap_packets_dropped_total{namespace="shop",capture="web"}': 0,
    'selcap_packets_refused_total{namespace="shop",capture="web"}': 0,
    'selcap_packets_total{namespace="shop",capture="few"}': 4,
    selcap_taps_open: 1,
    selcap_disk_used_bytes: fileBytes(app),
    'selcap_captures{state="Capturing"}': 1,
    'selcap_captures{state="Finished"}': 1,
    'selcap_captures{state="Error"}': 2,
  })
  t.is(app.records(), 12)
  t.true((values.get('selcap_ring_bytes') ?? 0) > 0)
  t.true((values.get('selcap_turn_seconds_count') ?? 0) > 0)
  app.write(
    'all.yaml',
    endpoint(pod.hostName),
    capture({ ...web, endTime: '2020-01-01T00:00:00Z' }),
    capture(few, 'few'),
  )
  await app.reaches('Finished')
  const after = await scrape(served.address.port)
  t.is(after.values.get('selcap_taps_open'), 0)
  t.is(after.values.get('selcap_ring_bytes'), 0)
  t.is(after.values.get('selcap_packets_total{namespace="shop",capture="web"}'), 12)
})

function fileBytes(app: Standalone): number {
  const names = ['web', 'few'].flatMap(name =>
    app.files(name).map(file => join(app.root, 'captures', 'shop', name, file)),
  )
  return names.reduce((bytes, file) => bytes + statSync(file).size, 0)
}
