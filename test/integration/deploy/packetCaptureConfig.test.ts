// The overlay packetcaptureconfig on a real API server: what it adds to the base, who may do what,
// and the commands of the Makefile.
import { execFileSync } from 'node:child_process'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { readSettings } from '../../../src/config/readSettings.ts'
import { defaultSettings } from '../../../src/model/settings.ts'
import { systemNamespace, useInstalled } from '../../support/kube/installManifests.ts'
import { accountOf, mayDo } from '../../support/kube/rights.ts'
import { toolPath } from '../../support/kube/tools.ts'
import { root } from '../../support/repository.ts'

const server = useInstalled('daemonset/overlays/packetcaptureconfig')
const json = async (...args: string[]) =>
  JSON.parse(await server().api.kubectl('get', ...args, '-n', systemNamespace, '-o', 'json'))

type Container = {
  readonly command: string[]
  readonly ports: { name: string; containerPort: number }[]
  readonly volumeMounts: { name: string; mountPath: string }[]
  readonly securityContext: { readonly capabilities: { readonly add: string[] } }
}
const containerOf = async (kind: string, name: string): Promise<Container> =>
  (await json(kind, name)).spec.template.spec.containers[0]

test.serial('agents and controllers are told to serve it, with its settings', async t => {
  for (const [kind, name] of [
    ['daemonset', 'selcap-agent'],
    ['deployment', 'selcap-controller'],
  ] as const) {
    // biome-ignore format: one line
    const { command, volumeMounts } = await containerOf(kind, name)
    t.true(command.includes('--apis=packetcaptureconfig'))
    t.is(command[command.indexOf('--settings') + 1], '/etc/packet-capture')
    t.truthy(volumeMounts.find(({ mountPath }) => mountPath === '/etc/packet-capture'))
  }
})

test.serial('the gateway is told to hand out its files', async t => {
  t.true(
    (await containerOf('deployment', 'selcap-gateway')).command.includes(
      '--apis=packetcaptureconfig',
    ),
  )
})

test.serial(
  'the agent may become nobody, and nothing else more than in the base; its files lie on the node',
  async t => {
    const { securityContext, volumeMounts } = await containerOf('daemonset', 'selcap-agent')
    t.deepEqual(securityContext.capabilities.add, [
      'NET_RAW',
      'NET_ADMIN',
      'SYS_ADMIN',
      'SETUID',
      'SETGID',
    ])
    t.is(
      volumeMounts.find(({ name }) => name === 'packet-captures')?.mountPath,
      defaultSettings.packetCapturesDir,
    )
  },
)

test.serial('packet-capture-config holds the four settings with their defaults', async t => {
  const { data } = await json('configmap', 'packet-capture-config')
  t.deepEqual(data, {
    MAX_CAPTURE_FILES: '5',
    MAX_CAPTURE_FILE_SIZE_MB: '10',
    LOG_LEVEL: 'INFO',
    AGENT_PORT: '8080',
  })
  const { settings, warnings } = readSettings(data, undefined)
  t.deepEqual(settings, { ...defaultSettings, agentPort: 8_080 })
  t.deepEqual(warnings, [])
})

test.serial(
  'the ways from gateway and controller to the agents are open, on their port',
  async t => {
    const { ports } = await containerOf('daemonset', 'selcap-agent')
    t.is(ports.find(({ name }) => name === 'files')?.containerPort, 8_080)
    for (const name of ['selcap-gateway', 'selcap-controller']) {
      const { spec } = await json('networkpolicy', name)
      t.true(spec.egress[0].ports.some(({ port }: { port: number }) => port === 8_080))
    }
  },
)

const configs = { group: 'networking.packet.io', resource: 'packetcaptureconfigs' }
const resultMaps = { group: '', resource: 'configmaps', namespace: systemNamespace }
test.serial(
  'agents read captures, the controller writes their status and results, people have no right by themselves',
  async t => {
    const may = (name: string, attributes: object) =>
      mayDo(server(), accountOf(name, systemNamespace), attributes as never)
    for (const name of ['selcap-agent', 'selcap-controller', 'selcap-gateway']) {
      for (const verb of ['get', 'list', 'watch'])
        t.true(await may(name, { ...configs, verb }), `${name} ${verb}`)
      for (const verb of ['create', 'update', 'patch', 'delete'])
        t.false(await may(name, { ...configs, verb }), `${name} ${verb}`)
    }
    const status = { ...configs, subresource: 'status', verb: 'patch' }
    t.deepEqual(
      [await may('selcap-controller', status), await may('selcap-agent', status)],
      [true, false],
    )
    for (const verb of ['create', 'patch'])
      t.true(await may('selcap-controller', { ...resultMaps, verb }))
    for (const verb of ['get', 'list', 'delete', 'update'])
      t.false(await may('selcap-controller', { ...resultMaps, verb }))
    t.false(await may('selcap-controller', { ...resultMaps, namespace: 'default', verb: 'create' }))
    t.false(await may('selcap-agent', { ...resultMaps, verb: 'create' }))
    for (const role of ['view', 'edit', 'admin']) {
      await server().api.kubectl(
        'create',
        'clusterrolebinding',
        `all-${role}`,
        `--clusterrole=${role}`,
        `--user=${role}`,
      )
      const user = { user: role, groups: ['system:authenticated'] }
      for (const verb of ['get', 'create', 'delete'])
        t.false(await mayDo(server(), user, { ...configs, verb }), `${role} ${verb}`)
    }
  },
)

test.serial(
  'make help names every command, and make status, restart and destroy do what they say',
  async t => {
    const { api } = server()
    const kubectl = join(api.directory, 'kubectl-for-make')
    writeFileSync(
      kubectl,
      `#!/bin/sh\nKUBECONFIG='${api.kubeconfig}' HOME='${api.directory}' exec '${toolPath('kubectl')}' "$@"\n`,
    )
    chmodSync(kubectl, 0o755)
    const make = (...args: string[]) =>
      execFileSync('make', ['-s', '-C', root, ...args, `KUBECTL=${kubectl}`], { encoding: 'utf8' })
    for (const target of ['status', 'logs-controller', 'logs-agent', 'restart', 'destroy', 'deploy']) t.regex(make('help'), new RegExp(`make ${target} `)) // biome-ignore format: one line
    await server().apply({ apiVersion: 'networking.packet.io/v1', kind: 'PacketCaptureConfig', metadata: { name: 'seen' }, spec: { targetIPs: ['10.0.0.1'] } }) // biome-ignore format: one line
    const said = make('status')
    for (const word of ['daemonset.apps/selcap-agent', 'deployment.apps/selcap-controller', 'seen'])
      t.true(said.includes(word), word)
    t.regex(make('restart'), /selcap-agent restarted[\s\S]*selcap-controller restarted/)
    for (const target of ['logs-agent', 'logs-controller'])
      t.regex(
        make(target, '--dry-run'),
        /logs -f -n selcap-system -l app\.kubernetes\.io\/name=selcap-/,
      )
    t.regex(make('destroy', '--dry-run'), /delete -k daemonset\/overlays\/packetcaptureconfig/)
  },
)
