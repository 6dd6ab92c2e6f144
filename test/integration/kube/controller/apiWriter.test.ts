// What the controller changes in a cluster, against a real API server: only what it looked at, and
// only while it holds the lease.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { reconcilePacketCapture } from '../../../../src/api/packetcapture/reconcile.ts'
import {
  type ApiWriterDeps,
  removeCapture,
  removeReport,
  writeEvent,
  writeStatus,
} from '../../../../src/controller/apiWriter.ts'
import { eventOn, eventRequest } from '../../../../src/kube/event.ts'
import type { CaptureEvent } from '../../../../src/model/event.ts'
import type { CaptureDocument, PacketCapture } from '../../../../src/model/world.ts'
import { makeLogger } from '../../../../src/runtime/log.ts'
import { packetCapture } from '../../../support/kube/simulated.ts'
import { useServer } from '../../../support/kube/useServer.ts'
import { endpoint, noonMs, read, row, statusOf } from '../../../support/model/observations.ts'

type Stored = PacketCapture & {
  readonly metadata: { readonly resourceVersion: string }
  readonly status?: object
}
const server = useServer()
const api = () => server().api

function parts(
  heldUntilMs = Number.POSITIVE_INFINITY,
  signal = new AbortController().signal,
): ApiWriterDeps {
  const term = { signal, heldUntilMs: () => heldUntilMs }
  return {
    kube: server().kube,
    group: 'projectcalico.org',
    log: makeLogger('silent', '/dev/null'),
    term,
  }
}

const request = (capture: CaptureDocument, event: CaptureEvent, version: string, nowMs: number) =>
  eventRequest('shop', eventOn(capture, event, { component: 'selcap-controller', version, nowMs }))

const get = async (name: string): Promise<Stored> =>
  JSON.parse(await api().kubectl('get', 'packetcapture', name, '-n', 'shop', '-o', 'json'))

async function make(name: string, spec: object = {}): Promise<Stored> {
  const { code, err } = await api().ask(['create', '-f', '-'], {
    input: JSON.stringify(packetCapture(name, spec)),
  })
  if (code !== 0) throw new Error(err)
  return get(name)
}

const edit = (name: string) =>
  api().kubectl(
    'patch',
    'packetcapture',
    name,
    '-n',
    'shop',
    '--type=merge',
    '-p',
    '{"spec":{"snapLength":100}}',
  )

test('writeStatus() writes over the version it was told, and says which one that makes', async t => {
  const capture = await make('plain')
  const outcome = await writeStatus(parts(), capture, statusOf(2), capture.metadata.resourceVersion)
  const now = await get('plain')
  t.deepEqual(outcome, { kind: 'written', version: now.metadata.resourceVersion })
  t.deepEqual(now.status, statusOf(2) as object)
  t.deepEqual(
    await writeStatus(parts(), capture, statusOf(2), now.metadata.resourceVersion),
    outcome,
  )
})

test('writeStatus() changes nothing over an older version, of an earlier namesake, or of nothing', async t => {
  const capture = await make('stale')
  const old = capture.metadata.resourceVersion
  await edit('stale')
  t.deepEqual(await writeStatus(parts(), capture, statusOf(1), old), { kind: 'stale' })
  await api().kubectl('delete', 'packetcapture', 'stale', '-n', 'shop')
  t.deepEqual(await writeStatus(parts(), capture, statusOf(1), old), { kind: 'stale' })
  await make('stale')
  t.deepEqual(await writeStatus(parts(), capture, statusOf(1), old), { kind: 'stale' })
  t.is((await get('stale')).status, undefined)
})

test('writeStatus() has failed when the schema refuses the status', async t => {
  const capture = await make('refused')
  const wrong = statusOf(1, { state: 'Idle' as never })
  t.deepEqual(await writeStatus(parts(), capture, wrong, capture.metadata.resourceVersion), {
    kind: 'failed',
  })
})

