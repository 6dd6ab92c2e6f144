// Uploads by the controller, end to end: a real agent's files, a real API server with selcap's
// rights and policies, a real S3 server.
import { copyFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { UploadStatus } from '../../../../src/model/status.ts'
import type { PublishedCapture } from '../../../../src/publish/statusDirectory.ts'
import type { Child } from '../../../support/kube/child.ts'
import {
  packetCapture,
  type SimulatedNode,
  type SimulatedPod,
  serverAddress,
} from '../../../support/kube/simulated.ts'
import { useSimulated } from '../../../support/kube/useSimulated.ts'
import { readRecords } from '../../../support/pcap/captureFile.ts'
import { shared } from '../../../support/shared.ts'
import { type Authority, makeAuthority } from '../../../support/stores/authority.ts'
import { bucket, s3Secret, startS3 } from '../../../support/stores/s3Server.ts'
import type { TestServer } from '../../../support/stores/server.ts'
import { sha256Of } from '../../../support/stores/source.ts'
import { until, untilFound } from '../../../support/until.ts'

const { cluster, clusterTest } = useSimulated()
const cleanUps: (() => unknown)[] = []
test.after.always(async () => {
  for (const cleanUp of cleanUps.toReversed()) await cleanUp()
})

type Stage = {
  readonly node: SimulatedNode
  readonly pod: SimulatedPod
  readonly s3: TestServer & { readonly objects: string }
  readonly endpoint: string
}
let stage: Stage | undefined
const controllers: Child[] = []

const scope = { teardown: (cleanUp: () => unknown) => void cleanUps.push(cleanUp) }
let made: Promise<Authority> | undefined
const authority = () => (made ??= makeAuthority(scope))

async function startController(): Promise<Child> {
  const config = join(cluster().directory, 'settings.yaml')
  writeFileSync(config, 'outputHttp: Allowed\n')
  const args = [
    'controller',
    '--config',
    config,
    '--metrics-host',
    '127.0.0.1',
    '--metrics-port',
    '0',
  ]
  const child = await cluster().runInPod(
    `controller-${controllers.length}`,
    'selcap-controller',
    args,
    {
      NODE_EXTRA_CA_CERTS: (await authority()).file, // as daemonset/components/store-authority has it
    },
  )
  controllers.push(child)
  await child.ready(() => Promise.resolve(child.tail(1_000).includes('selcap controller started')))
  return child
}

const onStage = shared(async (): Promise<Stage> => {
  await cluster().api.kubectl('create', 'namespace', 'shop')
  const node = await cluster().addNode('node-1')
  const pod = await node.addPod('shop', 'web-0', { app: 'web' })
  await node.startAgent()
  await startController()
  const s3 = await startS3(scope, { at: { address: serverAddress, netns: cluster().networkPath } })
  await addSecret('store-keys')
  stage = { node, pod, s3, endpoint: `http://${serverAddress}:${s3.port}` }
  return stage
})

function addSecret(name: string): Promise<void> {
  return cluster().apply({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace: 'shop' },
    stringData: s3Secret,
  })
}

const get = (name: string) => cluster().get<PublishedCapture>('packetcapture', name, '-n', 'shop')
const uploadsOf = ({ status }: PublishedCapture): readonly UploadStatus[] =>
  status?.files.flatMap(({ uploads = [] }) => uploads) ?? []

async function untilStatus(
  name: string,
  what: string,
  isSo: (capture: PublishedCapture) => boolean,
): Promise<PublishedCapture> {
  const look = async () => {
    const capture = await get(name)
    return isSo(capture) ? capture : undefined
  }
  const found = async () => (await get(name)).status
  return untilFound(what, look, { everyMs: 200, tails: controllers, found })
}

function capture(
  name: string,
  { endpoint }: Stage,
  more: object = {},
  output: object = {},
): object {
  const s3Upload = {
    bucket,
    secretName: 'store-keys',
    endpoint,
    region: 'us-east-1',
    path: 'pcaps',
  }
  return packetCapture(name, {
    selector: "app == 'web'",
    filters: [{ protocol: 'UDP' }],
    output: { s3Upload, ...output },
    ...more,
  })
}

