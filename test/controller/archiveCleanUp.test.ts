// Retina's cleanUpAfterUpload over two nodes: an archive leaves its node when the store has the same bytes and not before, and the
// capture goes when both have.
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { setTimeout as after } from 'node:timers/promises'
import test from 'ava'
import type { RetinaStatus } from '../../src/status/retina.ts'
import type { Child } from '../cluster/child.ts'
import { type SimulatedNode, type SimulatedPod, serverAddress } from '../cluster/simulated.ts'
import { systemNamespace } from '../cluster/systemNamespace.ts'
import { useSimulated } from '../cluster/useSimulated.ts'
import { bucket, s3Secret, startS3 } from '../output/s3Server.ts'
import { sha256Of } from '../output/source.ts'
import { root } from '../repo/tree.ts'
import { until } from '../taps/capture.ts'

const { cluster, clusterTest } = useSimulated()
const cleanUps: (() => unknown)[] = []
test.after.always(async () => {
  for (const cleanUp of cleanUps.toReversed()) await cleanUp()
})

type Place = { readonly node: SimulatedNode; readonly pod: SimulatedPod; readonly base: string }
type Status = Partial<RetinaStatus>

async function addPlace(number: number): Promise<Place> {
  const node = await cluster().addNode(`node-${number}`)
  const pod = await node.addPod('shop', `web-${number}`, { app: 'web' })
  const base = join(cluster().directory, `node-${number}-archives`)
  const config = join(cluster().directory, `node-${number}.yaml`)
  writeFileSync(config, `captureHostPathBaseDir: ${base}\ncaptureDiskFreePercentMin: 0\n`)
  await node.startAgent(['--apis', 'retina', '--config', config])
  return { node, pod, base }
}

async function untilStatus(name: string, what: string, isSo: (status: Status) => boolean): Promise<Status> {
  const endMs = Date.now() + 150_000
  for (;;) {
    const { status = {} } = await cluster().get<{ status?: Status }>('captures.retina.sh', name, '-n', 'shop')
    if (isSo(status)) return status
    if (Date.now() > endMs) throw new Error(`Waited in vain for ${what}: ${JSON.stringify(status)}`)
    await after(200)
  }
}

const capture = (name: string, outputConfiguration: object): object => ({
  apiVersion: 'retina.sh/v1alpha1',
  kind: 'Capture',
  metadata: { name, namespace: 'shop' },
  spec: {
    captureConfiguration: {
      captureTarget: { podSelector: { matchLabels: { app: 'web' } } },
      captureOption: { duration: '8s', pcapFilter: 'udp' },
      includeMetadata: false,
    },
    outputConfiguration: { hostPath: 'kept', ...outputConfiguration },
    cleanUpAfterUpload: true,
  },
})

const archivesOf = ({ files = [] }: Status): string[] => files.flatMap(({ artifact }) => artifact?.files.map(({ path }) => path) ?? [])
const isComplete = ({ conditions = [] }: Status): boolean => conditions.some(({ type, status }) => type === 'complete' && status === 'True')
const isThere = async (name: string): Promise<boolean> =>
  (await cluster().api.ask(['get', 'captures.retina.sh', name, '-n', 'shop'])).code === 0

async function untilGone(name: string, controller: Child): Promise<void> {
  const endMs = Date.now() + 240_000
  while (await isThere(name)) {
    if (Date.now() > endMs) throw new Error(`Waited in vain for ${name} to go\n${controller.tail(20)}`)
    await after(200)
  }
}

