// What the manifests say, held against the code and against Kubernetes' pod security: settings,
// versions, rights of containers.
import test from 'ava'
import { parse } from 'yaml'
import { readSettings } from '../../../src/config/readSettings.ts'
import { defaultSettings } from '../../../src/model/settings.ts'
import { systemNamespace, useInstalled } from '../../support/kube/installManifests.ts'
import { read } from '../../support/repository.ts'

type Container = {
  readonly image: string
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[]
  readonly volumeMounts?: readonly {
    readonly name: string
    readonly mountPath: string
    readonly subPath?: string
  }[]
  readonly securityContext: object
}
type PodSpec = {
  readonly containers: readonly [Container]
  readonly volumes?: readonly { readonly name: string; readonly hostPath?: object }[]
}

const server = useInstalled()

async function specOf(kind: string, name: string): Promise<PodSpec> {
  return JSON.parse(
    await server().api.kubectl('get', kind, name, '-n', systemNamespace, '-o', 'json'),
  ).spec.template.spec
}

async function refusalOf(level: string, spec: PodSpec): Promise<string> {
  const namespace = `pods-${level}`
  const labels = { 'pod-security.kubernetes.io/enforce': level }
  await server().apply({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: namespace, labels },
  })
  const {
    serviceAccountName: _,
    priorityClassName: __,
    ...rest
  } = spec as PodSpec & Record<string, unknown>
  const body = { apiVersion: 'v1', kind: 'Pod', metadata: { generateName: 'pod-' }, spec: rest }
  const answer = await server().asAdmin({
    path: `/api/v1/namespaces/${namespace}/pods?dryRun=All`,
    method: 'POST',
    body,
  })
  return answer.code === 201 ? '' : (answer.body.message ?? '')
}

test.serial('selcap-config holds every setting with its default', async t => {
  const text = await server().api.kubectl(
    'get',
    'configmap',
    'selcap-config',
    '-n',
    systemNamespace,
    '-o',
    'jsonpath={.data.config\\.yaml}',
  )
  t.deepEqual(Object.keys(parse(text)).toSorted(), Object.keys(defaultSettings).toSorted())
  const { settings, warnings } = readSettings({}, text)
  t.deepEqual(settings, defaultSettings)
  t.deepEqual(warnings, [])
})

test.serial(
  'the agent mounts the settings as a directory, and captureDir from the host',
  async t => {
    const { containers, volumes = [] } = await specOf('daemonset', 'selcap-agent')
    const mounts = containers[0].volumeMounts ?? []
    t.like(
      mounts.find(({ name }) => name === 'config'),
      { mountPath: '/etc/selcap', subPath: undefined },
    )
    t.like(
      mounts.find(({ name }) => name === 'captures'),
      { mountPath: defaultSettings.captureDir },
    )
    t.deepEqual(volumes.find(({ name }) => name === 'captures')?.hostPath, {
      path: defaultSettings.captureDir,
      type: 'DirectoryOrCreate',
    })
  },
)

test.serial(
  'the agent has three capabilities and nothing else: no privilege, no writable root',
  async t => {
    const spec = await specOf('daemonset', 'selcap-agent')
    t.like(spec, { hostNetwork: true, hostPID: undefined, hostIPC: undefined })
    t.is(spec.containers.length, 1)
    t.deepEqual(spec.containers[0].securityContext, {
      runAsUser: 0,
      runAsGroup: 0,
      privileged: false,
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'], add: ['NET_RAW', 'NET_ADMIN', 'SYS_ADMIN'] },
    })
  },
)

test.serial(
  'controller and gateway fit the restricted standard; the agent fits neither that nor the baseline',
  async t => {
    const agent = await specOf('daemonset', 'selcap-agent')
    for (const name of ['selcap-controller', 'selcap-gateway'])
      t.is(await refusalOf('restricted', await specOf('deployment', name)), '', name)
    t.regex(await refusalOf('restricted', agent), /violates PodSecurity "restricted/)
    t.regex(await refusalOf('baseline', agent), /violates PodSecurity "baseline.*host namespaces/)
  },
)

test.serial('all run the image of this version, and their figures are on metricsPort', async t => {
  for (const [kind, name] of [
    ['daemonset', 'selcap-agent'],
    ['deployment', 'selcap-controller'],
    ['deployment', 'selcap-gateway'],
  ] as const) {
    const [container] = (await specOf(kind, name)).containers
    t.is(container.image, `selcap:${JSON.parse(read('package.json')).version}`)
    const ports = Object.fromEntries(container.ports.map(port => [port.name, port.containerPort]))
    t.is(ports.metrics, defaultSettings.metricsPort, name)
  }
})

test.serial('the way from the gateway to the agents is open', async t => {
  const [agent] = (await specOf('daemonset', 'selcap-agent')).containers
  t.is(agent.ports.find(({ name }) => name === 'files')?.containerPort, defaultSettings.agentPort)
  const policy = JSON.parse(
    await server().api.kubectl(
      'get',
      'networkpolicy',
      'selcap-gateway',
      '-n',
      systemNamespace,
      '-o',
      'json',
    ),
  )
  const open = (policy.spec.egress as { to?: object; ports: { port: number }[] }[]).filter(
    ({ to }) => to === undefined,
  )
  t.true(open.some(({ ports }) => ports.some(({ port }) => port === defaultSettings.agentPort)))
})

test.serial('one node is updated at a time, and every taint is tolerated', async t => {
  const { spec } = JSON.parse(
    await server().api.kubectl(
      'get',
      'daemonset',
      'selcap-agent',
      '-n',
      systemNamespace,
      '-o',
      'json',
    ),
  )
  t.deepEqual(spec.updateStrategy, {
    type: 'RollingUpdate',
    rollingUpdate: { maxUnavailable: 1, maxSurge: 0 },
  })
  t.deepEqual(spec.template.spec.tolerations, [{ operator: 'Exists' }])
})