async function openAndSend(name: string, { pod }: Stage, count: number): Promise<void> {
  await untilStatus(
    name,
    'a tap',
    ({ status }) => status?.state === 'WaitingForTraffic' && status.nodes === 1,
  )
  for (let sent = 0; sent < count; sent += 20)
    await pod.sender.udp({ to: pod.hostAddress, port: 9, count: Math.min(20, count - sent) })
  await untilStatus(name, `${count} packets`, ({ status }) => (status?.packets ?? 0) >= count)
}

function stop(name: string): Promise<string> {
  const spec = { endTime: new Date(Date.now() - 1_000).toISOString() }
  return cluster().api.kubectl(
    'patch',
    'packetcapture',
    name,
    '-n',
    'shop',
    '--type=merge',
    '-p',
    JSON.stringify({ spec }),
  )
}

/** Each upload is where its URL says, and is what its status says. Out: all records. */
async function recordsOf(
  t: ExecutionContext,
  uploads: readonly UploadStatus[],
  { s3, endpoint }: Stage,
): Promise<number> {
  const counts = uploads.map(async ({ uploaded = '', sha256 = '', bytes = -1 }) => {
    t.true(uploaded.startsWith(`${endpoint}/${bucket}/pcaps/shop/`), uploaded)
    const path = join(
      s3.objects,
      decodeURIComponent(uploaded.slice(`${endpoint}/${bucket}/`.length)),
    )
    t.is(await sha256Of(path), sha256)
    const file = readFileSync(path)
    t.is(file.length, bytes)
    return readRecords(file, 'pcap').length
  })
  return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0)
}

clusterTest(
  'files go up when the capture is over, and the node lets them go once they are stored',
  async t => {
    const here = await onStage()
    await cluster().apply(capture('over', here, {}, { cleanUpAfterUpload: true }))
    await openAndSend('over', here, 40)
    t.deepEqual(uploadsOf(await get('over')), []) // the one file is being written to
    await stop('over')
    const done = await untilStatus(
      'over',
      'the clean-up',
      found => uploadsOf(found).length === 1 && found.status?.files[0]?.fileNames.length === 0,
    )
    const [upload] = uploadsOf(done)
    t.like(upload, {
      file: `web-0_${here.pod.hostName}.pcap`,
      output: 's3Upload',
      error: undefined,
    })
    t.regex(upload?.uploaded ?? '', /\/pcaps\/shop\/over\/\d{8}T\d{6}Z\/node-1\/web-0_/)
    t.is(await recordsOf(t, uploadsOf(done), here), 40)
    t.deepEqual(here.node.files('shop', 'over'), [])
    t.is(done.status?.packets, 40)
  },
)

clusterTest('rotated files go up while the capture runs, and stay on the node', async t => {
  const here = await onStage()
  await cluster().apply(
    capture('rotating', here, { rotation: { maxSizeBytes: 1_000, maxFiles: 100 } }),
  )
  await openAndSend('rotating', here, 100)
  const there = () => here.node.files('shop', 'rotating')
  const isUp = (found: PublishedCapture) => uploadsOf(found).length === there().length - 1
  const running = await untilStatus(
    'rotating',
    'all but the file that is written to',
    found => found.status?.state === 'Capturing' && isUp(found),
  )
  t.true(uploadsOf(running).length > 3)
  const before = await recordsOf(t, uploadsOf(running), here)
  t.true(before > 0 && before < 100, `${before}`)
  await stop('rotating')
  const over = await untilStatus(
    'rotating',
    'all files',
    found => uploadsOf(found).length === there().length,
  )
  t.is(await recordsOf(t, uploadsOf(over), here), 100)
})

clusterTest('a store that is away, and a controller that is killed, only delay', async t => {
  const here = await onStage()
  await here.s3.stop('SIGKILL')
  await cluster().apply(capture('late', here, {}, { cleanUpAfterUpload: true }))
  await openAndSend('late', here, 20)
  await stop('late')
  const failed = await untilStatus('late', 'an error', found =>
    uploadsOf(found).some(({ error }) => error !== undefined),
  )
  t.regex(
    uploadsOf(failed)[0]?.error ?? '',
    /Cannot upload ".*" in s3Upload\.bucket "captures": the connection was refused \(ECONNREFUSED\)/,
  )
  t.like(
    failed.status?.conditions.find(({ type }) => type === 'Degraded'),
    { status: 'True', reason: 'UploadFailed' },
  )
  t.is(here.node.records('shop', 'late'), 20) // nothing goes that is not stored
  await controllers.at(-1)?.stop('SIGKILL')
  await here.s3.start()
  await startController()
  const done = await untilStatus('late', 'the upload', found =>
    uploadsOf(found).some(({ uploaded }) => uploaded !== undefined),
  )
  t.is(await recordsOf(t, uploadsOf(done), here), 20)
  await untilStatus(
    'late',
    'no problem',
    ({ status }) => status?.conditions.find(({ type }) => type === 'Degraded')?.status === 'False',
  )
})