test('writeStatus() of five thousand nodes with much to tell is taken', async t => {
  const capture = await make('large')
  const rows = Array.from({ length: 5_000 }, (_, index) => {
    const endpoints = Array.from({ length: 4 }, (__, pod) => endpoint(`web-${pod}`, 'Capturing'))
    const file = { endpoints, fileNames: ['a.pcap', 'b.pcap'], message: 'é'.repeat(3_000) }
    return {
      row: row(`node-${index}.example.org`, 'Capturing', {
        file,
        problems: [{ reason: 'LostInterface', message: 'é'.repeat(3_000) }],
      }),
    }
  })
  const { status } = reconcilePacketCapture({
    read: read({}),
    rows,
    nodes: 5_000,
    previous: undefined,
    nowMs: noonMs,
  })
  t.is(
    (await writeStatus(parts(), capture, status, capture.metadata.resourceVersion)).kind,
    'written',
  )
  t.like((await get('large')).status, { nodes: 5_000, endpoints: 20_000 })
})

test('nothing is written once the lease ran out or the term is over', async t => {
  const capture = await make('late')
  const { resourceVersion: version } = capture.metadata
  for (const over of [
    parts(performance.now() - 1),
    parts(Number.POSITIVE_INFINITY, AbortSignal.abort()),
  ]) {
    t.deepEqual(await writeStatus(over, capture, statusOf(1), version), { kind: 'failed' })
    t.false(await removeCapture(over, capture, version))
    t.false(
      await writeEvent(
        over,
        request(capture, { reason: 'Recovered', type: 'Normal', message: '' }, version, noonMs),
      ),
    )
  }
  t.is((await get('late')).metadata.resourceVersion, version)
  t.notRegex(await api().kubectl('get', 'events', '-n', 'shop'), /Recovered/)
})

test('writeEvent() makes an Event that kubectl describes, of any name, and one Event of two requests', async t => {
  const name = `${'a'.repeat(199)}.${'b'.repeat(50)}`
  const capture = await make(name)
  const event = { reason: 'Started', type: 'Normal', message: `${'x'.repeat(2_000)}😀` } as const
  for (const nowMs of [Date.now(), Date.now() + 90_000])
    t.true(await writeEvent(parts(), request(capture, event, '1', nowMs)))
  const lines = (await api().kubectl('describe', 'packetcapture', name, '-n', 'shop'))
    .split('\n')
    .filter(line => /Started/.test(line))
  t.is(lines.length, 1)
})

test('removeCapture() removes what it looked at, not what was edited meanwhile', async t => {
  const capture = await make('over')
  await edit('over')
  t.true(await removeCapture(parts(), capture, capture.metadata.resourceVersion))
  const now = await get('over')
  t.true(await removeCapture(parts(), now, now.metadata.resourceVersion))
  t.true(await removeCapture(parts(), now, now.metadata.resourceVersion))
  t.regex((await api().ask(['get', 'packetcapture', 'over', '-n', 'shop'])).err, /not found/)
})

test('removeReport() leaves a report that was written meanwhile', async t => {
  const report = {
    agentVersion: '1',
    startedAt: '2026-01-01T00:00:00Z',
    address: 'a',
    port: 1,
    budgets: {},
    reportedAt: '2026-01-01T00:00:00Z',
  }
  const file = join(api().directory, 'report.json')
  const write = async (change: object = {}): Promise<Stored['metadata']> => {
    const document = {
      apiVersion: 'selcap.dev/v1alpha1',
      kind: 'NodeCaptureReport',
      metadata: { name: 'a' },
      report: { ...report, ...change },
    }
    writeFileSync(file, JSON.stringify(document))
    return (JSON.parse(await api().kubectl('apply', '-f', file, '-o', 'json')) as Stored).metadata
  }
  const old = await write()
  const now = await write({ port: 2 })
  t.true(await removeReport(parts(), old))
  t.is((await api().ask(['get', 'nodecapturereport', 'a'])).code, 0)
  t.true(await removeReport(parts(), now))
  t.regex((await api().ask(['get', 'nodecapturereport', 'a'])).err, /not found/)
})