clusterTest('archives leave the nodes when the bucket has them byte for byte, and the capture goes when all have', async t => {
  await cluster().api.kubectl('apply', '-k', join(root, 'daemonset/apis/retina'))
  await cluster().api.kubectl('wait', '--for=condition=Established', 'crd', '--all', '--timeout=60s')
  await cluster().api.kubectl('create', 'namespace', 'shop')
  await cluster().apply({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'keys', namespace: 'shop' }, stringData: s3Secret })
  const places = [await addPlace(1), await addPlace(2)]
  const config = join(cluster().directory, 'controller.yaml')
  writeFileSync(config, 'outputHttp: Allowed\n')
  const args = ['controller', '--apis', 'retina', '--config', config, '--metrics-host', '127.0.0.1', '--metrics-port', '0']
  const controller = await cluster().runInPod('controller', 'selcap-controller', args)
  const s3 = await startS3(
    { teardown: cleanUp => cleanUps.push(cleanUp) },
    {
      at: { address: serverAddress, netns: cluster().networkPath },
    },
  )
  await s3.stop('SIGKILL')

  const endpoint = `http://${serverAddress}:${s3.port}`
  await cluster().apply(capture('away', { s3Upload: { bucket, secretName: 'keys', endpoint, region: 'us-east-1', path: 'retina' } }))
  await cluster().apply(capture('here', {}))
  await untilStatus('away', 'taps', ({ files = [] }) => files.length === 2 && files.every(({ state }) => state === 'WaitingForTraffic'))
  for (const [index, { pod }] of places.entries()) await pod.sender.udp({ to: pod.hostAddress, port: 9, count: 5 + index })

  const failed = await untilStatus(
    'away',
    'a failure on both nodes',
    status => (status.conditions ?? []).some(({ reason }) => reason === 'UploadFailed') && archivesOf(status).length === 2,
  )
  const archives = archivesOf(failed).toSorted()
  t.deepEqual(archives.map(path => path.startsWith(join(cluster().directory))), [true, true]) // biome-ignore format: one line
  const sums = await Promise.all(archives.map(sha256Of))
  const objects = archives.map(path => join(s3.objects, 'retina', basename(path)))
  mkdirSync(join(s3.objects, 'retina'))
  writeFileSync(objects[0] ?? '', Buffer.alloc(statSync(archives[0] ?? '').size, 7)) // as long, and another
  t.true(archives.every(existsSync))
  await s3.start()
  await untilGone('away', controller)
  t.deepEqual(await Promise.all(objects.map(sha256Of)), sums, controller.tail(20))
  t.false(archives.some(existsSync))
  const { items } = await cluster().get<{ items: { reason: string; involvedObject: { name: string } }[] }>('events', '-n', 'shop')
  t.true(items.some(({ reason, involvedObject }) => reason === 'JobsCompleted' && involvedObject.name === 'away'))
  await until('its directories to go', () => places.every(({ node }) => !existsSync(join(node.captures, 'shop.retina.sh', 'away'))))

  // With nothing to upload to, nothing is cleaned up, as in Retina.
  const kept = archivesOf(await untilStatus('here', 'completion', isComplete))
  t.is(kept.length, 2)
  await after(15_000)
  t.true(kept.every(path => readFileSync(path).length > 0))
  t.true(await isThere('here'))
})

clusterTest('cleanUpAfterUpload takes the right to delete the capture, and the controller deletes no other', async t => {
  const asked = (name: string, more: object) => {
    const { spec, ...rest } = capture(name, {}) as { spec: object }
    return { input: JSON.stringify({ ...rest, spec: { ...spec, ...more } }) }
  }
  await cluster().api.kubectl('create', 'role', 'maker', '-n', 'shop', '--verb=create,get,patch', '--resource=captures.retina.sh')
  await cluster().api.kubectl('create', 'rolebinding', 'maker', '-n', 'shop', '--role=maker', '--user=maker')
  const create = (more: object, ...as: string[]) => cluster().api.ask(['create', '-f', '-', ...as], asked('made', more))
  await until('the rights to be known', async () => (await create({ cleanUpAfterUpload: false }, '--as', 'maker')).code === 0)
  t.regex((await create({}, '--as', 'maker', '--dry-run=server')).err, /takes the right to delete the capture/)
  const patch = ['patch', 'captures.retina.sh', 'made', '-n', 'shop', '--type=merge', '-p', '{"spec":{"cleanUpAfterUpload":true}}']
  t.regex((await cluster().api.ask([...patch, '--as', 'maker'])).err, /takes the right to delete the capture/)

  const token = (await cluster().api.kubectl('create', 'token', 'selcap-controller', '-n', systemNamespace)).trim()
  const remove = () =>
    cluster().api.ask(['delete', 'captures.retina.sh', 'made', '-n', 'shop', '--dry-run=server', '--wait=false', '--token', token])
  t.regex((await remove()).err, /the controller deletes only captures with cleanUpAfterUpload/)
  await cluster().api.kubectl(...patch)
  t.is((await remove()).code, 0)
})
