import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { stringify } from 'yaml'
import { until } from '../../support/until.ts'

const selcap = fileURLToPath(new URL('../../../bin/selcap', import.meta.url))

function capture(namespace: string, name: string, packets: number): object {
  const metadata = {
    name,
    namespace,
    uid: `${namespace}-${name}`,
    generation: 1,
    creationTimestamp: new Date(Date.now() - 3_600_000).toISOString(),
  }
  const conditions = [
    {
      type: 'Ready',
      status: 'True',
      reason: 'Capturing',
      message: 'fine',
      lastTransitionTime: metadata.creationTimestamp,
      observedGeneration: 1,
    },
  ]
  const status = {
    observedGeneration: 1,
    state: 'Capturing',
    nodes: 1,
    endpoints: 2,
    packets,
    bytes: 10 * packets,
    dropped: 1,
    conditions,
    files: [],
  }
  return {
    apiVersion: 'projectcalico.org/v3',
    kind: 'PacketCapture',
    metadata,
    spec: { selector: 'all()', endTime: '2030-01-01T00:00:00Z' },
    status,
  }
}

function statusDirectory(t: ExecutionContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'selcap-get-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  for (const [namespace, name] of [
    ['shop', 'web'],
    ['shop', 'api'],
    ['other', 'web'],
  ] as const)
    put(directory, namespace, name, 7)
  return directory
}

function put(directory: string, namespace: string, name: string, packets: number): void {
  mkdirSync(join(directory, namespace), { recursive: true })
  writeFileSync(
    join(directory, namespace, `${name}.yaml`),
    stringify(capture(namespace, name, packets)),
  )
}

function run(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(selcap, ['get', ...args], { encoding: 'utf8' })
}

test('selcap get prints the columns', t => {
  const { stdout, status } = run('packetcaptures', '-n', 'shop', '--status', statusDirectory(t))
  t.is(status, 0)
  t.regex(
    stdout,
    /^NAME {3}SELECTOR {3}STATE {7}NODES {3}ENDPOINTS {3}PACKETS {3}DROPPED {3}AGE\napi {4}all\(\) {6}Capturing {3}1 {7}2 {11}7 {9}1 {9}60m\nweb .*\n$/,
  )
})

test('selcap get -A adds the namespace, -o wide more columns', t => {
  const { stdout } = run('pcap', '-A', '-o', 'wide', '--status', statusDirectory(t))
  t.regex(
    stdout,
    /^NAMESPACE {3}NAME .* AGE {3,}START {3,}END {3,}BYTES {3,}MESSAGE\nother .* 2030-01-01T00:00:00Z {3}70 {6}fine\n/,
  )
  t.is(stdout.split('\n').length, 5)
})

test('selcap get knows the names of the kind', t => {
  const directory = statusDirectory(t)
  for (const kind of [
    'packetcapture',
    'PacketCaptures',
    'packetcaptures.p',
    'packetcapture.projectcalico.org',
  ])
    t.is(run(kind, '-n', 'shop', '--status', directory).status, 0, kind)
  t.like(run('pods', '--status', directory), {
    status: 2,
    stderr: 'Cannot get "pods": expected packetcaptures\n',
  })
})

test('selcap get -o json and yaml print one capture whole, and several as a list', t => {
  const directory = statusDirectory(t)
  t.is(
    (
      JSON.parse(run('pcap', 'web', '-n', 'shop', '-o', 'json', '--status', directory).stdout) as {
        metadata: { name: string }
      }
    ).metadata.name,
    'web',
  )
  const list = JSON.parse(
    run('pcap', '-n', 'shop', '-o', 'json', '--status', directory).stdout,
  ) as { kind: string; items: object[] }
  t.is(list.kind, 'List')
  t.is(list.items.length, 2)
  t.regex(
    run('pcap', 'web', '-n', 'shop', '-o', 'yaml', '--status', directory).stdout,
    /^apiVersion: projectcalico\.org\/v3\nkind: PacketCapture\n/,
  )
  t.is(
    run('pcap', '-n', 'shop', '-o', 'name', '--status', directory).stdout,
    'packetcapture.projectcalico.org/api\npacketcapture.projectcalico.org/web\n',
  )
})

test('selcap get says what is not there', t => {
  const directory = statusDirectory(t)
  t.like(run('pcap', 'nothing', '-n', 'shop', '--status', directory), {
    status: 1,
    stderr: 'Error: packetcaptures "nothing" not found in namespace "shop"\n',
  })
  t.like(run('pcap', '--status', directory), {
    status: 0,
    stdout: '',
    stderr: 'No captures found in default namespace\n',
  })
  t.like(run('pcap', '--status', join(directory, 'missing')), { status: 2 })
  t.is(run('pcap', 'web', '-A', '--status', directory).status, 2)
})

test('selcap get --watch prints a line for each change', async t => {
  const directory = statusDirectory(t)
  const watching = spawn(selcap, ['get', 'pcap', '-n', 'shop', '--watch', '--status', directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.teardown(() => watching.kill())
  let shown = ''
  watching.stdout.setEncoding('utf8').on('data', (text: string) => {
    shown += text
  })
  await until('the captures of now', () => shown.split('\n').length === 4)
  await until('the change', () => {
    put(directory, 'shop', 'api', 1_000 + shown.length)
    return shown.split('\n').length > 4
  })
  t.regex(shown.split('\n')[3] ?? '', /^api .* 1\d{3} /)
})
