// A node's report against a real API server behind a proxy that fails: when it is written, what stands there afterwards, and
// that a turn never waits for it.
import { join } from 'node:path'
import { setTimeout as after } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { pino } from 'pino'
import { systemClock } from '../../src/clock.ts'
import { defaultSettings } from '../../src/model/settings.ts'
import type { Report } from '../../src/publish/nodeReport.ts'
import type { NodeReport } from '../../src/publish/publisher.ts'
import { ReportWriter, reportPath } from '../../src/publish/reportWriter.ts'
import type { CaptureStatusElement } from '../../src/status/types.ts'
import { root } from '../repo/tree.ts'
import { until, useApiServer } from '../world/listWatchParts.ts'
import { type ApiProxy, startProxy } from '../world/proxy.ts'

const api = useApiServer(async server => {
  await server.kubectl('apply', '--server-side', '-f', join(root, 'crds', 'nodecapturereport.yaml'))
  await server.kubectl('wait', '--for=condition=Established', 'crd', '--all', '--timeout=30s')
})

const identity = { agentVersion: '0.1.0', startedAt: '2026-02-03T04:00:00Z', address: '192.0.2.1', port: 9_876 }
const budgets = { diskBytesMax: 1, diskBytesUsed: 0, diskFreePercent: 50, ringBytesMax: 1, ringBytesUsed: 0 }

type Scene = { readonly proxy: ApiProxy; readonly writer: ReportWriter; readonly writes: () => number }

async function start(t: ExecutionContext, node: string): Promise<Scene> {
  const proxy = await startProxy(t, api())
  const log = pino({ level: 'silent' })
  const writer = new ReportWriter({
    kube: proxy.kube(),
    clock: systemClock,
    log,
    node,
    identity,
    budgets: () => budgets,
    random: () => 0,
  })
  t.teardown(() => writer[Symbol.asyncDispose]())
  return { proxy, writer, writes: () => proxy.count(/nodecapturereports/) }
}

function report(node: string, state: CaptureStatusElement['state'], complete = true): NodeReport {
  const metadata = { name: 'web', namespace: 'shop', uid: 'u', generation: 1, creationTimestamp: '2026-02-03T04:00:00Z' }
  const capture = { apiVersion: 'projectcalico.org/v3', kind: 'PacketCapture' as const, metadata, spec: {} }
  const counts = { packets: 1, bytes: 100, dropped: 0 }
  const endpoint = { pod: 'web-0', uid: 'u', interface: 'cali1', vantage: 'HostVeth' as const, state, ...counts, gaps: [] }
  const found = { isListed: true, isRejected: false, isHostNetworked: false, problems: [] }
  const element = { node, directory: '/c', fileNames: ['web-0_cali1.pcap'], state, ...counts, endpoints: [endpoint], ...found }
  const labels = { namespaceLabels: new Map(), serviceAccountLabels: new Map() }
  const world = { node, settings: defaultSettings, captures: [capture], endpoints: [], pods: [], ...labels, hostVeth: 'TwoSided' as const }
  return { world: { ...world, complete }, elements: new Map([['shop/web', element]]), nowMs: 0 }
}

async function stateOf(node: string): Promise<string | undefined> {
  const { code, out } = await api().ask(['get', '--raw', `${reportPath}/${node}`])
  if (code !== 0) return undefined
  return (JSON.parse(out) as { readonly report: Report }).report.captures?.[0]?.file.state
}

test('publish() writes nothing before the world was complete once: what an earlier agent wrote stays', async t => {
  const { proxy, writer } = await start(t, 'fresh')
  await writer.publish(report('fresh', 'Capturing', false))
  await after(600) // longer than changes are gathered for
  t.is(proxy.asked.length, 0)
  await writer.publish(report('fresh', 'Capturing'))
  await until('the report', async () => (await stateOf('fresh')) === 'Capturing')
  await writer.publish(report('fresh', 'Finished', false))
  await until('the next', async () => (await stateOf('fresh')) === 'Finished')
})

test('publish() resolves while the server is silent, and the newest report is what is written when it is back', async t => {
  const { proxy, writer, writes } = await start(t, 'silent')
  proxy.next = () => ({ lateMs: 60_000 })
  await writer.publish(report('silent', 'Scheduled'))
  await until('a request', () => writes() === 1)
  for (const state of ['WaitingForTraffic', 'Capturing', 'Finished'] as const) await writer.publish(report('silent', state))
  proxy.next = () => undefined
  proxy.cut('reset')
  await until('the newest', async () => (await stateOf('silent')) === 'Finished')
  t.is(writes(), 2)
})

for (const status of [401, 403, 409, 429, 500, 503]) {
  test(`a report is written again after the server answered ${status}`, async t => {
    const node = `status-${status}`
    const { proxy, writer, writes } = await start(t, node)
    proxy.next = () => ({ status })
    await writer.publish(report(node, 'Capturing'))
    await until('two refusals', () => writes() >= 2)
    proxy.next = () => undefined
    await until('a third try', () => writes() >= 3)
    await until('the report', async () => (await stateOf(node)) !== undefined)
    t.is(await stateOf(node), 'Capturing')
  })
}

test('a report that says what stands there already is not written again, one that is disposed of writes its last', async t => {
  const { writer, writes } = await start(t, 'last')
  await writer.publish(report('last', 'Capturing'))
  await until('the report', async () => (await stateOf('last')) === 'Capturing')
  for (let index = 0; index < 10; index++) await writer.publish(report('last', 'Capturing'))
  await after(600)
  t.is(writes(), 1)
  await writer.publish(report('last', 'Finished'))
  await writer[Symbol.asyncDispose]()
  t.is(await stateOf('last'), 'Finished')
  t.is(writes(), 2)
})

test('it ends although the server is silent', async t => {
  const { proxy, writer, writes } = await start(t, 'stuck')
  proxy.next = () => ({ lateMs: 60_000 })
  await writer.publish(report('stuck', 'Capturing'))
  await until('a request', () => writes() === 1)
  await writer[Symbol.asyncDispose]()
  t.is(writes(), 2, 'one more try')
})
