// What is left when a capture is deleted, of each kind and in each phase: no ring, no file, no row
// of a report, and no Job, pod, Secret or ConfigMap that was not there before. Archives that a user
// asked for on the node stay, and are looked at elsewhere.
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { collectGarbage, packetSockets } from '../../support/kube/packetCaptureConfigs.ts'
import { type SimulatedNode, serverAddress } from '../../support/kube/simulated.ts'
import { useSimulated } from '../../support/kube/useSimulated.ts'
import { inside } from '../../support/net/run.ts'
import { root } from '../../support/repository.ts'
import { shared } from '../../support/shared.ts'
import { bucket, s3Secret, startS3 } from '../../support/stores/s3Server.ts'
import { remains, until } from '../../support/until.ts'

const { cluster, clusterTest } = useSimulated()
const cleanUps: (() => unknown)[] = []
test.after.always(async () => {
  for (const cleanUp of cleanUps.toReversed()) await cleanUp()
})

const apis = 'packetcaptureconfig,retina'

async function setStage() {
  const scope = { teardown: (cleanUp: () => unknown) => void cleanUps.push(cleanUp) }
  const { api, directory, networkPath: netns } = cluster()
  for (const folder of ['crds/retina', 'crds/packetcaptureconfig'])
    await api.kubectl('apply', '--server-side', '-k', join(root, folder))
  await api.kubectl('wait', '--for=condition=Established', 'crd', '--all', '--timeout=60s')
  await api.kubectl('apply', '-k', join(root, 'daemonset/overlays/every-api'))
  await api.kubectl('create', 'namespace', 'shop')
  await cluster().apply({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'keys', namespace: 'shop' },
    stringData: s3Secret,
  })
  const nodes = await Promise.all(['node-1', 'node-2'].map(name => cluster().addNode(name)))
  const pods = await Promise.all(
    nodes.map((node, index) => node.addPod('shop', `web-${index}`, { app: 'web' })),
  )
  const config = (node: string) => join(directory, `${node}.yaml`)
  for (const { name } of nodes) {
    for (const what of ['archives', 'files']) mkdirSync(join(directory, `${name}-${what}`))
    const lines = [
      'captureDiskFreePercentMin: 0',
      `captureHostPathBaseDir: ${directory}/${name}-archives`,
    ]
    writeFileSync(
      config(name),
      [...lines, `packetCapturesDir: ${directory}/${name}-files`, ''].join('\n'),
    )
  }
  for (const node of nodes) await node.startAgent(['--apis', apis, '--config', config(node.name)])
  writeFileSync(config('controller'), 'outputHttp: Allowed\n')
  const args = [
    'controller',
    '--apis',
    apis,
    '--config',
    config('controller'),
    '--metrics-host',
    '127.0.0.1',
    '--metrics-port',
    '0',
  ]
  const controller = await cluster().runInPod('controller', 'selcap-controller', args)
  await controller.ready(() =>
    Promise.resolve(controller.tail(1_000).includes('selcap controller started')),
  )
  const s3 = await startS3(scope, { at: { address: serverAddress, netns } })
  const isCollected = collectGarbage(scope, cluster()) // what is owned by an object goes with it
  return { nodes, pods, s3, controller, isCollected, before: await everything(nodes, isCollected) }
}

const onStage = shared(setStage)

type Named = {
  readonly kind: string
  readonly metadata: { readonly namespace?: string; readonly name: string }
}
type Report = {
  readonly metadata: Named['metadata']
  readonly report: { readonly captures: readonly { readonly name: string }[] }
}
const kinds =
  'jobs,pods,secrets,configmaps,packetcaptures.projectcalico.org,captures.retina.sh,packetcaptureconfigs'

