// The overlay own-group at work: agent, controller and gateway with the tokens and the rights that
// it gives them, told the group as its manifests tell it, over captures of selcap.dev/v3.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { type Child, startChild } from '../../support/kube/child.ts'
import { kubeconfig } from '../../support/kube/credentials.ts'
import { systemNamespace, useInstalled } from '../../support/kube/installManifests.ts'
import { selcap } from '../../support/processes/standalone.ts'
import { until } from '../../support/until.ts'

const server = useInstalled('daemonset/overlays/own-group')
const running: Child[] = []
test.after.always(async () => {
  for (const child of running) await child.stop()
})

type Row = { readonly name: string; readonly value?: string }

/** Starts the program as its manifest has it, with the token of its account on node-a. */
async function start(kind: string, name: string, ...options: readonly string[]): Promise<Child> {
  const { api } = server()
  const { containers } = JSON.parse(
    await api.kubectl('get', kind, name, '-n', systemNamespace, '-o', 'json'),
  ).spec.template.spec
  const [{ command, env }] = containers as [{ command: string[]; env: Row[] }]
  const file = join(api.directory, `${name}.kubeconfig`)
  writeFileSync(file, kubeconfig(api.url, api.caFile, await server().boundToken(name, 'node-a')))
  const said = Object.fromEntries(
    env.flatMap(row => (row.value === undefined ? [] : [[row.name, row.value]])),
  )
  const child = startChild(
    name,
    [selcap, command[1] ?? '', '--kubeconfig', file, '--metrics-port', '0', ...options],
    {
      logFile: join(api.directory, `${name}.log`),
      env: { ...process.env, ...said, NODE_NAME: 'node-a', POD_NAMESPACE: systemNamespace },
    },
  )
  running.push(child)
  await child.ready(async () => child.tail(100).includes('metrics served'))
  return child
}

async function becomesReady(child: Child): Promise<void> {
  const port = /"port":(\d+)[^\n]*metrics served/.exec(child.tail(100))?.[1]
  await until(
    `${child.name} to be ready`,
    async () => (await fetch(`http://127.0.0.1:${port}/readyz`)).status === 200,
  )
}

test.serial('the controller judges captures of selcap.dev/v3', async t => {
  await server().apply({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'node-a' } })
  await becomesReady(await start('deployment', 'selcap-controller', '--metrics-host', '127.0.0.1'))
  const metadata = { name: 'broken', namespace: 'default' }
  await server().apply({
    apiVersion: 'selcap.dev/v3',
    kind: 'PacketCapture',
    metadata,
    spec: { selector: 'has(' },
  })
  const wait = [
    'wait',
    '--for=jsonpath={.status.state}=Error',
    'packetcaptures.selcap.dev/broken',
    '--timeout=20s',
  ]
  t.regex(await server().api.kubectl(...wait), /condition met/)
})

test.serial('the agent follows captures of selcap.dev/v3 and reports its node', async t => {
  const captures = join(server().api.directory, 'captures')
  mkdirSync(captures)
  await becomesReady(
    await start('daemonset', 'selcap-agent', '--captures', captures, '--agent-port', '0'),
  )
  t.regex(
    await server().api.kubectl('wait', '--for=create', 'ncr/node-a', '--timeout=20s'),
    /condition met/,
  )
})

test.serial('the gateway follows captures of selcap.dev/v3', async t => {
  const gateway = await start(
    'deployment',
    'selcap-gateway',
    '--metrics-host',
    '127.0.0.1',
    '--host',
    '127.0.0.1',
    '--port',
    '0',
  )
  await becomesReady(gateway) // when it has listed them, and reports
  t.regex(gateway.tail(100), /"group":"selcap\.dev"[^\n]*selcap gateway started/)
})