clusterTest(
  'a store whose certificate nobody signed whom we trust is told, tried again, and used once it has a better one',
  async t => {
    const here = await onStage()
    t.regex(
      controllers.at(-1)?.tail(1_000) ?? '',
      /"certificates":1,.*authorities of stores trusted/,
    )
    const names = { names: [serverAddress] }
    const [theirs, ours] = [
      await (await makeAuthority(scope)).issue(names),
      await (await authority()).issue(names),
    ]
    const s3 = await startS3(scope, {
      at: { address: serverAddress, netns: cluster().networkPath },
      tls: theirs,
    })
    const there = { ...here, s3, endpoint: `https://${serverAddress}:${s3.port}` }
    await cluster().apply(capture('sealed', there))
    await openAndSend('sealed', here, 10)
    await stop('sealed')
    const failed = await untilStatus('sealed', 'an error', found =>
      uploadsOf(found).some(({ error }) => error !== undefined),
    )
    const reason =
      /Cannot upload ".*" in s3Upload\.bucket "captures": the store's certificate is of no authority that is trusted \(UNABLE_TO_\w+\): expected /
    t.regex(uploadsOf(failed)[0]?.error ?? '', reason)
    t.true(
      failed.status?.conditions.some(
        ({ type, status, reason: why }) =>
          type === 'Degraded' && status === 'True' && why === 'UploadFailed',
      ),
    )
    const tries = () =>
      controllers
        .at(-1)
        ?.tail(1_000)
        .match(/"name":"sealed".*not uploaded/g) ?? []
    await untilStatus('sealed', 'another try', () => tries().length > 1)
    for (const part of ['cert', 'key'] as const) copyFileSync(ours[part], theirs[part])
    await s3.stop()
    await s3.start()
    const done = await untilStatus('sealed', 'the upload', found =>
      uploadsOf(found).some(({ uploaded }) => uploaded !== undefined),
    )
    t.is(await recordsOf(t, uploadsOf(done), there), 10)
    for (const secret of Object.values(s3Secret))
      t.false([JSON.stringify(failed), controllers.at(-1)?.tail(100_000)].join().includes(secret))
  },
)

clusterTest(
  'a Secret that is not there is told, and used once it is; nothing says what is in it',
  async t => {
    const here = await onStage()
    const s3Upload = {
      bucket,
      secretName: 'later',
      endpoint: here.endpoint,
      region: 'us-east-1',
      path: 'pcaps',
    }
    await cluster().apply(capture('waiting', here, { ttlSecondsAfterFinished: 0 }, { s3Upload }))
    await openAndSend('waiting', here, 10)
    await stop('waiting')
    const told = await untilStatus(
      'waiting',
      'the problem',
      ({ status }) => status?.conditions.some(({ reason }) => reason === 'UploadFailed') === true,
    )
    t.regex(
      told.status?.conditions[1]?.message ?? '',
      /Cannot read Secret "later": secrets "later" not found/,
    )
    t.is(here.node.records('shop', 'waiting'), 10) // its ttl is over, and waits
    await addSecret('later')
    const get = () => cluster().api.ask(['get', 'packetcapture', 'waiting', '-n', 'shop'])
    await until('its ttl to remove it', async () => (await get()).code !== 0, { everyMs: 200 })
    const objects = readdirSync(join(here.s3.objects, 'pcaps', 'shop', 'waiting'), {
      recursive: true,
      encoding: 'utf8',
    })
    const [object = ''] = objects.filter(name => name.endsWith('.pcap'))
    t.is(
      readRecords(readFileSync(join(here.s3.objects, 'pcaps', 'shop', 'waiting', object)), 'pcap')
        .length,
      10,
    )
    const said = [
      ...controllers.map(each => each.tail(100_000)),
      JSON.stringify(await cluster().get('events,packetcaptures', '-n', 'shop')),
    ].join()
    for (const secret of Object.values(s3Secret)) t.false(said.includes(secret))
  },
)