/** All that a capture could leave behind, in lines. */
async function everything(
  nodes: readonly SimulatedNode[],
  isCollected: boolean,
): Promise<string[]> {
  const { items } = await cluster().get<{ items: readonly Named[] }>(kinds, '-A')
  const objects = items.filter(({ metadata }) => isCollected || !metadata.name.endsWith('-results'))
  const reports = await cluster().get<{ items: readonly Report[] }>('nodecapturereports')
  const rows = reports.items.flatMap(({ metadata, report }) =>
    report.captures.map(({ name }) => `${metadata.name}: a row of ${name}`),
  )
  const files = nodes.flatMap(({ name, captures }) => [
    ...[captures, `${captures}-files`].flatMap(folder =>
      filesBelow(folder).map(file => `${name}: ${file}`),
    ),
    ...filesBelow(`${captures}-archives`).filter(file => /(^|\/)\.[^/]*$/.test(file)), // not complete
  ])
  const rings = nodes.map(node => `${node.name}: ${packetSockets(node)} rings`)
  return [
    ...objects.map(({ kind, metadata }) => `${kind} ${metadata.namespace}/${metadata.name}`),
    ...rows,
    ...files,
    ...rings,
  ].toSorted()
}

function filesBelow(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: 'utf8' }) : []
}

async function nothingLeft(): Promise<void> {
  const { nodes, isCollected, before } = await onStage()
  const news = async () => {
    const now = await everything(nodes, isCollected)
    return [
      ...now.filter(line => !before.includes(line)),
      ...before.filter(line => !now.includes(line)).map(line => `no ${line}`),
    ]
  }
  await until('nothing to be left', async () => (await news()).length === 0, {
    everyMs: 200,
    found: news,
  })
}

type Status = Readonly<Record<string, unknown>> & {
  readonly state?: string
  readonly phase?: string
  readonly packets?: number
  readonly files?: readonly { readonly state: string; readonly packets: number }[]
  readonly conditions?: readonly {
    readonly type: string
    readonly status: string
    readonly reason: string
  }[]
}
type Shown = { readonly status?: Status }

async function reaches(
  resource: string,
  name: string,
  isSo: (status: Status) => boolean,
): Promise<void> {
  const get = () => cluster().get<Shown>(resource, name, '-n', 'shop')
  await until(`${name} to get there`, async () => isSo((await get()).status ?? {}), {
    everyMs: 200,
    found: get,
  })
}

async function send(): Promise<void> {
  for (const pod of (await onStage()).pods)
    await pod.sender.udp({ to: pod.hostAddress, port: 9, count: 5 })
}

/** Some request hangs at the store, which stands still. */
async function hangs(): Promise<void> {
  const { s3 } = await onStage()
  const open = () =>
    inside(cluster().networkPath, 'ss', ['-Htn', 'state', 'established', `dport = :${s3.port}`])
  await until('an upload', async () => (await open()) !== '')
}

const endpoint = async () => `http://${serverAddress}:${(await onStage()).s3.port}`
const s3Upload = async (path: string) => ({
  bucket,
  secretName: 'keys',
  endpoint: await endpoint(),
  region: 'us-east-1',
  path,
})
const inAnHour = () => new Date(Date.now() + 3_600_000).toISOString()

type Phase = {
  readonly spec: () => Promise<object> | object
  readonly isSo: (status: Status) => boolean
  readonly sends?: boolean
  readonly ends?: (status: Status) => boolean // after packets
}
const files = ({ files: all = [] }: Status) => all
const isReason = (reason: string) => (status: Status) =>
  status.conditions?.some(each => each.reason === reason) === true

const udp = { filters: [{ protocol: 'UDP' }] }
const retina = (captureTarget: object, captureOption: object): object => ({
  captureConfiguration: { captureTarget, captureOption: { pcapFilter: 'udp', ...captureOption } },
  outputConfiguration: { hostPath: 'left' },
})
const all = { podSelector: {} }
const pods = ['web-0', 'web-1'].map(podName => ({ podName, namespace: 'shop' }))
const nobody = [{ podName: 'nobody', namespace: 'shop' }]

const phases: Readonly<Record<string, Readonly<Record<string, Phase>>>> = {
  'packetcaptures.projectcalico.org': {
    'at once': { spec: () => udp, isSo: () => true },
    scheduled: {
      spec: () => ({ startTime: inAnHour() }),
      isSo: ({ state }) => state === 'Scheduled',
    },
    waiting: {
      spec: () => udp,
      isSo: status => files(status).length === 2 && status.state === 'WaitingForTraffic',
    },
    capturing: {
      spec: () => udp,
      isSo: status => files(status).length === 2,
      sends: true,
      ends: ({ packets }) => packets === 10,
    },
    finished: {
      spec: () => ({ ...udp, limits: { packets: 2 } }),
      isSo: status => files(status).length === 2,
      sends: true,
      ends: ({ state, packets }) => state === 'Finished' && packets === 4,
    },
    failed: { spec: () => ({ selector: 'has(' }), isSo: ({ state }) => state === 'Error' },
  },
  'captures.retina.sh': {
    'at once': { spec: () => retina(all, { duration: '1h' }), isSo: () => true },
    waiting: {
      spec: () => retina({ podNames: ['nobody'] }, { duration: '1h' }),
      isSo: isReason('OtherError'),
    },
    capturing: {
      spec: () => retina(all, { duration: '1h' }),
      isSo: status =>
        files(status).length === 2 &&
        files(status).every(({ state }) => state === 'WaitingForTraffic'),
      sends: true,
      ends: status => files(status).every(({ packets }) => packets === 5),
    },
    finished: { spec: () => retina(all, { duration: '2s' }), isSo: isReason('JobsCompleted') },
    failed: { spec: () => retina({}, { duration: '2s' }), isSo: isReason('OtherError') },
  },
  packetcaptureconfigs: {
    'at once': { spec: () => ({ targetIPs: ['10.9.9.9'] }), isSo: () => true },
    starting: {
      spec: () => ({ podSelector: { pods: nobody } }),
      isSo: ({ phase }) => phase === 'Starting',
    },
    running: {
      spec: () => ({ targetIPs: ['10.9.9.9'], duration: 600 }),
      isSo: ({ phase }) => phase === 'Running',
    },
    completed: {
      spec: () => ({ podSelector: { pods }, maxPackets: 2, duration: 600 }),
      isSo: ({ phase, captureFiles }) =>
        phase === 'Running' && Object.keys(captureFiles as object).length === 2,
      sends: true,
      ends: ({ phase }) => phase === 'Completed',
    },
    failed: {
      spec: () => ({ targetIPs: ['10.9.9.9'], filter: 'host example.com' }),
      isSo: ({ phase }) => phase === 'Failed',
    },
  },
}
const retinaCaptures = 'captures.retina.sh'
const linesOf = (text: string): string[] => text.trim().split('\n')
const documentsOf: Readonly<Record<string, object>> = {
  'packetcaptures.projectcalico.org': { apiVersion: 'projectcalico.org/v3', kind: 'PacketCapture' },
  'captures.retina.sh': { apiVersion: 'retina.sh/v1alpha1', kind: 'Capture' },
  packetcaptureconfigs: { apiVersion: 'networking.packet.io/v1', kind: 'PacketCaptureConfig' },
}

async function make(resource: string, name: string, spec: object): Promise<void> {
  const metadata = resource === 'packetcaptureconfigs' ? { name } : { name, namespace: 'shop' }
  await cluster().apply({ ...documentsOf[resource], metadata, spec })
}

const remove = (resource: string, name: string, ...more: string[]) =>
  cluster().api.kubectl('delete', resource, name, '-n', 'shop', '--timeout=80s', ...more)

for (const [resource, table] of Object.entries(phases)) {
  for (const [phase, { spec, isSo, sends = false, ends = () => true }] of Object.entries(table)) {
    clusterTest(
      `one of ${resource} that is deleted ${phase === 'at once' ? phase : `when ${phase}`} leaves nothing`,
      async t => {
        await onStage()
        const name = `left-${phase.replace(' ', '-')}`
        await make(resource, name, await spec())
        await reaches(resource, name, isSo)
        if (sends) await send()
        await reaches(resource, name, ends)
        await remove(resource, name)
        await nothingLeft()
        t.pass()
      },
    )
  }
}

clusterTest(
  'one of packetcaptures.projectcalico.org that is deleted while it is uploaded leaves nothing',
  async t => {
    const { s3 } = await onStage()
    const resource = 'packetcaptures.projectcalico.org'
    s3.pause(true)
    t.teardown(() => s3.pause(false))
    await make(resource, 'sent', {
      ...udp,
      limits: { packets: 3 },
      output: { s3Upload: await s3Upload('calico') },
    })
    await reaches(resource, 'sent', status => files(status).length === 2)
    await send()
    await reaches(resource, 'sent', ({ state, packets }) => state === 'Finished' && packets === 6)
    await hangs()
    await remove(resource, 'sent')
    await nothingLeft()
    s3.pause(false)
    await remains('nothing left, though what hung may go on', 3_000, async () => {
      await nothingLeft()
      return true
    })
    t.pass()
  },
)

clusterTest(
  'one of captures.retina.sh that is deleted while it is uploaded is uploaded first, and leaves nothing else',
  async t => {
    const { s3 } = await onStage()
    const resource = 'captures.retina.sh'
    s3.pause(true)
    t.teardown(() => s3.pause(false))
    const spec = {
      ...retina(all, { duration: '1h' }),
      outputConfiguration: { s3Upload: await s3Upload('retina') },
    }
    await make(resource, 'sent', spec)
    await reaches(resource, 'sent', status => files(status).length === 2)
    await send()
    await reaches(resource, 'sent', status => files(status).every(({ packets }) => packets === 5))
    await remove(resource, 'sent') // nothing holds it
    await hangs()
    await remains('what the nodes hold of it', 2_000, async () => {
      const { items } = await cluster().get<{ items: readonly Report[] }>('nodecapturereports')
      return items.every(({ report }) => report.captures.some(({ name }) => name === 'sent'))
    })
    s3.pause(false)
    await nothingLeft()
    const archives = readdirSync(join(s3.objects, 'retina')).map(name =>
      name.replace(/-\d{14}UTC/, ''),
    )
    t.deepEqual(archives.toSorted(), ['sent-node-1.tar.gz', 'sent-node-2.tar.gz'])
  },
)

clusterTest(
  'an uninstall ends without a controller, and with captures that are running',
  async t => {
    const { controller, isCollected } = await onStage()
    const { api } = cluster()
    await api.kubectl('create', 'namespace', 'team')
    await make('packetcaptures.projectcalico.org', 'running', udp)
    await make('packetcaptureconfigs', 'running', { targetIPs: ['10.9.9.9'], duration: 600 })
    await make(retinaCaptures, 'running', retina(all, { duration: '1h' }))
    await reaches(retinaCaptures, 'running', status => files(status).length === 2)
    const document = documentsOf[retinaCaptures]
    const metadata = { name: 'other', namespace: 'team' }
    await cluster().apply({ ...document, metadata, spec: retina(all, { duration: '1h' }) })
    await controller.stop('SIGKILL')
    await api.kubectl('delete', '-k', join(root, 'daemonset/overlays/every-api'), '--wait=false')
    await api.kubectl('delete', 'namespace', 'team', '--wait=false')
    await api.kubectl('delete', 'pods', '--all', '-n', 'selcap-system', '--force') // no kubelet ends them
    const left = async () =>
      linesOf(await api.kubectl('get', 'crd,namespaces', '-o', 'name')).filter(name =>
        /selcap|projectcalico|retina|packet|team/.test(name),
      )
    const gone = isCollected ? [] : ['namespace/selcap-system', 'namespace/team']
    await until('all to be gone', async () => (await left()).join() === gone.join(), {
      everyMs: 200,
      found: left,
    })
    t.pass()
  },
)
